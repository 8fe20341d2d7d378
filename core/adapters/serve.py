"""What the model worker holds: the last base with its adapters, and how it answers; see core.runs.serving."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from core.adapters.several import Adapters, info_of
from core.errors import InputError
from core.runs.adapters import BASE, Base, differs
from core.runs.serving import Write
from core.runs.store import Run, find, open_run

MOST_NAMES, MOST_TOKENS = 16, 2048


class Warm:
    """The one base that is in memory, with its adapters; None where nothing was asked yet."""

    def __init__(self, base: Base | None = None) -> None:
        self.held = Adapters(base) if base is not None else None

    def answer(
        self,
        question: dict[str, Any],
        write: Write = lambda said: None,
        gone: Callable[[], bool] | None = None,
    ) -> dict[str, Any]:
        """Answer one question {"prompt", "names", "max_new_tokens", "base", "revision"}: see core.runs.asking.

        Args:
            write: takes {"state": what is being done}. gone: whether nobody waits for the answer any more.

        Returns:
            {"said", "seconds", "loading", "batches"}.

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
            write({"state": "loading the model"})
            self.held = held = Adapters(wanted)
        for run in there:
            held.add(run)
        ids, loading = [BASE if run is None else run.id for run in runs], time.monotonic() - began
        write({"state": "answering"})
        began = time.monotonic()
        answers = held.answer([question["prompt"]] * len(ids), ids, most, gone)
        said = [
            {"name": name, "text": a.written, "ended": a.stopped, "tokens": len(a.ids)}
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
