"""The longest row, and the first that does not fit: found without cutting every row of a big file into tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.data.formats import Layout
from core.data.rows import Rows
from core.data.template import Wording, render
from core.data.tokens import ids_of_rows
from core.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CANDIDATES = 256  # rows with the most bytes, of which the one with the most tokens is taken
BATCH = 512
Count = Callable[[Sequence[dict[str, Any]]], list[int]]  # `tokens_of` of rows, by whoever can


def tokens_of(
    rows: Sequence[dict[str, Any]], layout: Layout, wording: Wording, tokenizer: PreTrainedTokenizerFast
) -> list[int]:
    """Tokens of each row before any is dropped; 0 for a row that cannot be rendered."""
    found, rendered = [0] * len(rows), {}
    for number, row in enumerate(rows):
        try:
            rendered[number] = render(row, layout, wording, tokenizer)
        except InputError:
            continue
    for number, segments in zip(rendered, ids_of_rows(list(rendered.values()), tokenizer), strict=True):
        found[number] = sum(map(len, segments))
    return found


def longest(rows: Rows, count: Count) -> int:
    """The row with the most tokens, the first of equals: exact up to CANDIDATES rows, of more among those with the most
    bytes, which is the same one unless a shorter text is cut much finer."""
    sizes = byte_sizes(rows)
    most = np.sort(np.argsort(-sizes, kind="stable")[:CANDIDATES])
    found = count(rows.take(most))
    return int(most[int(np.argmax(found))])


def byte_sizes(rows: Rows) -> np.ndarray:
    """Bytes of each row's text and JSON, from Arrow, without reading a row; a list counts its items."""
    total = np.zeros(rows.data.num_rows, np.int64)
    for column in rows.data.columns:
        if pa.types.is_large_string(column.type) or pa.types.is_string(column.type):
            total += np.asarray(pc.fill_null(pc.binary_length(column), 0).to_numpy(), np.int64)
        elif pa.types.is_list(column.type) or pa.types.is_large_list(column.type):  # turns, as Parquet keeps them
            total += np.asarray(pc.fill_null(pc.list_value_length(column), 0).to_numpy(), np.int64)
    return total[rows.places()]


def first_over(rows: Rows, count: Count, limit: int, known: int) -> int:
    """The first row with more than `limit` tokens, looked for up to a row that is known to have more."""
    for start in range(0, known, BATCH):
        found = count(rows[start : min(start + BATCH, known)])
        over = next((i for i, n in enumerate(found) if n > limit), None)
        if over is not None:
            return start + over
    return known
