"""The model worker's own side: questions come in as JSON lines, answers go out; the last base stays warm."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from core.adapters.several import Adapters, info_of
from core.errors import InputError
from core.paths import runs_dir
from core.runs.adapters import BASE, Base, differs
from core.runs.failures import explain
from core.runs.state import Stopped
from core.runs.store import Run, find, open_run

LOOK_S = 2.0  # how often to see whether whoever started this is still there
MOST_NAMES, MOST_TOKENS = 16, 2048


def serve(read: int, write: Callable[[dict[str, Any]], None], idle_s: float, base: Base | None = None) -> int:
    """Answer questions until the other side is gone, or nothing was asked for so long; how many were answered.

    Args:
        read: a file descriptor. A question is {"prompt", "names", "max_new_tokens", "base", "revision"}: see
            core.runs.asking. write: takes what goes out: {"state"} while it works, then {"said", "seconds", "loading",
            "batches"}, or {"error", "field"}. idle_s: seconds. base: to be loaded before anything is asked.
    """
    questions, gone = queue.Queue[dict[str, Any]](), threading.Event()
    threading.Thread(target=_listen, args=(read, questions, gone), name="questions", daemon=True).start()
    warm = Warm(base)
    answered, since, parent = 0, time.monotonic(), psutil.Process().parent()
    while not gone.is_set() and time.monotonic() - since < idle_s:
        try:
            question = questions.get(timeout=min(LOOK_S, idle_s))
        except queue.Empty:
            if parent is not None and not parent.is_running():
                break
            continue
        try:
            write(warm.answer(question, lambda what: write({"state": what}), gone.is_set))
            answered += 1
        except Stopped:
            break
        except Exception as error:  # whatever it was: the next question may be answered
            write(
                {"error": explain(error, runs_dir())[1], "field": error.field if isinstance(error, InputError) else ""}
            )
        since = time.monotonic()
    return answered


class Warm:
    """The one base that is in memory, with its adapters; None where nothing was asked yet."""

    def __init__(self, base: Base | None = None) -> None:
        self.held = Adapters(base) if base is not None else None

    def answer(
        self,
        question: dict[str, Any],
        say: Callable[[str], None] = lambda what: None,
        gone: Callable[[], bool] | None = None,
    ) -> dict[str, Any]:
        """Answer one question: see `serve`. say: told what is being done.

        Raises:
            InputError: see core.runs.asking. core.runs.state.Stopped: `gone` said so.
        """
        names, most = [str(name) for name in question["names"]], int(question["max_new_tokens"])
        if not 1 <= len(names) <= MOST_NAMES:
            raise InputError(f"{len(names)} models are named: name 1 to {MOST_NAMES} of them.")
        if not 1 <= most <= MOST_TOKENS:
            raise InputError(f"{most} tokens are asked for: ask for 1 to {MOST_TOKENS:,}.")
        began = time.monotonic()
        runs = [None if name == BASE else find(name) or open_run(name) for name in names]
        there = [run for run in runs if run is not None]
        wanted = self._base(there, question.get("base"), question.get("revision"))
        held = self.held
        if held is None or differs(held.base, wanted):
            self.held = held = None  # the old one leaves the memory first
            say("loading the model")
            self.held = held = Adapters(wanted)
        for run in there:
            held.add(run)
        ids, loading = [BASE if run is None else run.id for run in runs], time.monotonic() - began
        say("answering")
        began = time.monotonic()
        answers = held.answer([question["prompt"]] * len(ids), ids, most, gone)
        said = [
            {"name": name, "text": a.text, "ended": a.stopped, "tokens": len(a.ids)}
            for name, a in zip(ids, answers, strict=True)
        ]
        seconds = time.monotonic() - began
        return {"said": said, "seconds": seconds, "loading": loading, "batches": held.batches(ids)}

    def _base(self, runs: list[Run], path: str | None, revision: str | None) -> Base:
        """The base of the first run that is named, else the one that is named, else the one that is here."""
        if runs:
            return info_of(runs[0]).base
        if path:
            named = Base(path, revision)
            return self.held.base if self.held is not None and not differs(self.held.base, named) else named
        if self.held is None:
            raise InputError("No run and no base is named: name a run, or a base.")
        return self.held.base


def _listen(read: int, questions: queue.Queue[dict[str, Any]], gone: threading.Event) -> None:
    """Lines of the descriptor as questions. Read without Python's buffer, which a sleeping thread would keep locked."""
    rest = b""
    while chunk := os.read(read, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            questions.put(json.loads(line))
    gone.set()
