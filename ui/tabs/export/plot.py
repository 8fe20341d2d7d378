"""Size against quality against speed: the packages of one device as circles, with PyTorch's quality as a line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from ui.parts import badge
from ui.tabs.export.words import metric_label, points

WIDTH, HEIGHT = 640, 236
LEFT, RIGHT, TOP, BOTTOM = 76, 32, 28, 34
CLOSE = 44  # circles nearer to each other than that have their names above and below
SMALL, LARGE = 7.0, 22.0  # radius of a circle: its area is the speed


def drawn(reports: Mapping[str, Mapping[str, Any]], best: str) -> str:
    """The figure for two or more packages that were compared; "" for fewer, which say nothing against each other.

    best: the precision that is recommended.
    """
    found = {name: r for name, r in reports.items() if r.get("same") is not None and r.get("bytes")}
    if len(found) < 2:
        return ""
    measured = next((r for r in found.values() if r.get("metric")), None)
    if measured and any((r.get("metric") or {}).get("name") != measured["metric"]["name"] for r in found.values()):
        measured = None  # not all were measured by the same: their answers are compared
    metric = measured and measured["metric"]
    quality = {name: points(r["metric"], "onnx") if metric else 100 * r["same"] for name, r in found.items()}
    before = points(metric, "pytorch") if metric else 100.0
    label = metric_label(measured) if measured else "Same answers as PyTorch"
    low, high = _span([*quality.values(), before])
    sizes = {name: r["bytes"] / 1e6 for name, r in found.items()}
    smallest, largest = math.log(min(sizes.values()) * 0.8), math.log(max(sizes.values()) * 1.25)
    speeds = {name: (r.get("tokens_per_second") or {}).get("onnx") or 0.0 for name, r in found.items()}
    fastest = max(speeds.values()) or 1.0

    def x(size: float) -> float:
        return LEFT + (math.log(size) - smallest) / (largest - smallest) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    unit = "" if metric and metric["name"] in ("bleu", "chrf", "spearman", "pearson") else " %"
    lines = [
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(low):.0f}" y2="{y(low):.0f}"/>',
        *(
            f'<text class="tick" x="{LEFT - 10}" y="{y(v) + 4:.0f}" text-anchor="end">{v:.3g}{unit}</text>'
            for v in (low, high)
            if abs(y(v) - y(before)) > 14
        ),
        f'<line class="base" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(before):.1f}" y2="{y(before):.1f}"/>',
        f'<text class="tick" x="{LEFT - 10}" y="{y(before) + 4:.0f}" text-anchor="end">PyTorch</text>',
        f'<text class="tick" x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">size, smaller to the left</text>',
        f'<text class="tick" x="{LEFT}" y="{HEIGHT - 8}">{escape(label)}, higher is better</text>',
    ]
    last, above = -math.inf, True
    for name in sorted(found, key=lambda one: sizes[one]):
        across, down = x(sizes[name]), y(quality[name])
        radius = SMALL + (LARGE - SMALL) * math.sqrt(speeds[name] / fastest)
        said = f"{name}: {sizes[name]:.1f} MB, {quality[name]:.1f}{unit}"
        said += f", {speeds[name]:,.0f} tokens a second" if speeds[name] else ""
        if span := _interval(found[name], before):
            top, bottom = (min(max(y(end), TOP), HEIGHT - BOTTOM) for end in span)
            lines.append(f'<line class="span" x1="{across:.1f}" x2="{across:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>')
        kind = "best" if name == best else ""
        lines.append(
            f'<circle cx="{across:.1f}" cy="{down:.1f}" r="{radius:.1f}" class="{kind}"><title>{said}</title></circle>'
        )
        above = not above if across - last < CLOSE else True
        at = down - radius - 6 if above else down + radius + 15
        lines.append(f'<text class="name" x="{across:.1f}" y="{at:.0f}" text-anchor="middle">{escape(name)}</text>')
        last = across
    names = ", ".join(sorted(found))
    return (
        f'<figure class="tradeoff"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Size against quality of '
        f'{names}; the table says the same">{"".join(lines)}</svg>'
        "<figcaption class='quiet small'>A larger circle answers faster; an upright line is a 95 % interval."
        "</figcaption></figure>"
    )


def _interval(report: Mapping[str, Any], before: float) -> tuple[float, float] | None:
    """(high, low) of the quality, on the axis: PyTorch's and the 95 % interval of the difference."""
    metric = report.get("metric") or {}
    difference = metric.get("difference") or {}
    if "low" not in difference or difference["low"] == difference["high"]:
        return None
    high, low = (points({"name": metric["name"], "x": difference[end]}, "x") for end in ("high", "low"))
    return before + high, before + low


def _span(values: list[float]) -> tuple[float, float]:
    """Ends of an axis with room for all values; one that is not stretched to make nothing look like much."""
    low, high = min(values), max(values)
    room = max((high - low) * 0.25, 2.5)
    return math.floor(low - room), math.ceil(high + room)


def advice(precision: str, why: str, measured: bool) -> str:
    """The precision to take, and why."""
    return f"<p class='small recommended'>{badge('hot', f'Take {precision}')} {escape(why)}</p>" if measured else ""
