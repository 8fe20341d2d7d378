"""Encoded rows in little room: the ids of all rows in one flat array; a row becomes lists when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np

IGNORED = -100  # a label that torch's cross-entropy leaves out

Row = dict[str, list[int]]


class EncodedRows(Sequence[Row]):
    """Row 3 is {"input_ids", "labels"}. Five bytes a token; lists of Python numbers take about forty.

    Attributes:
        ids: the tokens of all rows, one row after another, int32.
        trained: which of them carry loss, bool.
        offsets: row i is ids[offsets[i]:offsets[i + 1]]; one more than there are rows, int64.
    """

    def __init__(self, ids: np.ndarray, trained: np.ndarray, offsets: np.ndarray) -> None:
        self.ids, self.trained, self.offsets = ids, trained, offsets

    @classmethod
    def none(cls) -> EncodedRows:
        """No rows."""
        return cls(np.empty(0, np.int32), np.empty(0, np.bool_), np.zeros(1, np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        start, stop = self.offsets[at], self.offsets[at + 1]
        ids = self.ids[start:stop]
        return {"input_ids": ids.tolist(), "labels": np.where(self.trained[start:stop], ids, IGNORED).tolist()}

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64."""
        return np.diff(self.offsets)


def lengths_of(rows: Sequence[Row]) -> list[int]:
    """Tokens of each row, whatever holds them."""
    if isinstance(rows, EncodedRows):
        return list(rows.lengths.tolist())
    return [len(row["input_ids"]) for row in rows]
