"""The model worker, seen from the page: it holds a base with its adapters, and answers one question after another."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.runs.worker import ANSWER_S, IDLE_MINUTES, Worker

Prompt = str | dict[str, Any]  # a text, or a row: column -> value


@dataclass(frozen=True)
class Said:
    """One answer.

    Attributes:
        name: who gave it: the id of a run, or "base". text: without the end. ended: by itself, not at the limit.
        tokens: how many were written.
    """

    name: str
    text: str
    ended: bool
    tokens: int


@dataclass(frozen=True)
class Answers:
    """The answers to one question, in the order of the names; seconds: for all of them, loading not counted.

    `batches` are the names that went through the model together; `loading` is what loading took, in seconds.
    """

    said: list[Said]
    seconds: float
    loading: float
    batches: list[list[str]]


class ModelWorker(Worker):
    """Several adapters on one base: see core.adapters.serve. When it ends: see Worker."""

    def __init__(self, idle_minutes: float = IDLE_MINUTES, answer_s: float = ANSWER_S) -> None:
        super().__init__(("adapters", "serve", "--json"), "model", idle_minutes, answer_s)

    def ask(
        self,
        prompt: Prompt,
        names: Sequence[str],
        max_new_tokens: int = 128,
        base: str | None = None,
        revision: str | None = None,
        on_state: Callable[[str], None] = lambda what: None,
    ) -> Answers:
        """Ask the same of several models on one base, in one batch; waits while another question is being answered.

        Args:
            prompt: the text that a person would fill in (the one field of the run's template, or what a user says), or
                a row with all of its columns. names: ids of runs whose adapters share a base, and "base" for the base
                itself. base, revision: which base, where no run is named. on_state: told what is being done, in words.

        Raises:
            InputError: no such run, runs that do not share a base, a prompt that does not fit; or the worker ended.
        """
        question = {"prompt": prompt, "names": list(names), "max_new_tokens": max_new_tokens}
        heard = self.question(
            question | {"base": base, "revision": revision}, lambda word: on_state(str(word.get("state", "")))
        )
        return Answers([Said(**one) for one in heard["said"]], heard["seconds"], heard["loading"], heard["batches"])


@functools.cache
def shared() -> ModelWorker:
    """The one worker of this process: a base is in memory once, whoever asks."""
    return ModelWorker()
