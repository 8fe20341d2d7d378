"""What every topic returns, and how it is printed: one table, each figure beside an alternative from the same run."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

VERSIONS = ("torch", "gradio", "transformers", "peft", "onnxruntime", "onnxruntime-genai")


@dataclass(frozen=True)
class Row:
    """One line: what was measured, our figure, that of the alternative beside it, and their ratio."""

    topic: str
    what: str
    ours: float
    beside: str
    theirs: float
    unit: str
    more_is_better: bool = False

    @property
    def ratio(self) -> float:
        """How many times better ours is: above 1 is better, whichever way the figure goes."""
        better, worse = (self.ours, self.theirs) if self.more_is_better else (self.theirs, self.ours)
        return better / worse if worse else float("inf")

    def values(self) -> dict[str, Any]:
        """The row for --json."""
        return asdict(self) | {"ratio": round(self.ratio, 3)}


def in_turn(*works: Callable[[], float], times: int) -> list[float]:
    """The median figure of each work; they take turns, so that a slow minute of the machine falls on all of them."""
    figures: list[list[float]] = [[] for _ in works]
    for _ in range(times):
        for work, found in zip(works, figures, strict=True):
            found.append(work())
    return [statistics.median(found) for found in figures]


def cpu_seconds(work: Callable[[], object], loops: int = 1) -> float:
    """Processor seconds of this process for one call: other work on the machine hardly touches it."""
    began = time.process_time()
    for _ in range(loops):
        work()
    return (time.process_time() - began) / loops


def environment() -> str:
    """The line above the table."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    packages = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    return f"{os.cpu_count()} x {cpu}{load}; Python {platform.python_version()}; {packages}"


def show(rows: Sequence[Row]) -> str:
    """The rows as one Markdown table."""
    heads = ("Topic", "What", "Ours", "Beside it", "", "Ratio")
    cells = [heads]
    cells += [
        (row.topic, row.what, f"{_figure(row.ours)} {row.unit}", row.beside, f"{_figure(row.theirs)} {row.unit}",
         f"{row.ratio:.2f}" if row.ratio < 100 else f"{row.ratio:,.0f}")
        for row in rows
    ]  # fmt: skip
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
