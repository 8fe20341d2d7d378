"""The front door: settings from the environment, build the page, launch, say where it is."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from threading import Thread

from core.errors import InputError


def main() -> int:
    """Serve the page until interrupted. Host and port come from GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""
    from core.runs.sweep import hourly
    from ui import door
    from ui.page import LAUNCH, build

    os.environ.pop("TUNESMITH_FOR", None)  # this process answers whoever asks
    try:
        door.check()
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    demo = build()
    try:
        _, url, _ = demo.launch(**LAUNCH, prevent_thread_lock=True, quiet=True)
    except OSError as error:
        print(f"Tunesmith cannot listen: {error}", file=sys.stderr)
        return 1
    print(f"Tunesmith is at {url}", flush=True)
    if link := door.owners_link(url):
        print(f"This page is open to everybody. Whoever opens this link is its owner: {link}", flush=True)
    Thread(target=_warm, daemon=True).start()
    hourly()
    demo.block_thread()
    return 0


def _warm() -> None:
    """Open what a first visit shows, so that the first visitor need not wait for it."""
    from ui.dataset import lengths
    from ui.shared import first_draft

    with suppress(InputError):  # the page says it at its place
        lengths(first_draft())


if __name__ == "__main__":
    sys.exit(main())
