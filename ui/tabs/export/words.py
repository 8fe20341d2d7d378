"""What figures of a report are called, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ui.figures import scaled

BADGES = {
    "verified": ("ok", "Verified"),
    "verified with loss": ("warn", "Verified with loss"),
    "not verified here": ("mute", "Not verified here"),
    "failed": ("bad", "Failed"),
}
KNOWN = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "rougeL": "ROUGE-L",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "field_accuracy": "Fields right",
    "macro_f1": "F1 by label",
    "entity_f1": "Entities (F1)",
    "spearman": "Rank correlation",
    "pearson": "Linear correlation",
}
WRITERS = ("causal_lm", "seq2seq_lm")
PLAIN = ("bleu", "chrf")  # in points already
CORRELATIONS = ("spearman", "pearson")


def metric_label(report: Mapping[str, Any]) -> str:
    """What the metric of a report is called; those of result.json carry their own names.

    A package that writes is asked to write the label, where Evaluate also scores each label: that figure is another.
    """
    name = report["metric"]["name"]
    if name == "accuracy" and report.get("head") in WRITERS:
        return "Writes the label"
    return KNOWN.get(name, name.replace("_", " ").capitalize())


def points(metric: dict[str, Any], side: str) -> float:
    """A metric of a report on the axis of a plot: of a hundred, but correlations as they are."""
    value = float(metric[side])
    return value if metric["name"] in (*PLAIN, *CORRELATIONS) else scaled(value, "share")


def metric_value(metric: dict[str, Any], side: str) -> str:
    """A metric of a report: the points of BLEU and chrF as they are, shares as per cent."""
    if metric["name"] in CORRELATIONS:
        return f"{metric[side]:.3f}"
    return f"{points(metric, side):.1f}" + ("" if metric["name"] in PLAIN else "&thinsp;%")


def seconds(value: float) -> tuple[str, str]:
    """A short time as (figure, unit)."""
    return (
        (f"{value * 1e3:,.0f}" if value >= 0.01 else f"{value * 1e3:.1f}", "ms") if value < 1 else (f"{value:.1f}", "s")
    )
