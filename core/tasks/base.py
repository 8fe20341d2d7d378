"""What every task is made of: an answer, and the functions that a task's module has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Answer:
    """What a model answers to one prompt.

    Attributes:
        text: the answer that is scored, without white space around it and without reasoning in front.
        written: all that the model writes when nobody limits its choice.
        ids: the tokens written, without the end token.
        stopped: whether it ended with an end token, not at the limit of tokens.
        score: how probable the label is among all labels (classification), else None.
    """

    text: str
    written: str
    ids: list[int]
    stopped: bool
    score: float | None = None


class Task(Protocol):
    """A task's module. A new task is one such module, and one entry of core.tasks.TASKS."""

    LABEL: str
    METRICS: tuple[str, ...]

    def predict(
        self,
        model: Any,
        tokenizer: Any,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        ends: set[int] | None = None,
        choices: Mapping[str, Sequence[int]] | None = None,
        on_progress: Callable[[float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[Answer]:
        """The answers to prompts given as token ids, in their order; `on_progress` gets the rows done so far.

        Args:
            ends: ids at which an answer ends; None: those that the tokenizer knows.
            choices: label -> its tokens as an answer, end token included (classification only).

        Raises:
            core.runs.state.Stopped: `should_stop` said so; it is asked at every token.
        """
        ...

    def score(self, references: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
        """The task's metrics of texts, the main one first."""
        ...

    def checks(self, answers: Sequence[str]) -> list[str]:
        """Why rows with these answers do not fit the task, one sentence each; empty when they do."""
        ...
