"""Numbers that stand for names, as the labels in Parquet files that `datasets` wrote: the names take their place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from core.data.entities import tag_names
from core.data.tables import TEXT, Table


def name_classes(table: Table, sample: list[dict[str, Any]]) -> Table:
    """The table with each column of class numbers as their names; the same table where there is none.

    A number without a name, such as -1 for a hidden label, is a missing value.
    """
    data, named = table.data, list[str]()
    for place, name in enumerate(data.column_names):
        column = data.column(name)
        if not pa.types.is_integer(column.type) or not (names := tag_names(data.schema, name)):
            continue
        array = pa.array([*names, None], TEXT)
        chunks = []
        for chunk in column.chunks:
            numbers = chunk.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
            known = (numbers >= 0) & (numbers < len(names))
            chunks.append(array.take(pa.array(np.where(known, numbers, len(names)))))
        data = data.set_column(place, name, pa.chunked_array(chunks, TEXT))
        named.append(name)
    if not named:
        return table
    words = " and ".join(repr(name) for name in named)
    return replace(table, data=data, notes=[*table.notes, f"The numbers in {words} are shown by their names."])
