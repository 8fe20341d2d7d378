"""What a comparison is called (verified, verified with loss, failed, not verified here), and the sentence why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.evaluation import metrics
from core.evaluation.bootstrap import paired
from core.export.targets import Target

Status = Literal["verified", "verified with loss", "failed", "not verified here"]
FULL = ("fp32", "fp16", "bf16")


@dataclass(frozen=True)
class Threshold:
    """Where a line is drawn, and why there."""

    value: float
    reason: str


# All lines that are drawn, so that nobody has to look for one. Between "failed" and "verified" there is no line but
# equality: whatever differs is counted and said.
THRESHOLDS: dict[str, Threshold] = {
    "least_match": Threshold(
        0.9,
        "In full or half precision rounding alone flips a near tie now and then; answers that differ on more than a "
        "tenth of the rows have something wrong in them.",
    ),
    "least_metric": Threshold(
        0.1,
        "Quantised weights may differ anywhere, and there the task's metric decides: a package that keeps less than a "
        "tenth of it is broken, not lossy.",
    ),
    "near_tie": Threshold(
        0.01, "Of the span of PyTorch's logits: less than that between two tokens is a toss-up, and is said to be one."
    ),
    "drift": Threshold(
        0.02,
        "Of the span of PyTorch's logits, in float32: sums in another order move a logit by a ten-thousandth of it. A "
        "difference beyond this is another model, though its greedy answers may happen to be the same.",
    ),
}


@dataclass(frozen=True)
class Metric:
    """The task's own figure for both sides, on the same rows.

    Attributes:
        difference: of ONNX minus PyTorch: {"mean", "low", "high" (a 95 % interval, paired over rows), "p"}; empty for
            fewer than two rows.
    """

    name: str
    pytorch: float
    onnx: float
    difference: dict[str, float]


def metric(name: str, wants: Sequence[Any], theirs: Sequence[Any], ours: Sequence[Any]) -> Metric:
    """A metric of both sides' answers to the same rows, with the interval of the difference."""
    kind = metrics.METRICS[name]
    one, other = (kind.rows({"references": wants, "predictions": given}) for given in (theirs, ours))
    difference = paired({name: (kind, one, other)}).get(name, {})
    before, after = (float(kind.value(part.sum(axis=0))) for part in (one, other))
    return Metric(name, before, after, {k: v for k, v in difference.items() if math.isfinite(v)})


def judge(
    *,
    same: int,
    rows: int,
    gap: float,
    span: float,
    margins: Sequence[float | None],
    metric: Metric | None,
    precision: str,
    weights: int,
    what: str = "token for token",
) -> tuple[Status, str]:
    """The status and the sentence that says what it means.

    verified: every answer is PyTorch's. verified with loss: it ran, some answers differ, and the sentence says how many
    and what that does to the metric. failed: numbers that are none, or answers that have nothing to do with PyTorch's.

    Args:
        same: how many of the rows have PyTorch's answer. gap, span: the largest difference of a logit, and what
            PyTorch's logits span. margins: of each row that differs, by how many logits PyTorch preferred its answer.
        weights: how many the model has. what: how answers are compared.
    """
    if not math.isfinite(gap):
        return "failed", "The package computes numbers that are none (NaN or infinite)."
    told = f"{same} of {rows} answers are PyTorch's, {what}"
    figure = _figure(metric)
    if precision == "fp32" and gap > THRESHOLDS["drift"].value * span > 0:
        return "failed", (
            f"{told}{figure}, but its numbers are off by {gap:.2g} where PyTorch's span {span:.3g}: in fp32 they "
            "should agree to a ten-thousandth. The weights or the graph are not those of this model."
        )
    if same == rows:
        whole = f"All {same} answers are" if same > 1 else "The one answer is"
        return "verified", f"{whole} PyTorch's, {what}{figure}."
    if precision in FULL and same < THRESHOLDS["least_match"].value * rows:
        return "failed", f"Only {told}{figure}: in {precision} they should agree. Please report this model."
    if metric is not None and metric.pytorch > 0 and metric.onnx < THRESHOLDS["least_metric"].value * metric.pytorch:
        return "failed", f"Only {told}{figure}: in {precision} this model is not usable.{_advice(precision, weights)}"
    known = [margin for margin in margins if margin is not None]
    near = known and len(known) == rows - same and max(known) < THRESHOLDS["near_tie"].value * span
    tie = f" Where they part, PyTorch was nearly undecided (by {max(known):.2g} logits at most)." if near else ""
    return "verified with loss", f"{told}{figure}.{tie}{_advice(precision, weights)}"


def _figure(metric: Metric | None) -> str:
    if metric is None:
        return ""
    name = metric.name.replace("_", " ")
    now, then = f"{metric.onnx:.3f}", f"{metric.pytorch:.3f}"
    if metric.onnx == metric.pytorch:
        return f"; {name} {now} with both"
    d = metric.difference
    chance = f" (difference {d['mean']:+.3f}, between {d['low']:+.3f} and {d['high']:+.3f})" if "low" in d else ""
    return f"; {name} {now} instead of {then}{chance}"


def _advice(precision: str, weights: int) -> str:
    if precision != "int4" or weights > 500_000_000:
        return ""
    size = f"{weights / 1e6:.1f} million" if weights < 1e8 else f"{weights / 1e6:.0f} million"
    return f" Four bits cost a model of {size} weights a lot: take int8."


def not_here(target: Target) -> tuple[Status, str]:
    """The status and sentence of a package that this machine cannot run."""
    return "not verified here", f"Built, and not run here. {target.verifiable()[1]}"


def perplexity(nll: float | None, tokens: int) -> float | None:
    """The exponential of the mean nats a token; None where nothing is known, or beyond what a number holds."""
    if nll is None or not tokens or not math.isfinite(nll) or nll / tokens > 700:
        return None
    return math.exp(nll / tokens)
