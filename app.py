"""The front door: settings from the environment, build the page, launch, say where it is."""

from __future__ import annotations

import os
import sys

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported: nothing is asked of the network
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


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
    demo.block_thread()
    return 0


if __name__ == "__main__":
    sys.exit(main())
