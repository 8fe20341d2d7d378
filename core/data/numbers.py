"""Columns of numbers: NaN is a missing value, and a number that is written in two ways (1 and 1.0) is one value.

Else a classification learns a class "NaN", and two classes for one number. Files get there by themselves: pandas turns
whole numbers into floats where a value is missing, and writes what is missing as NaN or "nan".
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.data.tables import TEXT, Table

NAN = ("NaN", "nan", "-nan")
NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
POINT_ZERO = r'^("?)(-?\d+)\.0+("?)$'  # the quotation marks are those of a text in JSON
FLAGS, BITS = ("true", "false"), ("0", "1")
LABEL_CHARS = 60  # a column of longer texts holds no labels


def one_spelling(table: Table, sample: list[dict[str, Any]]) -> Table:
    """The table with NaN as missing values and each number in one spelling; the same where there is nothing to change.

    Only columns of numbers are touched, whether they are JSON, Parquet or text (CSV), and columns of labels that hold
    "nan" among other words. 1.0 becomes 1 in a column that has both; one with 1.0 throughout stays as it is.
    """
    data, notes = table.data, list[str]()
    spelt = pa.array([*NAN, '"NaN"', '"nan"'], TEXT)  # the last two in JSON
    for place, name in enumerate(data.column_names):
        column = data.column(name)
        if name in table.json and (within := _within(column)):
            notes.append(f"NaN stands within {name!r} in {within:,} row{'s' * (within != 1)}: a missing value.")
        if pa.types.is_floating(column.type):
            missing = pc.is_nan(column)
        elif _may_hold(column.type, [row.get(name) for row in sample], name in table.json):
            missing = pc.is_in(column, spelt)
        else:
            continue
        if gone := pc.sum(missing).as_py():
            column = pc.if_else(missing, pa.scalar(None, column.type), column)
            notes.append(f"{name!r} is NaN in {gone:,} row{'s' * (gone != 1)}: a missing value.")
        if pa.types.is_large_string(column.type) and (both := _both(column)):
            for pattern, instead in ((POINT_ZERO, r"\1\2\3"), ('^("?)-0("?)$', r"\10\2")):
                column = pc.replace_substring_regex(column, pattern, instead)
            notes.append(
                f"Some numbers in {name!r} are written as {both[0]} and as {both[1]}: they are taken as one value."
            )
        if pa.types.is_large_string(column.type) and _flags_and_bits(column):
            notes.append(f"Some values of {name!r} are true or false, and others are 1 or 0: they are not the same.")
        if column is not data.column(name):
            data = data.set_column(place, name, column)
    return replace(table, data=data, notes=[*table.notes, *notes]) if notes else table


def _may_hold(kind: pa.DataType, sample: list[Any], as_json: bool) -> bool:
    """Whether a string column may hold numbers, or labels among which "nan" is a missing value."""
    if not pa.types.is_large_string(kind):
        return False
    values = [value for value in sample if value not in (None, "")]
    if as_json:
        return any(isinstance(value, int | float) for value in values)
    texts = [str(value) for value in values]
    plain = [text for text in texts if text not in NAN]
    numbers = pc.all(pc.match_substring_regex(pa.array(plain, TEXT), NUMBER)).as_py()
    few = max(map(len, texts), default=0) <= LABEL_CHARS and len(set(texts)) <= max(2, len(texts) // 4)
    return bool(texts) and bool(numbers or few)


def _within(column: pa.ChunkedArray) -> int:
    """How many values of a column in JSON are lists or objects that hold NaN; it is read as null (values.decoded)."""
    found: list[str] = []
    held = column.filter(pc.fill_null(pc.match_substring(column, "NaN"), False))
    tell = json.JSONDecoder(parse_constant=found.append)
    count = 0
    for text in held.filter(pc.match_substring_regex(held, r"^[\[{]")).to_pylist():
        found.clear()
        tell.decode(text)
        count += "NaN" in found
    return count


def _both(column: pa.ChunkedArray) -> tuple[str, str] | None:
    """The first whole number of a column that stands in it in two spellings, such as 1 and 1.0, or 1.0 and 1.00."""
    values = pc.unique(column)
    pointed = values.filter(pc.fill_null(pc.match_substring_regex(values, POINT_ZERO), False))
    if not len(pointed):
        return None
    known = set(values.to_pylist())
    seen: dict[str, str] = {}
    for text in (value.strip('"') for value in pointed.to_pylist()):
        whole = text.partition(".")[0]
        other = whole if known & {whole, f'"{whole}"'} else seen.setdefault(whole, text)
        if other != text:
            return min(other, text, key=len), max(other, text, key=len)
    return None


def _flags_and_bits(column: pa.ChunkedArray) -> bool:
    """Whether a column holds both true or false and 0 or 1, and little else."""
    known = pc.unique(column)
    few = set(known.to_pylist()) if len(known) <= 8 else set()
    return not few.isdisjoint(FLAGS) and not few.isdisjoint(BITS)
