"""What a run will take, as far as it can be computed before anything is loaded: updates, tokens, trained parameters."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from core.config import RunConfig, build
from core.data.lengths import Lengths as SomeLengths
from core.data.lengths import count_updates
from core.data.sources import open_data
from core.errors import InputError
from core.models.heads import head_of
from core.models.memory import trained_weights
from core.models.shapes import read_shape
from ui import dataset
from ui.parts import figs, head, plural, say
from ui.telling import clock, size


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
    batch: tuple[int, str] | None = None  # rows of an update, and how they come about


def plan(draft: dict[str, Any]) -> Plan:
    """The plan of a draft. Raises InputError where the draft is not one that could be run."""
    config = build(draft)
    parts = dataset.counts(draft)
    rows = dataset.training_rows(draft)
    found = dataset.lengths(draft)
    limit = config.data.max_tokens
    mean = sum(min(n, limit) for n in found.tokens) / len(found.tokens)
    trained: int | None = None
    total: int | None = None
    try:
        shape = read_shape(config.model.path, config.model.revision)
        shape = shape.with_head(head_of(config), dataset.head_labels(draft))
        trained, total = trained_weights(config, shape), shape.parameters
    except InputError:
        pass  # its files do not say: the rest can be told all the same
    sequences = SomeLengths(found.tokens, rows, found.trained, max(found.tokens)).load(config).sequences if rows else 0
    steps = count_updates(sequences, config) if rows is not None else None
    kept = len(parts.validation) if parts else 0
    held = len(open_data(config.evaluation.data).rows) if config.evaluation.data else kept
    return Plan(
        steps,
        rows,
        round(mean * rows) if rows is not None else None,
        trained,
        total,
        (steps or 0) // config.training.eval_steps if kept else 0,
        min(config.evaluation.max_rows, held) or None,
        "held-out" if config.evaluation.data else "validation",
        effective(config),
    )


def effective(config: RunConfig) -> tuple[int, str]:
    """(rows of an update, in words how they come about)."""
    rows, times = config.training.per_device_train_batch_size, config.training.gradient_accumulation_steps
    return rows * times, f"rows, {times:,} × {rows:,}" if times > 1 else "rows an update"


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
    if p.batch is not None:
        items.append(("Effective batch", f"{p.batch[0]:,}", p.batch[1]))
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
    return out + _share(p.trained, p.total, full=p.trained >= p.total)


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
    share = 1.0 if full else trained / (total + trained)
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
