"""Batches: rows as tensors, padded to the longest of them, or end to end in sequences where none sees another.

Rows of like length together, padded to their longest, take 11 times the supervised tokens of padding to 512 through a
CPU, against 6 times for random batches and 12 for packed sequences (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from core.data.encoded import IGNORED, Row, lengths_of

Tensors = dict[str, torch.Tensor]


class Collator:
    """Rows -> tensors (rows, longest): input_ids filled up with `pad`, attention_mask, labels filled up with -100."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, rows: Sequence[Row]) -> Tensors:
        longest = max(len(row["input_ids"]) for row in rows)
        shape = (len(rows), longest)
        ids, labels = torch.full(shape, self.pad), torch.full(shape, IGNORED)
        mask = torch.zeros(shape, dtype=torch.long)
        for n, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[n, :length] = torch.tensor(row["input_ids"])
            labels[n, :length] = torch.tensor(row["labels"])
            mask[n, :length] = 1
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    def weigh(self, rows: Sequence[Row], weight: Callable[[Row], float]) -> torch.Tensor:
        """How much each row counts, (rows,)."""
        return torch.tensor([weight(row) for row in rows])


class JoinedCollator:
    """Sequences of rows -> tensors (sequences, longest): input_ids, position_ids, labels; and lengths (rows,).

    Positions begin again at 0 with each row. What stays empty is filled with `pad`, as a row of its own. The first
    token of a row is never a label: it would be predicted by the row before.
    """

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, sequences: Sequence[Sequence[Row]]) -> Tensors:
        longest = max(sum(len(row["input_ids"]) for row in rows) for rows in sequences)
        ids, labels, positions, lengths = [], [], [], []
        for rows in sequences:
            parts = [len(row["input_ids"]) for row in rows]
            empty = longest - sum(parts)
            ids.append([i for row in rows for i in row["input_ids"]] + [self.pad] * empty)
            labels.append([i for row in rows for i in (IGNORED, *row["labels"][1:])] + [IGNORED] * empty)
            positions.append([i for n in (*parts, empty) for i in range(n)])
            lengths += parts
        return {
            "input_ids": torch.tensor(ids),
            "position_ids": torch.tensor(positions),
            "labels": torch.tensor(labels),
            "lengths": torch.tensor(lengths),
        }

    def weigh(self, sequences: Sequence[Sequence[Row]], weight: Callable[[Row], float]) -> torch.Tensor:
        """How much each token counts, as its row does, (sequences, longest)."""
        each = [torch.cat([torch.full((len(row["input_ids"]),), weight(row)) for row in rows]) for rows in sequences]
        return pad_sequence(each, batch_first=True)


class OneSequence(JoinedCollator):
    """Rows -> tensors (1, tokens of them all), as JoinedCollator's: no padding."""

    def __call__(self, rows: Sequence[Any]) -> Tensors:
        return super().__call__([rows])

    def weigh(self, rows: Sequence[Any], weight: Callable[[Row], float]) -> torch.Tensor:
        """How much each token counts, (1, tokens of all rows)."""
        return super().weigh([rows], weight)


# For a model that writes; what `training.batching` gives to its collator follows from core.training.order.ORDERS.
COLLATORS: dict[str, Callable[[int], Any]] = {
    "grouped": Collator,
    "shuffled": Collator,
    "packed": JoinedCollator,
    "padding_free": OneSequence,
}


def by_length(rows: Sequence[Row], most_rows: int, most_numbers: int, width: int) -> list[list[int]]:
    """Indices of rows in batches of like length, longest first, for measuring.

    Args:
        most_rows: at most so many in a batch. most_numbers: at most so many numbers in its logits, whose last axis has
        `width` entries; a single row may have more.
    """
    batches: list[list[int]] = []
    lengths = lengths_of(rows)
    for i in sorted(range(len(rows)), key=lambda i: -lengths[i]):
        longest = lengths[batches[-1][0]] if batches else 0
        if batches and len(batches[-1]) < most_rows and (len(batches[-1]) + 1) * longest * width <= most_numbers:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches
