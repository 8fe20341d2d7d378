"""Facts out of a text, as a JSON object or `key = value` lines: judged field by field."""

from __future__ import annotations

from collections.abc import Sequence

from core.evaluation import metrics
from core.evaluation.metrics import fields
from core.tasks.generation import predict

__all__ = ["LABEL", "METRICS", "checks", "predict", "score"]

LABEL = "Extraction"
TAG_METRICS = ("entity_f1", "entity_precision", "entity_recall", "tag_accuracy")  # where each word gets a tag
METRICS = ("field_accuracy", "valid", "exact_match")


def score(references: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Fields right, readable answers, exact answers: all 0 to 1."""
    return metrics.compute(list(METRICS), {"references": references, "predictions": predictions})


def checks(answers: Sequence[str]) -> list[str]:
    """Most answers must hold fields."""
    filled = [a for a in answers if a.strip()]
    if not filled:
        return ["Every answer is empty: there are no fields to learn to extract."]
    bad = [a for a in filled if fields.parse(a) is None]
    if len(bad) * 2 > len(filled):
        shown = bad[0] if len(bad[0]) <= 60 else bad[0][:57] + "..."
        return [
            f"{len(bad):,} of {len(filled):,} answers hold no fields, such as {shown!r}: extraction wants a JSON "
            "object or key = value lines. Choose another task, or another answer column."
        ]
    return []
