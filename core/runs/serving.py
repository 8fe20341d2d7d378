"""A worker's own side: questions come in as JSON lines, answers go out; see core.runs.worker for the other one."""

from __future__ import annotations

import functools
import json
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import psutil

from core.errors import InputError, Overran
from core.paths import runs_dir
from core.runs.failures import explain
from core.runs.state import Stopped

LOOK_S = 2.0  # how often to see whether whoever started this is still there

Write = Callable[[dict[str, Any]], None]


class Answering(Protocol):
    """What answers: keeps what it has loaded from one question to the next."""

    def answer(self, question: dict[str, Any], write: Write, gone: Callable[[], bool]) -> dict[str, Any]:
        """Answer one question.

        Args:
            write: takes {"state": what is being done} and {"piece": ...} on the way. gone: whether nobody waits for the
                answer any more.

        Raises:
            core.runs.state.Stopped: `gone` said so. Anything else is told in a sentence.
        """


def serve(read: int, write: Write, idle_s: float, warm: Answering) -> int:
    """Answer questions until the other side is gone, or nothing was asked for so long; how many were answered.

    Args:
        read: a file descriptor. A line is a question (with its "number"), or {"withdraw": the number of one}.
        write: takes what goes out, with the question's number: what `warm` says on the way, then its answer, or
            {"error", "field"}; with "withdrawn" where that is why. idle_s: seconds.
    """
    line = _Line(read)
    answered, since, parent = 0, time.monotonic(), psutil.Process().parent()
    while not line.gone.is_set() and time.monotonic() - since < idle_s:
        try:
            question = line.questions.get(timeout=min(LOOK_S, idle_s))
        except queue.Empty:
            if parent is not None and not parent.is_running():
                break
            continue
        number = int(question.pop("number", 0))
        tell = functools.partial(_numbered, write, number)
        try:
            tell(warm.answer(question, tell, functools.partial(line.nobody_waits, number)))
            answered += 1
        except Stopped:
            if line.gone.is_set():
                break
            tell({"error": "The question was withdrawn.", "withdrawn": True})
        except (Exception, Overran) as error:  # whatever it was: the next question may be answered
            tell(
                {"error": explain(error, runs_dir())[1], "field": error.field if isinstance(error, InputError | Overran) else ""}
            )
        since = time.monotonic()
    return answered


def _numbered(write: Write, number: int, said: dict[str, Any]) -> None:
    write(said | {"number": number} if number else said)


class _Line:
    """The lines of a descriptor. Read without Python's buffer, which a sleeping thread would keep locked."""

    def __init__(self, read: int) -> None:
        self.questions, self.gone, self._withdrawn = queue.Queue[dict[str, Any]](), threading.Event(), 0
        threading.Thread(target=self._listen, args=(read,), name="questions", daemon=True).start()

    def nobody_waits(self, number: int) -> bool:
        """Whether the other side is gone, or has withdrawn the question of this number."""
        return self.gone.is_set() or 0 < number <= self._withdrawn

    def _listen(self, read: int) -> None:
        rest = b""
        while chunk := os.read(read, 65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                said = json.loads(line)
                if "withdraw" in said:
                    self._withdrawn = int(said["withdraw"])
                else:
                    self.questions.put(said)
        self.gone.set()
