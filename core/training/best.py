"""The best weights so far: what a check is judged by, which was the best, and whether patience is over."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config import RunConfig
from core.errors import InputError, unknown
from core.evaluation.metrics import METRICS
from core.evaluation.rows import Chosen, Prepared, labels
from core.models.heads import SEQ2SEQ
from core.models.load import Precision
from core.runs import records
from core.runs.files import whole_folder, write_json
from core.tasks.classification import MOST_LABELS
from core.tasks.objective import Objective
from core.training.examples import Examples, spaced
from core.training.validation import quiet

LOSS = "loss"


@dataclass(frozen=True)
class Measure:
    """What training.metric_for_best_model names."""

    name: str
    higher_is_better: bool

    def better(self, value: float, than: float, by: float = 0.0) -> bool:
        """Whether a value beats another by more than so much."""
        return value - than > by if self.higher_is_better else than - value > by


def measure_of(config: RunConfig, objective: Objective) -> Measure:
    """The measure of a config. InputError (training.metric_for_best_model) where the task has none of that name."""
    name = config.training.metric_for_best_model
    known = [LOSS, *(["perplexity"] if objective.likelihood else []), *objective.metrics]
    if name not in known:
        raise InputError(unknown("metric of this task named", name, known), "training.metric_for_best_model")
    return Measure(name, name != LOSS and METRICS[name].higher_is_better)


def waited(values: Iterable[float], measure: Measure, threshold: float) -> int:
    """How many checks there were since the last that beat all before it by more than the threshold, as in transformers.

    A function of the values alone, so that a resumed run waits as long as one that was never interrupted.
    """
    best: float | None = None
    checks = 0
    for value in values:
        checks = 0 if best is None or measure.better(value, best, threshold) else checks + 1
        best = value if best is None or measure.better(value, best) else best
    return checks


class Best:
    """The weights in `checkpoints/best-N`, and what they are judged by.

    Attributes:
        measure: what it is. history: its value at each step that was checked, the base model's left out.
    """

    def __init__(
        self, folder: Path, measure: Measure, config: RunConfig, score: Callable[[Any], float] | None = None
    ) -> None:
        self.folder, self.measure, self._score = folder, measure, score
        self._patience = config.training.early_stopping_patience
        self._threshold = config.training.early_stopping_threshold
        self.history: dict[int, float] = {}

    def value(self, model: Any, figures: dict[str, float]) -> float:
        """What a check comes to: one of its figures, or else what the model's answers score.

        Raises:
            core.runs.state.Stopped: somebody asked it to end while it was answering.
        """
        if self.measure.name in figures or self._score is None:
            return figures[self.measure.name]
        return self._score(model)

    def keep(self, step: int, value: float, loss: float, save: Callable[[Path], None]) -> None:
        """Keep the weights when they beat all before.

        What is best is read from the folder itself: a run that was resumed finds there what it had reached before it
        was killed, and goes the same way again.
        """
        self.history[step] = value
        best = self.found()
        if best is not None and not self.measure.better(value, best["metric_value"]):
            return
        self.folder.mkdir(exist_ok=True)
        with whole_folder(self.folder / f"best-{step}") as work:
            save(work)
            note = {"step": step, "validation_loss": loss, "metric": self.measure.name, "metric_value": value}
            write_json(work / "best.json", note)
        if best is not None and best["step"] != step:
            shutil.rmtree(best["path"], ignore_errors=True)

    @property
    def given_up(self) -> bool:
        """Whether validation has not improved for as many checks as patience allows."""
        values = [self.history[step] for step in sorted(self.history)]
        return self._patience is not None and waited(values, self.measure, self._threshold) >= self._patience

    def found(self) -> dict[str, Any] | None:
        """{"step", "validation_loss", "metric", "metric_value", "path"} of the best weights, or None."""
        notes = [(records.BEST.find(path / "best.json"), path) for path in self.folder.glob("best-*")]
        found = [{"metric_value": note["validation_loss"]} | note | {"path": path} for note, path in notes if note]
        sign = -1 if self.measure.higher_is_better else 1
        return min(found, key=lambda f: (sign * f["metric_value"], f["step"])) if found else None


def scorer(
    config: RunConfig, rows: Examples, measure: Measure, on: Precision, should_stop: Callable[[], bool]
) -> Callable[[Any], float]:
    """A function from a model to the metric of its answers to rows that are kept back, evaluation.max_rows at most.

    All rows of the data say which labels there are to choose from (classification), as they do in an evaluation.

    Raises (the function):
        InputError: nothing can be asked of these rows. core.runs.state.Stopped: `should_stop` said so.
    """
    objective, source = rows.objective, rows.held.source
    few = Chosen(source, spaced(rows.held.places, config.evaluation.max_rows), rows.held.which)
    ready: list[tuple[Prepared, dict[str, list[int]] | None]] = []

    def prepare(model: Any) -> tuple[Prepared, dict[str, list[int]] | None]:
        most = config.evaluation.max_new_tokens if objective.head.writes else 0
        window = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 2**31
        asked = objective.prepare(few, max(1, window - most))
        if not any(text.strip() for text in asked.shown):
            raise InputError(
                f"The template has no prompt, so nothing can be asked and {measure.name} cannot be taken: choose loss.",
                "training.metric_for_best_model",
            )
        if config.task != "classification" or not objective.head.writes:
            return asked, None
        return asked, labels(
            source, range(len(source.rows)), config, objective.tokenizer, MOST_LABELS, objective.head is SEQ2SEQ
        )

    def score(model: Any) -> float:
        if not ready:
            ready.append(prepare(model))
        asked, choices = ready[0]
        with quiet(model, on):
            answers = objective.predict(
                model, asked, max_new_tokens=config.evaluation.max_new_tokens, choices=choices, should_stop=should_stop
            )
        return METRICS[measure.name].compute(references=asked.wants, predictions=[a.text for a in answers])

    return score
