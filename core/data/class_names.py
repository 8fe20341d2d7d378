"""Numbers that stand for names, as labels and tags in Parquet files that `datasets` wrote: names take their place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from core.data.entities import tag_names
from core.data.tables import TEXT, Table


def name_classes(table: Table, sample: list[dict[str, Any]]) -> Table:
    """The table with each column of class numbers, or of lists of them, as their names; the same where there is none.

    A number without a name, such as -1 for a hidden label, is a missing value.
    """
    data, named = table.data, list[str]()
    for place, name in enumerate(data.column_names):
        column = data.column(name)
        listed = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
        inner = column.type.value_type if listed else column.type
        if not pa.types.is_integer(inner) or not (names := tag_names(data.schema, name)):
            continue
        array = pa.array([*names, None], TEXT)
        chunks = [_lists(chunk, array) if listed else _named(chunk, array) for chunk in column.chunks]
        data = data.set_column(place, name, pa.chunked_array(chunks, pa.large_list(TEXT) if listed else TEXT))
        named.append(name)
    if not named:
        return table
    words = " and ".join(repr(name) for name in named)
    return replace(table, data=data, notes=[*table.notes, f"The numbers in {words} are shown by their names."])


def _named(numbers: pa.Array, names: pa.Array) -> pa.Array:
    """The names of numbers; the last of `names` stands for those that have none."""
    given, most = numbers.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), len(names) - 1
    return names.take(pa.array(np.where((given >= 0) & (given < most), given, most)))


def _lists(lists: pa.Array, names: pa.Array) -> pa.Array:
    """Lists of numbers as lists of their names."""
    offsets = pa.array(lists.offsets.to_numpy(), pa.int64())
    mask = pa.array(lists.is_null().to_numpy(zero_copy_only=False))
    return pa.LargeListArray.from_arrays(offsets, _named(lists.values, names), mask=mask)
