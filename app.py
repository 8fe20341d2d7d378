"""The front door: settings from the environment, build the page, launch, say where it is."""

from __future__ import annotations

import sys
from contextlib import suppress
from threading import Thread

from core.errors import InputError


def main() -> int:
    """Serve the page until interrupted. Host and port come from GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""
    from ui.page import LAUNCH, build

    demo = build()
    try:
        _, url, _ = demo.launch(**LAUNCH, prevent_thread_lock=True, quiet=True)
    except OSError as error:
        print(f"Tunesmith cannot listen: {error}", file=sys.stderr)
        return 1
    print(f"Tunesmith is at {url}", flush=True)
    Thread(target=_warm, daemon=True).start()
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
