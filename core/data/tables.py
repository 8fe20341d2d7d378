"""Rows in Arrow: text columns as they are, others as JSON text, so that mixed and nested values are kept exactly."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from core.data.values import whole
from core.errors import InputError

if TYPE_CHECKING:
    from core.data.store import Spill

BATCH_BYTES = 8 << 20  # about what a batch of rows takes
BATCH_ROWS = 50_000
BATCH_CELLS = 1_000_000
STEP = 64  # rows that are Python values at a time
SPILL_BYTES = 64 << 20  # tables above it go to the disk
MOST_COLUMNS = 2000
TEXT = pa.large_string()
TEXTS = {str, type(None)}
SCALARS = {int, float, bool, type(None)}


@dataclass
class Table:
    """The rows of a file.

    Attributes:
        data: an Arrow table, in memory or mapped; a column of text is a string column, any other holds JSON text (see
            `json`).
        columns: names, in the order of the file.
        json: names of the columns whose strings are JSON: numbers, lists, objects, or mixed types, kept exactly.
        notes: what a person should know of how the file was read.
        digest: sha256 of the file's bytes, in hex.
        spill: where the rows lie that are too many for memory, until they are kept (core.data.store).
        made: columns that were made here -> those that they follow from.
        lists: the lists of rows that a JSON file holds, by name, where it holds several (core.data.parts).
    """

    data: pa.Table
    columns: list[str]
    json: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    digest: str = ""
    spill: Spill | None = None
    made: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lists: tuple[str, ...] = ()


class Collector:
    """Rows become a table, batch by batch; above SPILL_BYTES they go to the disk.

    A column whose values are all text is a string column, others are JSON text; one that turns from one to the other,
    or appears late, does so for the rows before, too.
    """

    def __init__(self, columns: Iterable[str] = ()) -> None:
        self.names: dict[str, list[Any]] = {name: [] for name in columns}
        self.as_json: set[str] = set()
        self._count = self._size = 0  # of the rows that wait
        self._made: list[tuple[pa.RecordBatch, frozenset[str]]] = []
        self._bytes = 0
        self._spill: Spill | None = None
        self._spilled: dict[int, frozenset[str]] = {}  # part -> which of its columns are JSON

    def add(self, rows: Sequence[dict[str, Any]], size: int, plain: bool = False) -> None:
        """Add rows.

        Args:
            size: about how many bytes they are.
            plain: whether the values are such as orjson has read, which it writes faster.
        """
        for place, row in enumerate(rows):
            if not row.keys() <= self.names.keys():
                rows = [*rows[:place], row := _named(row), *rows[place + 1 :]]
                for name in row:
                    if name not in self.names:
                        self._name(name)
        for name, waiting in self.names.items():
            values = [row.get(name) for row in rows]
            if name not in self.as_json:
                if TEXTS.issuperset(map(type, values)):
                    waiting.extend(values)
                    continue
                self.as_json.add(name)
                waiting[:] = map(_dump, waiting)
            waiting.extend(_dumped(values) if plain else map(_dump, values))
        self._count += len(rows)
        self._size += size
        if self._size >= BATCH_BYTES or self._count >= BATCH_ROWS or self._count * len(self.names) >= BATCH_CELLS:
            self._flush()

    def add_columns(self, columns: dict[str, pa.Array], as_json: Iterable[str] = ()) -> None:
        """Add rows that are in Arrow already: strings, and JSON text in the columns that are named or are JSON here."""
        self._flush()
        for name in columns:
            if name not in self.names:
                self._name(name)
        self.as_json.update(as_json)
        self._put(columns, len(next(iter(columns.values()))))

    def finish(self) -> Table:
        """The table."""
        self._flush()
        as_json = frozenset(self.as_json)
        if self._spill is None:
            batches = [self._fitted(batch, known) for batch, known in self._made]
            if not self.names:
                return Table(pa.table({}), [])
            schema = pa.schema([(name, TEXT) for name in self.names])
            return Table(pa.Table.from_batches(batches, schema), list(self.names), as_json)
        self._spill.close()
        for part, known in self._spilled.items():
            if known != as_json or self._widths[part] != len(self.names):
                self._spill.rewrite(part, lambda batch, known=known: self._fitted(batch, known))  # type: ignore[misc]
        return Table(self._spill.table(), list(self.names), as_json, spill=self._spill)

    def _name(self, name: str) -> None:
        if len(self.names) >= MOST_COLUMNS:
            raise InputError(
                f"There are more than {MOST_COLUMNS:,} columns; at most so many can be read. Are rows and columns "
                "swapped, or do names stand where values should?",
                "data.path",
            )
        self.names[name] = [None] * self._count

    def _flush(self) -> None:
        if not self._count or not self.names:  # rows without a single name wait for one
            return
        made = {name: _array(values, name in self.as_json) for name, values in self.names.items()}
        count, self._count, self._size = self._count, 0, 0
        for values in self.names.values():
            values.clear()
        self._put(made, count)

    def _put(self, columns: dict[str, pa.Array], count: int) -> None:
        arrays = [columns[name] if name in columns else pa.nulls(count, TEXT) for name in self.names]
        batch, known = pa.RecordBatch.from_arrays(arrays, list(self.names)), frozenset(self.as_json)
        self._bytes += batch.nbytes
        if self._spill is None:
            self._made.append((batch, known))
            if self._bytes < SPILL_BYTES:
                return
            from core.data.store import Spill

            self._spill = Spill()
            self._widths: dict[int, int] = {}
            for made in self._made:
                self._write(*made)
            self._made.clear()
        else:
            self._write(batch, known)

    def _write(self, batch: pa.RecordBatch, known: frozenset[str]) -> None:
        assert self._spill is not None  # noqa: S101 - only called when there is one
        last = next(reversed(self._spilled), None)
        if last is not None and self._spilled[last] != known:
            self._spill.close()
        part = self._spill.write(batch)
        self._spilled[part], self._widths[part] = known, batch.num_columns

    def _fitted(self, batch: pa.RecordBatch, known: frozenset[str]) -> pa.RecordBatch:
        """A batch as the whole table has it: columns that came later are empty, text that is JSON by now is quoted."""
        arrays = []
        for name in self.names:
            if name not in batch.schema.names:
                arrays.append(pa.nulls(batch.num_rows, TEXT))
            elif name in self.as_json and name not in known:
                arrays.append(_array(list(map(_dump, batch.column(name).to_pylist())), True))
            else:
                arrays.append(batch.column(name))
        return pa.RecordBatch.from_arrays(arrays, list(self.names))


def collect(rows: Iterable[dict[str, Any]], columns: list[str] | None = None) -> Table:
    """Rows as a table (see Collector)."""
    collector, rows = Collector(columns or ()), iter(rows)
    while some := list(itertools.islice(rows, STEP)):
        collector.add(some, sum(map(weight, some)))
    return collector.finish()


def weight(value: Any) -> int:
    """About how many bytes a value takes."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(weight, value.values()))
    return sum(map(weight, value)) if isinstance(value, list) else 8


def _array(values: list[Any], as_json: bool) -> pa.Array:
    if as_json:
        return pa.array(values, pa.large_binary()).view(TEXT)
    try:
        return pa.array(values, TEXT)
    except UnicodeEncodeError:
        return pa.array([None if value is None else whole(value) for value in values], TEXT)


def _named(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose columns have names that UTF-8 can hold."""
    named = {whole(name): value for name, value in row.items()}
    if len(named) < len(row):
        raise InputError("Two columns have names that differ only in characters that cannot be read.", "data.path")
    return named


def _dumped(values: list[Any]) -> list[Any]:
    """Each value as JSON; joined and cut again, since a text of orjson's own keeps a kilobyte however short it is."""
    if SCALARS.issuperset(map(type, values)):
        texts = orjson.dumps(values)[1:-1].split(b",")
    else:
        texts = b"\n".join(map(orjson.dumps, values)).split(b"\n")
    return [None if value is None else text for value, text in zip(values, texts, strict=True)]


def _dump(value: Any) -> bytes | None:
    return None if value is None else whole(json.dumps(value, ensure_ascii=False)).encode("utf-8")
