"""What a run will take, as far as it can be computed before anything is loaded: updates, tokens, trained parameters."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from math import prod
from pathlib import Path
from typing import Any

from core.config import FullMethod, RunConfig, build
from core.data.lengths import count_updates
from core.data.sources import open_data
from core.errors import InputError
from core.paths import resolve
from ui import dataset
from ui.parts import figs, head, plural, say
from ui.telling import clock, size

LARGEST_HEADER = 100_000_000  # bytes; the safetensors library's own bound


@dataclass(frozen=True)
class Plan:
    """What can be known beforehand; None where it cannot."""

    steps: int | None  # optimizer updates, at most
    rows: int | None  # training rows
    tokens: int | None  # tokens read in one pass, cut to the limit; an estimate from a sample where there are many rows
    trained: int | None  # parameters that are trained
    total: int | None  # parameters of the base model
    checks: int  # times that the validation loss is taken
    measured: int | None  # rows that the evaluation answers
    measured_on: str  # held-out, or validation


def plan(draft: dict[str, Any]) -> Plan:
    """The plan of a draft. Raises InputError where the draft is not one that could be run."""
    config = build(draft)
    parts = dataset.counts(draft)
    rows = dataset.training_rows(draft)
    found = dataset.lengths(draft)
    limit = config.data.max_tokens
    mean = sum(min(n, limit) for n in found.tokens) / len(found.tokens)
    shapes = shapes_of(config.model.path)
    total = sum(map(prod, shapes.values())) if shapes else None
    steps = count_updates(rows, config) if rows is not None else None
    kept = len(parts.validation) if parts else 0
    held = len(open_data(config.evaluation.data).rows) if config.evaluation.data else kept
    return Plan(
        steps,
        rows,
        round(mean * rows) if rows is not None else None,
        trained_of(config, shapes) if shapes else None,
        total,
        (steps or 0) // config.training.eval_steps if kept else 0,
        min(config.evaluation.max_rows, held) or None,
        "held-out" if config.evaluation.data else "validation",
    )


def trained_of(config: RunConfig, shapes: dict[str, tuple[int, ...]]) -> int | None:
    """Parameters that are trained: all, or for LoRA r * (in + out) of each layer with an adapter (Hu et al. 2021)."""
    method = config.method
    if isinstance(method, FullMethod):
        return sum(map(prod, shapes.values()))
    linear = {n.removesuffix(".weight"): s for n, s in shapes.items() if n.endswith(".weight") and len(s) == 2}
    targets = method.target_modules
    if targets == "all-linear":  # every linear layer but the output layer; embeddings are none
        not_linear = ("embed", "wte", "wpe", "lm_head")
        chosen = [s for n, s in linear.items() if not any(part in n for part in not_linear)]
    else:
        names = (targets,) if isinstance(targets, str) else targets
        chosen = [s for n, s in linear.items() if any(n == t or n.endswith(f".{t}") for t in names)]
    return sum(method.r * sum(shape) for shape in chosen) or None


def shapes_of(path: str) -> dict[str, tuple[int, ...]]:
    """The shapes of a local model's weights, from the headers of its safetensors files; {} where there are none."""
    folder = resolve(path)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    return _shapes(tuple((str(f), f.stat().st_mtime_ns) for f in files))


@lru_cache(maxsize=8)
def _shapes(files: tuple[tuple[str, int], ...]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for name, _ in files:
        try:
            with Path(name).open("rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(length)) if length <= LARGEST_HEADER else {}
            found |= {k: tuple(map(int, v["shape"])) for k, v in header.items() if k != "__metadata__"}
        except (OSError, ValueError, KeyError, TypeError, struct.error):
            return {}
    return found


def short(n: int) -> tuple[str, str]:
    """(figure, scale) of a count: 98,304 as 98.3 thousand, 4,212,000 as 4.21 million."""
    for scale, word in ((10**9, "billion"), (10**6, "million"), (10**3, "thousand")):
        if n >= scale:
            return f"{n / scale:.3g}", word
    return f"{n:,}", ""


def drawn(draft: dict[str, Any]) -> str:
    """The card "What it will take": figures, and the trained share as a bar."""
    title = head("What it will take", "Computed from the settings, the rows and the shapes of the weights.")
    try:
        p = plan(draft)
    except InputError:
        return title + say("mute", "Nothing to compute yet", "It is computed as soon as the settings can be run.")
    items = []
    if p.steps is not None and p.rows is not None:
        items.append(("Updates", f"{p.steps:,}", f"on {plural(p.rows, 'row')}"))
    if p.tokens is not None:
        figure, scale = short(p.tokens)
        items.append(("Each pass reads", figure, f"{scale} tokens".strip()))
    if p.checks:
        items.append(("Validation checks", f"{p.checks:,}", "on the way"))
    if p.measured is not None:
        items.append(("Then measured on", f"{p.measured:,}", f"{p.measured_on} row{'s' * (p.measured != 1)}"))
    items += _cost(draft)
    out = title + (figs(*items) if items else "")
    if p.trained is None or not p.total:
        return out
    return out + _share(p.trained, p.total, full=p.trained == p.total)


def _cost(draft: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Time and memory, predicted; nothing where the model's sizes are not known."""
    try:
        cost = next(c for c in dataset.costs(draft) if c.limit == dataset.limit(draft))
    except (InputError, StopIteration):
        return []
    (time, unit), (memory, size_unit) = clock(cost.seconds), size(cost.peak_bytes, 1024)
    room = "fits this machine" if cost.fits else "more than is free here"
    return [("Time", f"≈ {time}", f"{unit}, predicted"), ("Memory", f"≈ {memory}", f"{size_unit}, {room}")]


def _share(trained: int, total: int, full: bool) -> str:
    """The trained parameters beside those that stay: ember beside steel."""
    share = trained / (total if full else total + trained)
    kept = 0 if full else total
    bar = f'<i style="flex:{max(share, 0.006):.4f};--c:var(--heat)"></i>' + (
        f'<i style="flex:{1 - share:.4f};--c:var(--steel)"></i>' if kept else ""
    )
    keys = [("--heat", "Trained", trained)] + ([("--steel", "Stay as they are", kept)] if kept else [])
    rows = "".join(
        f'<div><span><i style="--c:var({c})"></i>{name}</span><span>{n:,}</span></div>' for c, name, n in keys
    )
    words = f"{share * 100:.2g} % of the parameters are trained" if not full else "All parameters are trained"
    return (
        '<div class="shares"><p class="eyebrow">Parameters</p>'
        f'<div class="stack" role="img" aria-label="{escape(words)}">{bar}</div>'
        f'<div class="keys">{rows}</div><p class="small quiet">{words}.</p></div>'
    )
