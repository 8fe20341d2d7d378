"""One label of a few: each label is scored as the answer, and the likeliest one is taken.

The score is the log-likelihood of the whole answer, end token included, not divided by its length: that is the
probability that the model would give just this answer, so that labels of different lengths, and labels with which
others begin, compare right. Besides, the model writes freely, which shows whether it says a label by itself, and stops.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.evaluation import metrics
from core.tasks.base import Answer

LABEL = "Classification"
METRICS = ("accuracy", "macro_f1", "micro_f1")
MOST_LABELS = 200  # beyond, scoring costs more than it tells: the model writes its answer, and that is compared
SPARE_TOKENS = 4  # freely written answers are cut off so many tokens after the longest label


def predict(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    ends: set[int] | None = None,
    choices: Mapping[str, Sequence[int]] | None = None,
    on_progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Answer]:
    """See core.tasks.base.Task. Without `choices`, or with more than MOST_LABELS, the answer is what is written."""
    from core.tasks import predict as models  # torch

    scored = bool(choices) and len(choices or {}) <= MOST_LABELS
    tell = on_progress or (lambda done: None)
    most = max_new_tokens
    if scored:
        most = min(most, max(len(ids) for ids in (choices or {}).values()) + SPARE_TOKENS)
    written = models.write(
        model, tokenizer, prompts, max_new_tokens=most, ends=ends, should_stop=should_stop,
        on_progress=(lambda done: tell(done / 2)) if scored else tell,
    )  # fmt: skip
    if not scored or not choices:
        return written
    labels = list(choices)
    table = models.likelihoods(
        model, tokenizer, prompts, list(choices.values()), should_stop=should_stop,
        on_progress=lambda done: tell((len(prompts) + done) / 2),
    )  # fmt: skip
    answers = []
    for answer, row in zip(written, table, strict=True):
        best = max(range(len(labels)), key=lambda i: row[i])
        probability = 1 / sum(math.exp(value - row[best]) for value in row)
        answers.append(replace(answer, text=labels[best].strip(), score=probability))
    return answers


def score(references: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Accuracy and F1, 0 to 1."""
    return metrics.compute(list(METRICS), {"references": references, "predictions": predictions})


def checks(answers: Sequence[str]) -> list[str]:
    """There must be at least two labels, each of them seen more than once or short."""
    filled = [a.strip() for a in answers if a.strip()]
    if not filled:
        return ["Every label is empty: there is nothing to tell apart."]
    counts = Counter(filled)
    if len(counts) == 1:
        return [f"All {len(filled):,} rows have the label {_short(filled[0])!r}: there is nothing to tell apart."]
    words = sum(len(label.split()) for label in counts) / len(counts)
    many, rows = len(counts), len(filled)
    if rows >= 8 and (many > 0.9 * rows or (many > 0.5 * rows and words > 3)):
        example = _short(max(counts, key=len))
        return [
            f"{rows:,} rows have {many:,} different answers, such as {example!r}: this looks like free text, not like "
            "labels. Choose the task generation, or the column of the labels as the answer."
        ]
    return []


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
