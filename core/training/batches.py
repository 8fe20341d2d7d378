"""Batches: rows of like length together, in an order that only seed and epoch decide, padded to their longest row.

Length grouping takes 11 times the supervised tokens of padding to 512 through a CPU, against 6 times for padding to the
longest of a random batch; and an order that is a function of (seed, epoch) makes a resumed run equal to one that was
never interrupted, which transformers' own group_by_length does not (both measured: docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

from core.data.encoded import IGNORED, Row, lengths_of
from core.data.lengths import STRETCH


class GroupedOrder(Sampler[int]):
    """The order of the rows in an epoch: random stretches, sorted by length, cut into batches, the batches shuffled.

    A short last batch comes last, as the loader cuts the order into batches by counting.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = list(lengths), batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the loader before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        chance = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        drawn = torch.randperm(len(self.lengths), generator=chance).tolist()
        size, batches = self.batch_size, []
        for start in range(0, len(drawn), size * STRETCH):
            stretch = sorted(drawn[start : start + size * STRETCH], key=lambda i: -self.lengths[i])
            batches += [stretch[i : i + size] for i in range(0, len(stretch), size)]
        short = [b for b in batches if len(b) < size]
        full = [b for b in batches if len(b) == size]
        shuffled = [full[i] for i in torch.randperm(len(full), generator=chance).tolist()]
        return iter([i for batch in (*shuffled, *short) for i in batch])


class Collator:
    """Rows -> tensors (rows, longest): input_ids filled up with `pad`, attention_mask, labels filled up with -100."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
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
