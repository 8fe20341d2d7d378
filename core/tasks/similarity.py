"""How alike two texts are: the cosine of their vectors, judged by whether it ranks pairs as their labels do.

Vectors are compared by a model with a head of its own (core/tasks/pairs.py); nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.data.sources import Source
from core.errors import InputError
from core.evaluation import metrics
from core.tasks.pair_rows import columns, meaning_of

LABEL = "Similarity"
METRICS = ("spearman", "pearson")
OF_CLASSES = ("average_precision", "best_accuracy")  # besides, where the labels are two classes
OF_PARTNERS = ("recall_at_1",)  # where rows have no label


def score(references: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Rank and linear correlation, -1 to 1, of numbers that are written as text."""
    return metrics.compute(list(METRICS), {"references": references, "predictions": predictions})


def checks(answers: Sequence[str]) -> list[str]:
    """There must be labels; what they say is asked of the rows, by `unfit`."""
    return [] if any(a.strip() for a in answers) else ["Every label is empty: there is nothing to learn."]


def unfit(source: Source, places: Sequence[int]) -> list[str]:
    """Why these rows cannot be learned from, one sentence each; empty where they can."""
    try:
        first, second, _ = columns(source.layout)
        meaning_of(source, places)
    except InputError as error:
        return [str(error)]
    filled = (source.rows[place] for place in places)
    if not any(row.get(first) and row.get(second) for row in filled):
        return [f"There is no row with a text in both {first!r} and {second!r}: there is nothing to compare."]
    return []
