"""One model at work on the chosen rows: its answers, and how surprised it is by the right ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from core.config import RunConfig
from core.data.reasoning import answer_of
from core.data.sources import Source
from core.data.template import Wording
from core.evaluation import frequent
from core.evaluation.metrics.base import Metric
from core.evaluation.rows import Chosen, Prepared, labels
from core.methods.prompt import in_front
from core.models.heads import LABEL, SEQ2SEQ, VECTOR, Head, head_of
from core.models.load import head_of_weights, labels_of, load_base, load_run, precision, weights_of
from core.models.tokenizer import end_ids, load_tokenizer
from core.tasks import Answer
from core.tasks.classification import MOST_LABELS
from core.tasks.objective import objective_for

ANSWERING, READING = 5.0, 1.0  # what a row costs in the one and in the other, for the progress bar

Tell = Callable[[float, float, str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Subject:
    """A model to measure: what load_run takes, or (with `base`) the base model of a config; and its name for people.

    With `frequent` no model at all, but the most frequent label: the baseline of a head (see `frequent`).
    """

    target: str
    name: str
    base: bool = False
    revision: str | None = None
    frequent: Head | None = None


@dataclass(frozen=True)
class Measured:
    """What came of it, one entry a row; `answers` or `surprises` is empty where no metric asked for it.

    `labels` are those that it had to choose from, or None where it wrote its answers.
    """

    rows: Prepared
    answers: list[Answer]
    surprises: list[tuple[float, int]]
    labels: list[str] | None

    def only(self, places: Sequence[int]) -> Measured:
        """The same for those rows of the source alone; another model may not have been able to take them all."""
        if list(places) == self.rows.places:
            return self
        kept = set(places)
        at = [i for i, place in enumerate(self.rows.places) if place in kept]

        def pick(values: list[T]) -> list[T]:
            return [values[i] for i in at] if values else []

        r = self.rows
        rows = Prepared(
            pick(r.places), pick(r.prompts), pick(r.shown), pick(r.wants), pick(r.examples), pick(r.sizes), r.skipped
        )
        return Measured(rows, pick(self.answers), pick(self.surprises), self.labels)

    def columns(self, metric: Metric, written: bool) -> dict[str, Sequence[Any]]:
        """What a metric takes, by name. `written`: what the model wrote freely instead of the label that was chosen."""
        made: dict[str, Callable[[], Sequence[Any]]] = {
            "references": lambda: self.rows.wants,
            "predictions": lambda: [answer_of(a.written) if written else a.text for a in self.answers],
            "stopped": lambda: [a.stopped for a in self.answers],
            "nll": lambda: [nll for nll, _ in self.surprises],
            "tokens": lambda: [tokens for _, tokens in self.surprises],
            "bytes": lambda: self.rows.sizes,
        }
        return {name: made[name]() for name in metric.inputs}


def work(rows: int, answering: bool, reading: bool) -> float:
    """The units of progress that one model takes."""
    return rows * (ANSWERING * answering + READING * reading)


def measure(
    subject: Subject,
    chosen: Chosen,
    config: RunConfig,
    *,
    labelled: tuple[Source, Sequence[int]] | None,
    answering: bool,
    reading: bool,
    max_new_tokens: int,
    tell: Tell,
    should_stop: Callable[[], bool] | None,
) -> Measured:
    """Load a model, ask it every row, and let it go.

    Args:
        labelled: rows whose answers are the labels to choose from. tell: takes units done, rows done, and what is done.

    Raises:
        InputError: it cannot be loaded, or no row can be asked. core.runs.state.Stopped: `should_stop` said so.
    """
    if subject.frequent is not None:
        tell(0, 0, f"looking for the {subject.name}")
        rows, answers = frequent.most_frequent(chosen, config, subject.frequent, 2**31)
        return Measured(rows, answers, [], None)
    tell(0, 0, f"loading the {subject.name}")
    how = precision()
    if subject.base:
        head = head_of(config)
        model: Any = load_base(subject.target, subject.revision, how.frozen, head)
        tokenizer = load_tokenizer(subject.target, subject.revision)
        ends = end_ids(tokenizer, subject.target, Wording.of(config.data).chat_template(tokenizer))
    else:
        head = head_for(subject.target, config)
        model, tokenizer = load_run(subject.target, how.frozen, head)
        ends = end_ids(tokenizer, None, Wording.of(config.data).chat_template(tokenizer))
        ends |= _named_ends(model) if head.writes else set()
    model = model.to(how.device)
    objective = objective_for(config, tokenizer, head, labels_of(model, head))
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    context = (context or 2**31) - in_front(model)
    rows = objective.prepare(chosen, context - (max_new_tokens if head.writes else 0))
    count, done = len(rows.places), 0.0
    asked = labelled if answering and head.writes else None
    choices = labels(*asked, config, tokenizer, MOST_LABELS, head is SEQ2SEQ) if asked else None
    answers = []
    surprises: list[tuple[float, int]] = []
    if answering:
        tell(done, 0, f"answering with the {subject.name}")
        answers = objective.predict(
            model, rows, max_new_tokens=max_new_tokens, ends=ends, choices=choices,
            on_progress=lambda n: tell(n * ANSWERING, n, f"answering with the {subject.name}"), should_stop=should_stop,
        )  # fmt: skip
        done = count * ANSWERING
    if reading:
        tell(done, 0, f"reading the answers with the {subject.name}")
        surprises = objective.surprise(
            model, rows, should_stop=should_stop,
            on_progress=lambda n: tell(done + n * READING, n, f"reading the answers with the {subject.name}"),
        )  # fmt: skip
    offered = objective.labels if head is LABEL else list(choices) if choices else None
    return Measured(rows, answers, surprises, offered)


def head_for(target: str, config: RunConfig) -> Head:
    """What a target is asked through: any model's vectors can be compared; for all else its weights say it."""
    return VECTOR if config.task == "similarity" else head_of_weights(weights_of(target))


def _named_ends(model: Any) -> set[int]:
    """The end tokens of the model's own generation settings."""
    named = model.generation_config.eos_token_id
    return {int(i) for i in (named if isinstance(named, list) else [named]) if i is not None}
