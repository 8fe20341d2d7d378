"""How much each label weighs by how rare it is among the rows to train on: labels, tags, and answers that are text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from core.data.encoded import IGNORED, EncodedRows


def balanced(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Weights of classes: items / (classes * items of the class), scikit-learn's "balanced" (King and Zeng 2001).

    So the mean weight of all items is 1. A class that never occurs weighs nothing, and is not counted as one.
    """
    counted = np.asarray(counts, np.float64)
    there = counted > 0
    weights: np.ndarray = np.zeros(len(counted), np.float32)
    weights[there] = counted.sum() / (there.sum() * counted[there])
    return weights


def answer_weights(rows: Sequence[dict[str, Any]]) -> dict[bytes, float]:
    """What `trained_part` gives of each different answer -> its weight, each row counting once."""
    if isinstance(rows, EncodedRows):
        bounds = zip(rows.offsets[:-1], rows.offsets[1:], strict=True)
        counts = Counter(rows.ids[a:b][rows.trained[a:b]].tobytes() for a, b in bounds)
    else:
        counts = Counter(trained_part(row["labels"]) for row in rows)
    return dict(zip(counts, map(float, balanced(list(counts.values()))), strict=True))


def trained_part(labels: Iterable[int]) -> bytes:
    """The tokens of a row that are trained on, as one value to look up by."""
    return np.array([label for label in labels if label != IGNORED], np.int32).tobytes()
