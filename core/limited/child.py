"""A child that answers questions about somebody's model: `python -m core.limited.child`, started by core.limited.pool.

A line of JSON in is a question: {"ask", "values", "seconds"}; a line out is its answer: {"value"} or {"error", "field",
"overran"}. It is warm once it has said {"ready"}, and ends when nobody writes to it any more, whatever it is doing.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from queue import Empty, Queue
from typing import Any

import psutil

from core.errors import InputError, Overran
from core.limited import watch

ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # the other ones reserve a gigabyte of addresses that they do not use
    "HF_HUB_OFFLINE": "1",  # whatever is fetched, the page fetches
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONUNBUFFERED": "1",
}


def main(most_bytes: int, most_answer: int, idle_s: float) -> None:
    """Answer until nobody asks for so many seconds. Args: bytes of memory and of an answer that a question may take."""
    out = os.dup(1)
    os.dup2(2, 1)  # nothing but answers goes to whoever asked
    from core.limited import answers  # brings the libraries

    answers.LOADED.append(lambda: _write(out, {"loaded": True}))
    _bound(most_bytes)
    _write(out, {"ready": True})
    questions: Queue[dict[str, Any]] = Queue()
    threading.Thread(target=_listen, args=(questions,), name="questions", daemon=True).start()
    while True:
        try:
            question = questions.get(timeout=idle_s)
        except Empty:
            return
        watch.LIMITS = watch.Limits(float(question["seconds"]), most_bytes, most_answer)
        line = json.dumps(_answer(answers.ANSWERS[question["ask"]], question["values"]))
        if len(line) > most_answer:
            line = json.dumps({"error": f"{TOO_MUCH} {len(line):,} characters.", "field": "data.path"})
        _write(out, line)


TOO_MUCH = "What the model's template or tokenizer makes of this is too much to be shown:"


def _answer(work: Callable[[dict[str, Any]], Any], values: dict[str, Any]) -> dict[str, Any]:
    """The answer to a question; whatever goes wrong, in words."""
    try:
        return {"value": work(values)}
    except Overran as error:
        return {"error": str(error), "field": error.field, "overran": True}
    except InputError as error:
        return {"error": str(error), "field": error.field}
    except MemoryError:
        return {"error": "It takes more memory than it may.", "field": "model.path", "overran": True}
    except Exception as error:  # of a library, on what it did not expect: the next question may be answered
        reason = " ".join(str(error).split())[:200]
        return {"error": f"The model cannot be used: {type(error).__name__}: {reason}.", "field": "model.path"}


def _bound(most_bytes: int) -> None:
    """Let the system refuse more memory, where it can, beyond what is taken already; and leave no image of a crash."""
    if sys.platform == "linux":
        import resource

        limit = psutil.Process().memory_info().data + most_bytes  # not RLIMIT_AS: files that are mapped take none
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _write(out: int, said: dict[str, Any] | str) -> None:
    rest = memoryview((said if isinstance(said, str) else json.dumps(said)).encode() + b"\n")
    while rest:
        rest = rest[os.write(out, rest) :]


def _listen(questions: Queue[dict[str, Any]]) -> None:
    """Pass on the lines of standard input; at its end the process ends, in the middle of an answer too."""
    rest = b""
    while chunk := os.read(0, 2**20):
        if b"\n" not in chunk:
            rest += chunk
            continue
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            questions.put(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
