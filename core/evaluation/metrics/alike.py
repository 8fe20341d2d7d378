"""How well numbers that say how alike two texts are agree with those that are wanted: correlations, and a threshold.

None of these is by nature a sum over rows: ranks, thresholds and what stands above a row are those among all rows that
are given. With them fixed, each is a function of sums, exact for those rows; an interval from drawn rows takes them as
fixed too. Numbers come as text; what is no number counts as 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.evaluation.metrics.base import Floats, share


def pearson_rows(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """Statistics [rows, 6] of two numbers a row: x, y, x^2, y^2, x y, 1; both shifted to mean 0 and scaled first."""
    return _moments(_numbers(references), _numbers(predictions))


def spearman_rows(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """The same of their ranks among all rows; equal numbers share the mean of their ranks."""
    return _moments(_ranks(_numbers(references)), _ranks(_numbers(predictions)))


def correlation(sums: Floats) -> Floats:
    """Pearson's r of the sums of such statistics; 0 where one of the two never changes."""
    n = np.maximum(sums[..., 5], 1)
    x, y = sums[..., 0] / n, sums[..., 1] / n
    over = sums[..., 4] / n - x * y
    under = np.sqrt(np.maximum((sums[..., 2] / n - x * x) * (sums[..., 3] / n - y * y), 0))
    return np.divide(over, under, out=np.zeros_like(over), where=under > 1e-12)


def average_precision_rows(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """Statistics [rows, 2] whose ratio is the average precision: of a pair that is alike the share of such pairs among
    all that are as near or nearer. Pairs whose reference is above 0.5 are alike."""
    alike, given = _numbers(references) > 0.5, _numbers(predictions)
    order = np.argsort(-given, kind="stable")
    hits = np.cumsum(alike[order])
    last = np.searchsorted(-given[order], -given, side="right")  # rows that are as near or nearer
    precision = hits[last - 1] / np.maximum(last, 1) if len(given) else given
    return np.column_stack([np.where(alike, precision, 0.0), alike.astype(np.float64)])


def best_accuracy_rows(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """1 for each pair on the right side of the threshold that parts these rows best."""
    alike, given = _numbers(references) > 0.5, _numbers(predictions)
    order = np.argsort(-given, kind="stable")
    gain = np.cumsum(np.where(alike[order], 1, -1))  # of taking so many of the nearest as alike
    ends = np.flatnonzero(np.diff(-given[order], append=np.inf))  # a threshold never parts equal numbers
    best = ends[gain[ends].argmax()] if len(ends) and gain[ends].max() > 0 else -1
    bound = given[order][best] if best >= 0 else np.inf
    return share(((given >= bound) == alike).astype(np.float64).tolist())


def _numbers(texts: Sequence[str]) -> Floats:
    return np.array([float(text) if is_number(text) else 0.0 for text in texts], dtype=np.float64)


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _ranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of theirs, as scipy.stats.rankdata has it."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((2 * last - counts + 1) / 2)[inverse]


def _moments(x: Floats, y: Floats) -> Floats:
    x, y = _standard(x), _standard(y)
    return np.column_stack([x, y, x * x, y * y, x * y, np.ones(len(x))])


def _standard(values: Floats) -> Floats:
    """Shifted and scaled, which changes no correlation and keeps the sums precise."""
    if not len(values):
        return values
    spread = values.std()
    return (values - values.mean()) / (spread if spread > 1e-12 * max(1.0, np.abs(values).max()) else 1.0)
