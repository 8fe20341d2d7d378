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

    A null is Arrow's where the arguments of all calls have the same names whatever is called, and one of them is null
    in every call of one tool and has a value in a call of another. All other nulls of JSON were written by somebody.
    A file in columns (Parquet) cannot tell the two apart: see `core.data.rows`.

    Args:
        columns: of the rows. sample: some of them.
    """
    found = tuple(column for column in columns if _is_padded(_calls(row.get(column) for row in sample)))
    if not found:
        return None
    tools = [c for c in columns if c not in found and any(_is_tools(row.get(c)) for row in sample)]
    return Unpad((*found, *tools))


def _is_padded(calls: Iterable[tuple[str, dict[str, Any]]]) -> bool:
    filled: dict[str, set[str]] = {}  # tool -> arguments that have a value in one of its calls
    names: tuple[str, ...] | None = None
    for tool, given in calls:
        if names is not None and tuple(given) != names:
            return False
        names = tuple(given)
        filled.setdefault(tool, set()).update(name for name, value in given.items() if value is not None)
    used = set().union(*filled.values())
    return len(filled) > 1 and any(have != used for have in filled.values())


def _calls(values: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The calls in values, at any depth: the name of the tool, and the arguments where they are an object."""
    waiting = [_opened(value) for value in values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            given = next((value[k] for k in ARGUMENTS if isinstance(value.get(k), dict)), None)
            if given and isinstance(value.get("name"), str) and "description" not in value:
                yield value["name"], given
            else:
                waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _opened(value: Any) -> Any:
    return turns_of(value) or parsed(value)


def _is_tools(value: Any) -> bool:
    value = parsed(value)
    first = value[0] if isinstance(value, list) and value else None
    return (
        isinstance(first, dict)
        and isinstance((first.get("function") or first), dict)
        and "parameters" in (first.get("function") or first)
    )
