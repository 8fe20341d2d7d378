"""A loss that is no number: which rows it comes from, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from core.errors import InputError
from core.models.load import Precision
from core.tasks.objective import Batch, Objective, Row
from core.training.validation import quiet

NUMBER, NUMBERS = "number", "numbers"  # of a row among those trained on, from 0; of the rows of a batch
MOST_NAMED = 20


class Numbered(Sequence[Row]):
    """Rows that know which they are, so that those of a batch can be named."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return {**self.rows[index], NUMBER: index}


def numbered(collate: Callable[[Sequence[Any]], Batch]) -> Callable[[Sequence[Any]], Batch]:
    """A collation that adds `numbers` (rows) to the batch; of numbered rows, or of lists of those where they share a
    sequence."""

    def plain(item: Any, numbers: list[int]) -> Any:
        if isinstance(item, list):
            return [plain(row, numbers) for row in item]
        numbers.append(item[NUMBER])
        return {name: value for name, value in item.items() if name != NUMBER}

    def with_numbers(items: Sequence[Any]) -> Batch:
        numbers: list[int] = []
        batch = collate([plain(item, numbers) for item in items])
        return {**batch, NUMBERS: torch.tensor(numbers)}

    return with_numbers


def culprits(model: Any, objective: Objective, alone: Mapping[int, Batch], on: Precision) -> list[int]:
    """The numbers of those rows whose loss is no number; all of them where none is so by itself.

    Args:
        alone: the rows of a batch by number, each as a batch of its own. on: what is computed in.
    """
    found = []
    with quiet(model, on):
        for number, batch in alone.items():
            inputs = {k: v.to(model.device) if isinstance(v, torch.Tensor) else v for k, v in batch.items()}
            if not torch.isfinite(objective.loss(model, inputs)):
                found.append(number)
    return found or list(alone)


def diverged(step: int, learning_rate: float, rows: Sequence[int] = (), kept: int | None = None) -> InputError:
    """The error for a loss, gradients or weights that are no longer numbers.

    Args:
        rows: of the data, from 1, that it comes from, where that is known. kept: the step of the last checkpoint.
    """
    what = "its loss is no longer a number"
    if rows:
        named = ", ".join(f"{row:,}" for row in rows[:MOST_NAMED])
        more = f" and {len(rows) - MOST_NAMED:,} more" if len(rows) > MOST_NAMED else ""
        what = f"the loss of {'row' if len(rows) == 1 else 'the rows'} {named}{more} of the data is no longer a number"
    advice = f"The learning rate of {learning_rate:g} is too high for this model; try {learning_rate / 10:.2g}."
    if step == 0:
        return InputError(
            "The base model gives no numbers for the rows kept back, before anything is trained: its weights are "
            "damaged, or too large for what is computed in. Choose another model.",
            "model.path",
        )
    if step == 1:  # no weight was moved yet
        look = f"Look at {'it' if len(rows) == 1 else 'them'}; if" if rows else "If"
        advice = f"{look} nothing is wrong there, the base model's weights are damaged, or the loss is: nothing was "
        return InputError(
            f"The training fell apart at step 1: {what}. {advice}trained yet, so the learning rate has no part in it.",
            "model.path",
        )
    if rows:
        advice = f"Look at {'it' if len(rows) == 1 else 'them'}; if nothing is wrong there: t{advice[1:]}"
    whole = f" The checkpoint of step {kept:,} is whole, and kept." if kept else ""
    return InputError(f"The training fell apart at step {step:,}: {what}. {advice}{whole}", "training.learning_rate")
