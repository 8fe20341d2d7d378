"""The order of the rows in an epoch, which seed and epoch alone decide, for each way to make batches.

So a resumed run is equal to one that was never interrupted, which with transformers' own group_by_length it is not
(measured: docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler

from core.data.encoded import Row
from core.data.lengths import STRETCH
from core.data.packing import pack


class Order(Sampler[Any]):
    """What a loader draws in each epoch: every row once, in an order of that epoch's own."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """
        Args:
            lengths: of the rows, in tokens. batch_size: rows of a batch. seed: with the epoch it decides alone.
        """
        self.lengths, self.batch_size, self.seed, self.epoch = [int(n) for n in lengths], batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the loader before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def over(self, rows: Sequence[Row]) -> Sequence[Any]:
        """The rows as the loader asks for them with what is drawn here."""
        return rows

    def alone(self, number: int) -> Any:
        """What would be drawn for one row by itself."""
        return number

    def _drawn(self) -> tuple[torch.Generator, list[int]]:
        """This epoch's chance, and the rows in random order."""
        chance = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        return chance, torch.randperm(len(self.lengths), generator=chance).tolist()


class ShuffledOrder(Order):
    """The rows in random order."""

    def __iter__(self) -> Iterator[int]:
        return iter(self._drawn()[1])


class GroupedOrder(Order):
    """Random stretches, sorted by length, cut into batches, the batches shuffled: rows of like length go together.

    A short last batch comes last, as the loader cuts the order into batches by counting.
    """

    def __iter__(self) -> Iterator[int]:
        chance, drawn = self._drawn()
        size, batches = self.batch_size, []
        for start in range(0, len(drawn), size * STRETCH):
            stretch = sorted(drawn[start : start + size * STRETCH], key=lambda i: -self.lengths[i])
            batches += [stretch[i : i + size] for i in range(0, len(stretch), size)]
        short = [b for b in batches if len(b) < size]
        full = [b for b in batches if len(b) == size]
        shuffled = [full[i] for i in torch.randperm(len(full), generator=chance).tolist()]
        return iter([i for batch in (*shuffled, *short) for i in batch])


class PackedOrder(Order):
    """Sequences in random order, each named by its rows, as wide as the longest row. Every epoch has as many."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        super().__init__(lengths, batch_size, seed)
        self.width = max(lengths)
        self._count = len(pack(self.lengths, self.width))

    def __len__(self) -> int:
        return self._count

    def over(self, rows: Sequence[Row]) -> Sequence[Any]:
        """Several rows at once."""
        return _Several(rows, self._count)

    def alone(self, number: int) -> tuple[int, ...]:
        """A sequence of one row."""
        return (number,)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        chance, drawn = self._drawn()
        packs = pack([self.lengths[i] for i in drawn], self.width)
        return iter([tuple(drawn[i] for i in packs[n]) for n in torch.randperm(len(packs), generator=chance).tolist()])


class _Several(Sequence[list[Row]]):
    """Rows asked for by tuples of their numbers."""

    def __init__(self, rows: Sequence[Row], places: int) -> None:
        self.rows, self.places = rows, places

    def __len__(self) -> int:
        return self.places

    def __getitem__(self, places: Any) -> Any:
        return [self.rows[i] for i in places]


# To add a way, write an entry here and one in core.training.batches.COLLATORS.
ORDERS: dict[str, Callable[[Sequence[int], int, int], Order]] = {
    "grouped": GroupedOrder,
    "shuffled": ShuffledOrder,
    "packed": PackedOrder,
    "padding_free": ShuffledOrder,
}
