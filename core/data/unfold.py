"""Rows that hold a list of examples become one row for each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from core.data.column_names import LABELS, PAIRS, PREFERRED, PROMPTS, TALKS, TEXTS, TOOLS
from core.data.derived import derived
from core.data.files import listed
from core.data.recognise import Look, folded, keys_of
from core.data.rows import Rows
from core.data.tables import Table, collect
from core.data.turns import role_of
from core.errors import InputError

Row = dict[str, Any]
SEGMENTS = ("segments", "input_output")
_SPECIAL = re.compile(r"</?s>|<\|[^|>]+\|>|\[/?INST\]|<(?:start|end)_of_turn>|<[be]os>")
ANSWERED = (("instruction", "output"), *PAIRS, *PREFERRED)  # columns of which the second is an answer


def unfold(table: Table, sample: Sequence[Row]) -> Table:
    """The table with one row for each item of its list of examples; as it is where it has no such list.

    A list is taken for one of examples where it is the only column of flat objects in most rows, its items hold an
    answer (or a text and its label) by their names, and the row beside it does not: {"instruction": ..., "instances":
    [{"input": ..., "output": ...}]}. Conversations, tools, and lists that are an answer themselves stay whole.

    Args:
        sample: some of its rows.

    Raises:
        InputError: field "data.path"; an item of the list is no object.
    """
    if (shelf := _shelf(table, sample)) is not None:
        table = replace(derived("paragraphs", table.digest, lambda: _asked_about(table, shelf)), digest=table.digest)
        return table
    column = list_of_examples(table, sample)
    if column is None:
        return table
    made = derived(f"unfolded {column}", table.digest, lambda: _unfolded(table, column, sample))
    return replace(table, data=made.data, columns=made.columns, json=made.json, notes=[*table.notes, *made.notes])


def _shelf(table: Table, sample: Sequence[Row]) -> str | None:
    """The column of paragraphs with the questions about each, as SQuAD's own files keep them; else None."""
    column = Look(table.columns, []).named(("paragraphs",))
    values = [row.get(column) for row in sample] if column else []
    lists = [v for v in values if isinstance(v, list) and v and all(isinstance(p, dict) for p in v)]
    fits = all(isinstance(p.get("qas"), list) and "context" in p for paragraphs in lists for p in paragraphs)
    return column if 2 * len(lists) > len(values) and fits else None


def _asked_about(table: Table, column: str) -> Table:
    """A row for each question about each paragraph."""

    def rows() -> Iterator[Row]:
        for row in Rows(table.data, table.json):
            for paragraph in row.pop(column) or []:
                for asked in (paragraph.get("qas") or []) if isinstance(paragraph, dict) else []:
                    yield row | {"context": paragraph.get("context")} | (asked if isinstance(asked, dict) else {})

    made = collect(rows())
    made.notes = [
        *table.notes,
        f"Each question of {column!r} became a row of its own ({table.data.num_rows:,} rows -> "
        f"{made.data.num_rows:,}).",
    ]
    return made


def _unfolded(table: Table, column: str, sample: Sequence[Row]) -> Table:
    own = [c for c in table.columns if c != column]
    fields = dict.fromkeys(key for row in sample for item in _items(row, column) for key in item)
    names: dict[str, str] = {}
    for field in fields:
        _name(field, names, own, column)
    empty = 0

    def rows() -> Iterator[Row]:
        nonlocal empty
        for number, row in enumerate(Rows(table.data, table.json)):
            items = row.pop(column) or []
            empty += not items
            for item in items if isinstance(items, list) else [items]:
                if not isinstance(item, dict):
                    raise InputError(
                        f"Row {number}: {column!r} holds {str(item)[:40]!r} where an object with "
                        f"{', '.join(list(fields)[:4])} is expected.",
                        "data.path",
                    )
                yield row | {_name(key, names, own, column): value for key, value in item.items()}

    made = collect(rows(), [*own, *names.values()])
    made.notes.append(
        f"{column!r} is a list in each row: every item became a row of its own, with "
        f"{listed(list(names.values()))} beside the row's other columns ({table.data.num_rows:,} rows -> "
        f"{made.data.num_rows:,})."
    )
    if empty:
        made.notes.append(f"Left out: {empty:,} {'row' if empty == 1 else 'rows'} without any item in {column!r}.")
    return made


def list_of_examples(table: Table, sample: Sequence[Row]) -> str | None:
    """The column of a table that holds a list of examples, going by a sample of its rows; None where there is none."""
    nested = [c for c in table.columns if c in table.json or pa.types.is_nested(table.data.schema.field(c).type)]
    lists = [c for c in nested if _holds_lists([row.get(c) for row in sample])]
    if len(lists) != 1 or folded(lists[0]) in (*TALKS, *TOOLS):
        return None
    [column] = lists
    items = [item for row in sample for item in _items(row, column)]
    if are_segments(column, items):
        return None  # a text in pieces, which core.data.readable refuses
    if (keys := keys_of(items)) and any(role_of(item.get(keys["role"])) for item in items):
        return None
    own, fields = [c for c in table.columns if c != column], list(dict.fromkeys(key for item in items for key in item))
    if Look(own, []).both(ANSWERED):
        return None
    answer = Look([*own, *(f for f in fields if f not in own)], []).both(ANSWERED)
    if answer and answer[1] in fields:
        return column
    worded = any(isinstance(row[c], str) and " " in row[c].strip() for row in sample for c in own if c in row)
    inner, asked = Look(fields, []), Look(own, []).named((*PROMPTS, *TEXTS))
    return column if inner.named(TEXTS) and inner.named(LABELS) and not worded and not asked else None


def are_segments(column: str, items: Sequence[Any]) -> bool:
    """Whether items are pieces of one text that say each whether it is learned: by the column's name, or where special
    tokens are written out in the pieces."""
    if not items or not all(isinstance(item, dict) and {"label", "text"} <= item.keys() for item in items):
        return False
    flags = [str(item["label"]).strip().casefold() for item in items]
    if folded(column) in SEGMENTS:
        return {"true", "false", "0", "1"}.issuperset(flags)
    special = any(_SPECIAL.search(str(item["text"])) for item in items)
    return special and {"true", "false"}.issuperset(flags)


def _holds_lists(values: Sequence[Any]) -> bool:
    """Whether most of these are lists of flat objects, and not too many of them empty."""
    lists = [value for value in values if _is_list(value)]
    return 2 * len(lists) > len(values) and 4 * sum(map(bool, lists)) >= len(values)


def _is_list(value: Any) -> bool:
    """Whether this is a list of flat objects, or an empty one."""
    return isinstance(value, list) and all(
        isinstance(i, dict) and i and not any(isinstance(v, dict | list) for v in i.values()) for i in value
    )


def _items(row: Row, column: str) -> list[Row]:
    value = row.get(column)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _name(field: str, names: dict[str, str], own: Sequence[str], column: str) -> str:
    """The column of an item's field: its name, with the list's in front where the row has a column of that name."""
    if field not in names:
        name = field
        while name in own or name in names.values():
            name = f"{column}_{name}"
        names[field] = name
    return names[field]
