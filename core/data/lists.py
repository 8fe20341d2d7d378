"""The lists of rows in one JSON object, such as train and val: which is read, and lists of plain values as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from core.data.column_names import LABELS, PAIRS, PREFERRED, TALKS, TEXTS, TWO_TEXTS
from core.data.recognise import folded
from core.errors import InputError, nearest

FIELD, SPLIT = "data.path", "data.split"
SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing", "eval", "evaluation", "heldout"),
}
HEADERS = ("columns", "header", "fields", "column_names", "headers")
UNDER = ("data", "splits", "dataset", "datasets")  # what an object of splits may stand under
_KNOWN = {*TEXTS, *LABELS, *TALKS, *(name for pair in (*PAIRS, *PREFERRED, *TWO_TEXTS) for name in pair), "id"}

Row = dict[str, Any]


def split_named(name: str) -> str | None:
    """train, validation or test, where a list has such a name; else None."""
    return next((split for split, names in SPLITS.items() if name.strip().casefold() in names), None)


def wanted(names: Sequence[str], part: str | None, file: str, empty: Sequence[str] = ()) -> tuple[str, list[str]]:
    """Which of several lists of rows is read, and notes.

    Args:
        names: of the lists. part: that of the one to read, or of its split; None: the one to train on.
        file: for people. empty: the names of lists without rows.

    Raises:
        InputError: field "data.split": there is no such list; field "data.path": none is named for training, or the
            one that is has no rows.
    """
    if part is not None:
        found = next((n for n in names if n == part), None) or next(
            (n for n in names if split_named(n) == (split_named(part) or "")), None
        )
        if found is None:
            near = nearest(part, names)
            hint = f" Did you mean {near!r}?" if near else ""
            raise InputError(f"There is no split {part!r} in {file}.{hint} There is {_and(names)}.", SPLIT)
        return found, [f"The rows are those under {found!r}."]
    found = next((n for n in names if split_named(n) == "train"), names[0])
    others = [n for n in names if n != found]
    if split_named(found) != "train" and (bare := next((n for n in empty if split_named(n) == "train"), None)):
        raise InputError(
            f"{bare!r} in {file} is empty: there are no rows to train on. There is {_and(names)}: data.split takes it.",
            FIELD,
        )
    if others and split_named(found) != "train":
        raise InputError(
            f"{file} holds several lists of rows ({_and(names)}): say with data.split which is meant, such as "
            f"{names[0]}, or keep the one with the examples.",
            FIELD,
        )
    are = "is" if len(others) == 1 else "are"
    also = f" There {are} {_and(others)} too: data.split takes another." if others else ""
    return found, [f"The rows are those under {found!r}.{also}"]


def lists_in(value: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The lists of rows in an object, by name: of objects, or of lists of plain values where there is a list of column
    names beside, or one of them has a split's name; also {"columns": [...], "data": [...]} and an object of columns
    under a split's name.

    Raises:
        InputError: field "data.path"; rows of plain values that are not equally long.
    """
    header = next((list(value[k]) for k in HEADERS if k in value and _names(value[k])), None)
    parted = any(split_named(key) for key in value)
    found: dict[str, list[Row]] = {}
    for key, inner in value.items():
        if key in HEADERS and header == inner:
            continue
        own = header
        if isinstance(inner, dict) and split_named(key):
            own = next((list(inner[k]) for k in HEADERS if k in inner and _names(inner[k])), header)
            rows = next((v for k, v in inner.items() if k not in HEADERS and _is_table(v)), None)
            inner = _by_columns(inner) if rows is None else rows
        if isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner):
            found[key] = inner
        elif _is_table(inner) and (own is not None or parted):
            found[key] = list(as_rows(inner, own, key))
    if found:
        return found
    under = [v for k, v in value.items() if k in UNDER and isinstance(v, dict) and any(map(split_named, v))]
    return lists_in(under[0]) if len(under) == 1 else {}


def empty_in(value: Mapping[str, Any]) -> list[str]:
    """The names of the empty lists in an object, and in what stands under one of UNDER."""
    inner = [v for k, v in value.items() if k in UNDER and isinstance(v, dict)]
    return [k for held in (value, *inner) for k, v in held.items() if v == []]


def _names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _is_table(value: Any) -> bool:
    """Whether this is a list of lists of plain values."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(row, list) and row and not any(isinstance(v, dict) for v in row) for row in value)
    )


def _by_columns(value: Mapping[str, Any]) -> list[Row] | None:
    """Rows from an object of equally long lists."""
    if not value or not all(isinstance(v, list) for v in value.values()) or len({len(v) for v in value.values()}) > 1:
        return None
    return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]


def as_rows(lists: Iterable[Sequence[Any]], header: Sequence[str] | None, key: str) -> Iterator[Row]:
    """Lists of plain values as rows. Without a header the first is one where it holds the names that columns have; else
    the columns are column_1, column_2 and so on.

    Raises:
        InputError: field "data.path"; a list is longer or shorter than there are columns.
    """
    names, number = list(header or ()), 0
    for values in lists:
        if not names:
            told = is_header(values)
            names = [str(v).strip() for v in values] if told else [f"column_{i}" for i in range(1, len(values) + 1)]
            if told:
                continue
        if not isinstance(values, list) or len(values) != len(names):
            many = f"{len(values)} values" if isinstance(values, list) else "no list of values"
            raise InputError(
                f"Row {number} of {key!r} has {many}, but there are {len(names)} columns: {', '.join(names[:6])}.",
                FIELD,
            )
        yield dict(zip(names, values, strict=True))
        number += 1


def is_header(values: Sequence[Any]) -> bool:
    """Whether a list of values names columns: short texts, all different, one of them a name that columns have."""
    texts = [v.strip() for v in values if isinstance(v, str)]
    if len(texts) < len(values) or len({folded(t) for t in texts}) < len(texts) or max(map(len, texts)) > 40:
        return False
    return any(folded(text) in _KNOWN for text in texts)


def _and(names: Sequence[str]) -> str:
    shown = [repr(" ".join(n.split())[:40]) for n in names[:6]] + (["others"] if len(names) > 6 else [])
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else "".join(shown)
