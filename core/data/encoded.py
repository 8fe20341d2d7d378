"""Encoded rows in little room: the ids of all rows in one flat array; a row becomes lists when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np

TEXTS = ("input_ids", "second_input_ids")  # of a row
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


class EncodedTexts(Sequence[dict[str, Any]]):
    """Rows of several texts, and of numbers beside them. Row 3 is {name: list of ids, ..., name: number, ...}.

    Attributes:
        texts: name -> the ids of all rows, one row after another, int32, and offsets as those of EncodedRows.
        numbers: name -> one number a row.
    """

    def __init__(
        self, texts: Mapping[str, Sequence[Sequence[int]]], numbers: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        self.texts = {name: _flat(rows) for name, rows in texts.items()}
        self.numbers = {name: np.asarray(values) for name, values in (numbers or {}).items()}

    def __len__(self) -> int:
        return len(next(iter(self.texts.values()))[1]) - 1

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        row: dict[str, Any] = {
            name: ids[offsets[at] : offsets[at + 1]].tolist() for name, (ids, offsets) in self.texts.items()
        }
        return row | {name: values[at].item() for name, values in self.numbers.items()}

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of the longest text of each row, int64."""
        return np.max([np.diff(offsets) for _, offsets in self.texts.values()], axis=0)


class Sides(Sequence[Row]):
    """Rows whose tokens with labels are answers: row 3 is {"input_ids", "labels"}, each of its own length."""

    def __init__(self, rows: EncodedRows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self.rows[index]
        at = sum(label == IGNORED for label in row["labels"])
        return {"input_ids": row["input_ids"][:at], "labels": row["input_ids"][at:]}

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, both sides, int64."""
        return self.rows.lengths


def _flat(rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """The ids of all rows, and where each begins; the last is where they end."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int64)
    ids = np.fromiter((i for row in rows for i in row), np.int32, int(offsets[-1]))
    return ids, offsets


def lengths_of(rows: Sequence[dict[str, Any]]) -> list[int]:
    """Tokens of each row, whatever holds them; of several texts that are compared those of the longest."""
    if isinstance(rows, (EncodedRows, EncodedTexts, Sides)):
        return list(rows.lengths.tolist())
    return [max(len(row[name]) for name in TEXTS if name in row) for row in rows]
