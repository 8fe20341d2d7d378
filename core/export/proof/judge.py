"""What a comparison is called (verified, verified with loss, failed, not verified here), and the sentence why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.evaluation import metrics
from core.evaluation.bootstrap import paired
from core.export.choice import keeps
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
}


# How far a single logit may be off, as a share of what PyTorch's logits span. A difference beyond that is another model
# or a damaged weight, though the greedy answers may happen to be the same.
DRIFT: dict[str, Threshold] = {
    "fp32": Threshold(0.02, "Sums in another order move a logit by a ten-thousandth of the span, or less."),
    "fp16": Threshold(0.1, "Eleven bits of a number move a logit by a thousandth of the span, or less."),
    "bf16": Threshold(0.2, "Eight bits of a number move a logit by some hundredths of the span."),
    "int8": Threshold(0.5, "Measured on sound packages: up to a tenth of the span, on heads of few classes."),
    "int4": Threshold(1.0, "Measured on sound packages of small models: up to half of the span."),
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
    take: str | None = "int8",
) -> tuple[Status, str]:
    """The status and the sentence that says what it means.

    verified: every answer is PyTorch's. verified with loss: it ran, some answers differ, and the sentence says how many
    and what that does to the metric. failed: numbers that are none, or answers that have nothing to do with PyTorch's.

    Args:
        same: how many of the rows have PyTorch's answer. gap, span: the largest difference of a logit, and what
            PyTorch's logits span. margins: of each row that differs, by how many logits PyTorch preferred its answer.
        weights: how many the model has. what: how answers are compared. take: the precision to take instead of int4.
    """
    if not math.isfinite(gap):
        return "failed", "The package computes numbers that are none (NaN or infinite)."
    told = f"{same} of {rows} answers are PyTorch's, {what}"
    figure = _figure(metric)
    if gap > DRIFT[precision].value * span > 0:
        return "failed", (
            f"{told}{figure}, but its numbers are off by {gap:.2g} where PyTorch's span {span:.3g}: in {precision} "
            f"they should agree to {DRIFT[precision].value:.0%} of that. A weight or the graph is not this model's."
        )
    if same == rows:
        whole = f"All {same} answers are" if same > 1 else "The one answer is"
        return "verified", f"{whole} PyTorch's, {what}{figure}."
    known = [margin for margin in margins if margin is not None]
    near = known and len(known) == rows - same and max(known) < THRESHOLDS["near_tie"].value * span
    if precision in FULL and not (near and precision != "fp32") and same < THRESHOLDS["least_match"].value * rows:
        return "failed", f"Only {told}{figure}: in {precision} they should agree. Please report this model."
    if metric is not None and metric.pytorch > 0 and metric.onnx < THRESHOLDS["least_metric"].value * metric.pytorch:
        advice = _advice(precision, weights, take)
        return "failed", f"Only {told}{figure}: in {precision} this model is not usable.{advice}"
    tie = f" Where they part, PyTorch was nearly undecided (by {max(known):.2g} logits at most)." if near else ""
    kept = keeps({"metric": metric and asdict(metric), "same": same / rows})  # then it may be the one to take
    advice = "" if kept else _advice(precision, weights, take)
    return "verified with loss", f"{told}{figure}.{tie}{advice}"


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


def _advice(precision: str, weights: int, take: str | None) -> str:
    if precision != "int4" or weights > 500_000_000 or take in (None, "int4"):
        return ""
    size = f"{weights / 1e6:.1f} million" if weights < 1e8 else f"{weights / 1e6:.0f} million"
    return f" Four bits cost a model of {size} weights a lot: take {take}."


def not_here(target: Target) -> tuple[Status, str]:
    """The status and sentence of a package that this machine cannot run."""
    return "not verified here", f"Built, and not run here. {target.verifiable()[1]}"


def perplexity(nll: float | None, tokens: int) -> float | None:
    """The exponential of the mean nats a token; None where nothing is known, or beyond what a number holds."""
    if nll is None or not tokens or not math.isfinite(nll) or nll / tokens > 700:
        return None
    return math.exp(nll / tokens)
