"""Several files as one table: their rows one after another, their columns united."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from core.data.derived import derived
from core.data.files import listed
from core.data.rows import Rows
from core.data.tables import Table, collect


def read_all(files: Sequence[Path], read: Callable[[Path], Table]) -> Table:
    """The rows of these files in one table, in this order; tables whose columns agree are joined without a copy.

    Args:
        read: makes a file's table.

    Raises:
        InputError: of a file that cannot be read; it names the file.
    """
    tables = [read(file) for file in files]
    if len(tables) == 1:
        return tables[0]
    columns = list(dict.fromkeys(name for table in tables for name in table.columns))
    digest = hashlib.sha256("".join(t.digest for t in tables).encode()).hexdigest()
    if _agree(tables):
        data = pa.concat_tables([t.data for t in tables], promote_options="default").select(columns)
        joined = Table(data, columns, frozenset().union(*(t.json for t in tables)))
    else:
        rows = itertools.chain.from_iterable(Rows(t.data, t.json) for t in tables)
        joined = derived("joined", digest, lambda: collect(rows, columns))
    names = [file.name for file in files]
    notes = [*_notes(names, tables), *_differences(names, tables, columns)]
    lists = tables[0].lists if all(t.lists == tables[0].lists for t in tables) else ()
    return Table(joined.data, columns, joined.json, notes, digest, lists=lists)


def _agree(tables: Sequence[Table]) -> bool:
    """Whether each column has one type in all tables that have it."""
    types: dict[str, set[tuple[pa.DataType, bool]]] = {}
    for table in tables:
        for field in table.data.schema:
            types.setdefault(field.name, set()).add((field.type, field.name in table.json))
    return all(len(found) == 1 for found in types.values())


def _notes(names: Sequence[str], tables: Sequence[Table]) -> list[str]:
    """What was said of each file: once where it holds for all, else with the file's name."""
    said: dict[str, list[str]] = {}
    for name, table in zip(names, tables, strict=True):
        for note in table.notes:
            said.setdefault(note, []).append(name)
    return [
        *[f"{len(names):,} files, read one after another: {_shown(names)}."],
        *[note if len(where) == len(names) else f"{_shown(where)}: {note}" for note, where in said.items()],
    ]


def _differences(names: Sequence[str], tables: Sequence[Table], columns: Sequence[str]) -> list[str]:
    """A sentence for each column that some files lack."""
    notes = []
    for column in columns:
        lack = [name for name, table in zip(names, tables, strict=True) if column not in table.columns]
        if lack:
            notes.append(
                f"{_shown(lack)} {'has' if len(lack) == 1 else 'have'} no column {column!r}: it is empty there."
            )
    return notes


def _shown(names: Sequence[str]) -> str:
    return listed(names if len(names) <= 4 else [*names[:3], f"{len(names) - 3:,} more"])
