"""Whole answers: exact match, accuracy, F1 by label, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.evaluation.metrics.base import Floats, normal, share


def same(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """1 for each row whose answer is the reference, after `normal`."""
    return share([normal(want) == normal(got) for want, got in zip(references, predictions, strict=True)])


def by_label(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """Statistics [rows, 3 * labels]: per label true positives, wanted, given. Labels: all wanted or given ones."""
    wanted, given = [normal(r) for r in references], [normal(p) for p in predictions]
    index = {label: i for i, label in enumerate(sorted({*wanted, *given}))}
    table = np.zeros((len(wanted), 3, len(index)))
    for row, (want, got) in enumerate(zip(wanted, given, strict=True)):
        table[row, 1, index[want]] += 1
        table[row, 2, index[got]] += 1
        table[row, 0, index[want]] += want == got
    return table.reshape(len(wanted), -1)


def macro_f1(sums: Floats) -> Floats:
    """The mean of the labels' F1; a label that is neither wanted nor given does not count (as in scikit-learn)."""
    hits, wanted, given = _split(sums)
    there = wanted + given > 0
    f1 = np.divide(2 * hits, wanted + given, out=np.zeros_like(hits), where=there)
    return f1.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)


def micro_f1(sums: Floats) -> Floats:
    """F1 of all labels' counts together; with one label a row this is the accuracy."""
    hits, wanted, given = (part.sum(axis=-1) for part in _split(sums))
    return np.divide(2 * hits, wanted + given, out=np.zeros_like(hits), where=wanted + given > 0)


def _split(sums: Floats) -> tuple[Floats, Floats, Floats]:
    parts = sums.reshape(*sums.shape[:-1], 3, -1)
    return parts[..., 0, :], parts[..., 1, :], parts[..., 2, :]


def per_label(references: Sequence[str], predictions: Sequence[str], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support (rows that want it) of each label, in the order given."""
    matrix = np.asarray(confusion(references, predictions, labels), dtype=np.float64)
    found = []
    for i, label in enumerate(labels):
        hits, wanted, given = matrix[i, i], matrix[i].sum(), matrix[:, i].sum()
        found.append(
            {
                "label": label,
                "precision": float(hits / given) if given else 0.0,
                "recall": float(hits / wanted) if wanted else 0.0,
                "f1": float(2 * hits / (wanted + given)) if wanted + given else 0.0,
                "support": int(wanted),
            }
        )
    return found


def confusion(references: Sequence[str], predictions: Sequence[str], labels: Sequence[str]) -> list[list[int]]:
    """Counts [wanted][given] in the order of `labels`, which must hold all of them."""
    index = {normal(label): i for i, label in enumerate(labels)}
    matrix: Floats = np.zeros((len(labels), len(labels)), dtype=int)
    for want, got in zip(references, predictions, strict=True):
        matrix[index[normal(want)], index[normal(got)]] += 1
    counts: list[list[int]] = matrix.tolist()
    return counts
