"""The own side of a process that waits for its command (see core.runs.standby): imports first, so that a job begins.

    python -m core.runs.waiting

On standard input it gets one line, {"command", "env", "log", "piped"}, and is from then on `python -m core COMMAND` with
that environment. Where the other side is gone before that, it ends.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import queue
import sys
import threading
from typing import Any

from core.telemetry import OFF

# What jobs and workers import, the largest first; what one job alone needs it imports by itself.
LIBRARIES = (
    "torch",
    "transformers.models.llama.modeling_llama",
    "peft",
    "core.training.loop",
    "core.export.make",
    "onnxruntime_genai.models.builder",
)
QUIET = ("TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS")  # read at import, and said by every job of ours


def main() -> int:
    """Import, wait, and be the job."""
    given: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(given,), name="command", daemon=True).start()
    os.environ.update(dict.fromkeys(QUIET, "1"), TOKENIZERS_PARALLELISM="false")
    for name in LIBRARIES:
        with contextlib.suppress(Exception):  # the job meets it again, and says it
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is there now stays: nobody need look through it again
    order = given.get()
    os.environ.clear()
    os.environ.update(order["env"] | dict.fromkeys(QUIET, "1") | OFF)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(log, 2)
    if not order["piped"]:
        os.dup2(log, 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.close(log)

    from core.__main__ import main as core
    from core.runs.masking import mask_output

    sys.argv = ["core", *order["command"]]
    mask_output()
    return core(order["command"])


def _listen(given: queue.Queue[dict[str, Any]]) -> None:
    """The one line, and not a byte after it, which may be for the job. No line: nobody is there any more."""
    line = b""
    while (byte := os.read(0, 1)) != b"\n":
        if not byte:
            os._exit(0)
        line += byte
    given.put(json.loads(line))


if __name__ == "__main__":
    status = main()
    gc.freeze()  # see core.__main__
    sys.exit(status)
