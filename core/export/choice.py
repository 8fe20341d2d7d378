"""Which precision to take: the smallest and fastest of those that keep the quality, as far as rows can tell. Light."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GOOD = ("verified", "verified with loss")
ENOUGH = 0.98  # share of equal answers that counts as the same, where no metric says what the others are worth


@dataclass(frozen=True)
class Choice:
    """The precision to take, and why in one sentence. `measured`: from packages that were made and compared."""

    precision: str
    why: str
    measured: bool


def recommend(reports: Mapping[str, Mapping[str, Any]], default: str) -> Choice:
    """The precision to take for a device.

    Of the packages that were compared, those count whose metric is not lower than PyTorch's beyond chance (its paired
    95 % interval reaches zero; without a metric: at least 98 % of the answers equal). Of these the one with the lowest
    product of size and seconds a token is taken: half the size weighs as much as double the speed.

    Args:
        reports: precision -> report.json. default: the device's, where nothing was measured.
    """
    compared = {name: r for name, r in reports.items() if r["status"] in GOOD and r["same"] is not None}
    kept = {name: r for name, r in compared.items() if keeps(r)}
    if not compared:
        return Choice(default, "The usual choice for this device; nothing was measured here yet.", False)
    if not kept:
        best = max(compared, key=lambda name: (compared[name]["same"], -compared[name]["bytes"]))
        return Choice(best, "Each precision that was made loses quality; this one loses the fewest answers.", True)
    best = min(kept, key=lambda name: _cost(kept[name]))
    return Choice(best, _why(best, kept, compared), True)


def keeps(report: Mapping[str, Any]) -> bool:
    """Whether the quality is that of PyTorch, as far as the rows can tell."""
    metric = report["metric"]
    if metric is None or metric["onnx"] is None:
        return bool(report["same"] >= ENOUGH)
    difference = metric.get("difference") or {}
    return bool(metric["onnx"] >= metric["pytorch"] or difference.get("high", -1.0) >= 0)


def _cost(report: Mapping[str, Any]) -> float:
    speed = (report["tokens_per_second"] or {}).get("onnx") or 1.0
    return math.log(report["bytes"]) - math.log(speed)


def _why(best: str, kept: Mapping[str, Mapping[str, Any]], compared: Mapping[str, Mapping[str, Any]]) -> str:
    report = kept[best]
    if len(compared) == 1:
        return f"The only one that was made so far: {_quality(report)}."
    largest = max(compared, key=lambda name: compared[name]["bytes"])
    parts = []
    if largest != best:
        parts.append(f"{compared[largest]['bytes'] / report['bytes']:.1f} times smaller than {largest}")
    speeds = [(r["tokens_per_second"] or {}).get("onnx") for r in (report, compared[largest])]
    if largest != best and speeds[0] and speeds[1]:
        ratio = speeds[0] / speeds[1]
        parts.append(f"{ratio:.1f} times as fast" if ratio >= 1 else f"slower ({ratio:.1f} of the speed)")
    lost = [name for name in compared if name not in kept]
    end = f"; {' and '.join(lost)} would lose quality" if lost else ""
    body = " and ".join(parts) or "The best in size and speed together"
    return f"{body[0].upper()}{body[1:]}, {_quality(report)}{end}."


def _quality(report: Mapping[str, Any]) -> str:
    """What it costs: how many answers differ, and the metric; one that is lower by what may be chance is said so."""
    differ, metric = round((1 - report["same"]) * report["rows"]), report["metric"]
    answers = (
        f"{differ} of {report['rows']} answers differ from PyTorch's"
        if differ
        else f"all {report['rows']} answers equal"
    )
    if metric is None or metric["onnx"] is None:
        return answers
    name, now, then = metric["name"].replace("_", " "), f"{metric['onnx']:.3f}", f"{metric['pytorch']:.3f}"
    if metric["onnx"] >= metric["pytorch"]:
        return answers + (f", {name} {now} against {then}" if differ else "")
    return f"{answers}, {name} {now} instead of {then}, which on so few rows may be chance"
