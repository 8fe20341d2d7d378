"""How often each label occurs among the rows to train on and those kept back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.data.formats import answer_column
from core.data.rows import Rows
from core.data.sources import Source
from core.data.split import Split
from core.data.turns import as_text


@dataclass(frozen=True)
class LabelCount:
    """One label, and how many rows have it on either side of the split."""

    label: str
    train: int
    kept: int


def count_labels(rows: Rows, parts: Split, column: str) -> list[LabelCount]:
    """Every label of a column, the most frequent first; from Arrow, so that a million rows take a moment.

    Args:
        rows: the rows. parts: their split. column: one of their columns; a missing value is the label "".
    """
    values = rows.data.column(column).combine_chunks()
    if pa.types.is_nested(values.type) or rows.edits:
        values = pa.array([as_text(row.get(column)) for row in rows], pa.large_string())
        places = np.arange(len(rows))
    else:
        values, places = pc.fill_null(pc.cast(values, pa.large_string()), ""), rows.places()
    encoded = pc.dictionary_encode(values)
    names, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()[places]
    if column in rows.as_json and not rows.edits:
        names = [as_text(json.loads(name)) if name else "" for name in names]
    train, kept = (
        np.bincount(codes[np.asarray(side, np.int64)], minlength=len(names)) for side in (parts.train, parts.validation)
    )
    found = [LabelCount(name, int(t), int(k)) for name, t, k in zip(names, train, kept, strict=True) if t + k]
    return sorted(found, key=lambda c: (-c.train - c.kept, c.label))


def head_labels(source: Source, places: Sequence[int]) -> int:
    """How many labels a head of its own would have for these rows: the different answers, or the different tags."""
    layout = source.layout
    rows = source.rows.take(places)
    if layout.name == "tokens_tags":
        found: set[str] = set()
        for row in rows:
            tags = row.get(layout.roles["tags"])
            found.update(as_text(tag) for tag in tags if tag is not None) if isinstance(tags, list) else None
        return len(found)
    column = answer_column(layout)
    return len({as_text(row.get(column)) for row in rows} - {""}) if column else 0
