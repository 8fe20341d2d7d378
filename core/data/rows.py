"""Rows as a view of an Arrow table: some of its rows, in an order, perhaps mended; only what is asked for is read."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa

from core.data.mapped import TOUCH, was_read
from core.data.values import decoded

MANY, RUN = 100_000, 10  # above so many rows a sample is made of runs of so many
PAGE = 256  # rows that are turned into Python values at once

Edit = Callable[[dict[str, Any]], dict[str, Any]]


class Rows(Sequence[dict[str, Any]]):
    """Row 3 is a dict, rows 3:9 are Rows: a view of the same table, which may lie memory-mapped on the disk.

    Attributes:
        data: the table; all of it, whatever the view.
        as_json: names of its columns whose strings are JSON.
        order: which rows of the table this view has, in its order; None: all of them.
        edits: what each row goes through when it is read, in this order.
    """

    def __init__(
        self,
        data: pa.Table,
        as_json: frozenset[str] = frozenset(),
        order: np.ndarray | None = None,
        edits: tuple[Edit, ...] = (),
    ) -> None:
        self.data, self.as_json, self.order, self.edits = data, as_json, order, edits

    def __len__(self) -> int:
        return int(self.data.num_rows if self.order is None else len(self.order))

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | Rows:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return self._view(np.arange(start, stop, step) if self.order is None else self.order[index])
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return self._read(at, at + 1)[0]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for start in range(0, len(self), PAGE):
            yield from self._read(start, min(start + PAGE, len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: the rows of this view alone, where Arrow would send all of the table."""
        own = gather(self.data, self.places())
        return Rows, (own, self.as_json, None, self.edits)

    def take(self, indices: Sequence[int] | np.ndarray) -> Rows:
        """The rows of these positions, in this order."""
        return self._view(self.places()[np.asarray(indices, dtype=np.int64)])

    def spaced(self, count: int) -> Rows:
        """At most `count` rows, evenly spaced; of many rows in runs, so that few pages of a mapped file are touched."""
        run = RUN if len(self) > MANY else 1
        step = max(1.0, len(self) / count)
        return self.take([int(i // run * run * step) + i % run for i in range(min(count, len(self)))])

    def edited(self, *edits: Edit) -> Rows:
        """The same rows, each put through these functions when it is read."""
        return Rows(self.data, self.as_json, self.order, (*self.edits, *edits))

    def places(self) -> np.ndarray:
        """Which rows of the table these are, in their order."""
        return np.arange(self.data.num_rows) if self.order is None else self.order

    def _view(self, places: np.ndarray) -> Rows:
        return Rows(self.data, self.as_json, places, self.edits)

    def _read(self, start: int, stop: int) -> list[dict[str, Any]]:
        if self.order is None:
            data, touched = self.data.slice(start, stop - start), 0
        else:
            places = self.order[start:stop]
            first, last = int(places[0]), int(places[-1])
            whole = last - first == len(places) - 1 and bool((np.diff(places) == 1).all())
            data, touched = (
                (self.data.slice(first, len(places)), 0) if whole else (gather(self.data, places), len(places) * TOUCH)
            )
        rows = self._plain(data)
        was_read(touched or data.nbytes)
        for edit in self.edits:
            rows = [edit(row) for row in rows]
        return rows

    def _plain(self, data: pa.Table) -> list[dict[str, Any]]:
        columns = {}
        for name in data.column_names:
            values = data.column(name).to_pylist()
            if name in self.as_json:
                values = [None if v is None else decoded(v) for v in values]
            elif not pa.types.is_large_string(data.schema.field(name).type):
                values = [_plain_value(v) for v in values]
            columns[name] = values
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def gather(data: pa.Table, places: np.ndarray) -> pa.Table:
    """The rows of these numbers: chunk by chunk, where Table.take joins all chunks first, with all that they hold."""
    starts: np.ndarray = np.cumsum([0, *(len(chunk) for chunk in data.column(0).chunks)])
    if len(starts) <= 2:
        return data.take(pa.array(places, pa.int64()))
    order = np.argsort(places, kind="stable")
    wanted = places[order]
    chunks = np.asarray(np.searchsorted(starts, wanted, side="right")) - 1
    edges = np.flatnonzero(np.diff(chunks, prepend=-1, append=len(starts)))
    parts = []
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        start, stop = starts[chunks[first]], starts[chunks[first] + 1]
        parts.append(data.slice(start, stop - start).take(pa.array(wanted[first:last] - start, pa.int64())))
    back: np.ndarray = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_tables(parts).take(pa.array(back)) if parts else data.slice(0, 0)


def _plain_value(value: Any) -> Any:
    """A Parquet value as JSON knows it: dates as ISO text, bytes by their size.

    A column's structs all have the same members, so that a null among them is no more than one that others have. NaN
    is null, too.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return None if value != value else value
    if isinstance(value, bytes | bytearray):
        return f"({len(value)} bytes)"
    if isinstance(value, dict):
        return {str(k): made for k, v in value.items() if (made := _plain_value(v)) is not None}
    if isinstance(value, list | tuple):
        return [_plain_value(v) for v in value]
    return value.isoformat() if isinstance(value, (datetime.date, datetime.time)) else str(value)
