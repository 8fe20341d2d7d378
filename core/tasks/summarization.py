"""A long text in, a short one out: written like any text, judged by the words and the order that it keeps (ROUGE)."""

from __future__ import annotations

from collections.abc import Sequence

from core.evaluation import metrics
from core.tasks.generation import predict

__all__ = ["LABEL", "METRICS", "checks", "predict", "score"]

LABEL = "Summarization"
METRICS = ("rougeL", "rouge1", "rouge2", "exact_match", "bleu")


def score(references: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """ROUGE and exact match (0 to 1), BLEU (0 to 100)."""
    return metrics.compute(list(METRICS), {"references": references, "predictions": predictions})


def checks(answers: Sequence[str]) -> list[str]:
    """A summary has more than a word or two."""
    filled = [a.split() for a in answers if a.strip()]
    if not filled:
        return ["Every summary is empty: there is nothing to learn to write."]
    words = sum(map(len, filled)) / len(filled)
    if words < 2 and len(filled) >= 8:
        return [
            f"The answers have {words:.1f} words on average, such as {' '.join(filled[0])!r}: these are no summaries. "
            "Choose the task classification, or another answer column."
        ]
    return []
