"""Nulls that Arrow filled in before a file was written as JSON: every call has the arguments of all the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.data.calls import ARGUMENTS
from core.data.turns import turns_of
from core.data.values import parsed, without_nulls


@dataclass(frozen=True)
class Unpad:
    """An edit of rows: takes the null members out of some columns."""

    columns: tuple[str, ...]

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row without them."""
        return row | {c: without_nulls(_opened(row[c])) for c in self.columns if row.get(c) is not None}


def padded(columns: Sequence[str], sample: Sequence[dict[str, Any]]) -> Unpad | None:
    """The edit that takes such nulls out of rows; None where there are none.

    A null is Arrow's where the arguments of all calls have the same names whatever is called, and one of them has no
    value in any call of a tool, which does not name it among its parameters. All other nulls of JSON were written by
    somebody. A file in columns (Parquet) cannot tell the two apart: see `core.data.rows`.

    Args:
        columns: of the rows. sample: some of them.
    """
    opened = {column: [_opened(row.get(column)) for row in sample] for column in columns}
    tools = {column: dict(_tools(values)) for column, values in opened.items()}
    declared = {name: names for some in tools.values() for name, names in some.items()}
    found = [column for column, values in opened.items() if _is_padded(_calls(values), declared)]
    return Unpad((*found, *(c for c in columns if tools[c] and c not in found))) if found else None


def _is_padded(calls: Iterable[tuple[str, dict[str, Any]]], declared: dict[str, set[str]]) -> bool:
    filled: dict[str, set[str]] = {}  # tool -> arguments that have a value in one of its calls
    names: tuple[str, ...] | None = None
    count = 0
    for count, (tool, given) in enumerate(calls, 1):  # noqa: B007 - how many there are is asked below
        if names is not None and tuple(given) != names:
            return False
        names = tuple(given)
        filled.setdefault(tool, set()).update(name for name, value in given.items() if value is not None)
    lacking = (set(names or ()) - have - declared.get(tool, set()) for tool, have in filled.items())
    return count > 1 and any(lacking)


def _calls(values: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The calls in values, at any depth: the name of the tool, and the arguments where they are an object."""
    for value in _objects(values):
        given = next((value[k] for k in ARGUMENTS if isinstance(value.get(k), dict)), None)
        if given and isinstance(value.get("name"), str) and "properties" not in given and "description" not in value:
            yield value["name"], given


def _tools(values: Iterable[Any]) -> Iterator[tuple[str, set[str]]]:
    """The tools in values: the name of each, and those of its parameters."""
    for value in _objects(values):
        schema = value.get("parameters") or value.get("input_schema")
        if isinstance(value.get("name"), str) and isinstance(schema, dict):
            if isinstance(named := schema.get("properties"), dict):
                yield value["name"], {name for name, what in named.items() if what is not None}


def _objects(values: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The objects in values, at any depth."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _opened(value: Any) -> Any:
    return turns_of(value) or parsed(value)
