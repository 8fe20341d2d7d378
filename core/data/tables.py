"""Rows in Arrow: text columns as they are, others as JSON text, so that mixed and nested values are kept exactly."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

BATCH = 5000  # rows that are Python values at a time


@dataclass
class Table:
    """The rows of a file.

    Attributes:
        data: an Arrow table; a column of text is a string column, any other holds JSON text (see `json`).
        columns: names, in the order of the file.
        json: names of the columns whose strings are JSON: numbers, lists, objects, or mixed types, kept exactly.
        notes: what a person should know of how the file was read.
        digest: sha256 of the file's bytes, in hex.
    """

    data: pa.Table
    columns: list[str]
    json: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    digest: str = ""


def collect(rows: Iterable[dict[str, Any]], columns: list[str] | None = None) -> Table:
    """Rows as an Arrow table, in batches. A column whose values are all text becomes a string column, others JSON."""
    names = dict.fromkeys(columns or [])
    as_json: set[str] = set()
    done: list[dict[str, pa.Array]] = []
    batch: list[dict[str, Any]] = []

    def flush() -> None:
        made = {}
        for name in names:
            values = [row.get(name) for row in batch]
            if name not in as_json and any(v is not None and not isinstance(v, str) for v in values):
                as_json.add(name)
                for chunk in done:
                    if name in chunk:
                        chunk[name] = pa.array([_dump(v) for v in chunk[name].to_pylist()], pa.large_string())
            made[name] = pa.array(map(_dump, values) if name in as_json else map(_whole, values), pa.large_string())
        done.append(made)
        batch.clear()

    for row in rows:
        for name in row:
            if name not in names:
                names[name] = None
        batch.append(row)
        if len(batch) >= BATCH:
            flush()
    if batch:
        flush()
    for chunk in done:
        size = len(next(iter(chunk.values()))) if chunk else 0
        for name in names:
            if name not in chunk:
                chunk[name] = pa.nulls(size, pa.large_string())
    arrays = {name: pa.chunked_array([chunk[name] for chunk in done], pa.large_string()) for name in names}
    return Table(pa.table(arrays), list(names), frozenset(as_json))


def _dump(value: Any) -> str | None:
    return None if value is None else _whole(json.dumps(value, ensure_ascii=False))


def _whole(text: str | None) -> str | None:
    r"""Text that UTF-8 can hold: half of a surrogate pair (JSON's "\ud83d") becomes the replacement character."""
    if text is None:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
