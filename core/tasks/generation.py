"""Free text: the model writes its likeliest token until it stops; what it shares with the reference is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.evaluation import metrics
from core.tasks.base import Answer

LABEL = "Generation"
METRICS = ("bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact_match")


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
    """See core.tasks.base.Task. `choices` are not used."""
    from core.tasks import predict as models  # torch

    return models.write(
        model, tokenizer, prompts, max_new_tokens=max_new_tokens, ends=ends, on_progress=on_progress,
        should_stop=should_stop,
    )  # fmt: skip


def score(references: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """BLEU and chrF (0 to 100), ROUGE and exact match (0 to 1)."""
    return metrics.compute(list(METRICS), {"references": references, "predictions": predictions})


def checks(answers: Sequence[str]) -> list[str]:
    """Any text will do, as long as there is one."""
    return [] if any(a.strip() for a in answers) else ["Every answer is empty: there is nothing to learn to write."]
