"""How long the rows are, and what a limit costs: what it cuts, the padding, the steps, the time and the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from core.config import DataConfig, RunConfig
from core.errors import InputError
from core.models.memory import CutOff
from ui import dataset, form, tokens
from ui.parts import titled
from ui.shared import Shared
from ui.tabs.data.refresh import EACH, QUIET, Refresh
from ui.telling import clock, size

FIELDS = {s.path: s for s in form.settings(DataConfig, "data")}

Draft = dict[str, Any]


@dataclass(frozen=True)
class LengthsPart:
    """The components of the card."""

    histogram: gr.HTML
    limit: gr.Number


def layout() -> LengthsPart:
    """Draw the card."""
    with gr.Column(elem_classes=["card", "lengths"]):
        titled("Lengths", "Tokens of each row with this model's tokenizer. Move the limit and see what it costs.")
        histogram = tokens.histogram()
        limit = gr.Number(
            label=FIELDS["data.max_tokens"].label,
            elem_id="field-data-max_tokens",
            elem_classes="beside",
            step=1,
            interactive=True,
        )
    return LengthsPart(histogram, limit)


def wire(part: LengthsPart, shared: Shared, refresh: Refresh) -> None:
    """The limit is moved, or typed."""
    draft, newest = shared.draft, QUIET | {"trigger_mode": "always_last"}
    refresh.quick(gr.on([part.limit.blur, part.limit.submit], put_limit, [part.limit, draft], draft, **newest))
    refresh.quick(part.histogram.input(cut_moved, draft, [draft, part.limit], **EACH))


def fill(draft: Draft) -> float | None:
    """The limit from a whole new draft."""
    value = form.value_of(draft, "data.max_tokens")
    return value if isinstance(value, (int, float)) else None


def put_limit(value: float | None, draft: Draft) -> Draft:
    """The most tokens of an example, typed."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return form.with_value(draft, "data.max_tokens", whole)


def cut_moved(draft: Draft, event: gr.EventData) -> tuple[Draft, int]:
    """The most tokens of an example, from the histogram."""
    return form.with_value(draft, "data.max_tokens", tokens.moved(event)), tokens.moved(event)


def drawn(draft: Draft) -> str:
    """The histogram, with what each limit costs."""
    try:
        found = dataset.lengths(draft)
    except InputError:
        return '<p class="small quiet">They are measured as soon as a row can be shown.</p>'
    try:
        costs = [tokens.Cost(cost.limit, _figures(dataset.usable(draft), cost)) for cost in dataset.costs(draft)]
    except InputError:  # of a model whose sizes are not known; said on the Model tab
        costs = []
    return tokens.bars(found.tokens, found.total, dataset.limit(draft), costs)


def _figures(config: RunConfig, cost: CutOff) -> tuple[tuple[str, str, str], ...]:
    """What a limit costs, as figures. Time and memory are predictions."""
    over = "are left out" if "drop_long" in config.data.fixes else "lose their middle"
    room = "fits this machine" if cost.fits else "more than is free here"
    (time, time_unit), (memory, memory_unit) = clock(cost.seconds), size(cost.peak_bytes, 1024)
    return (
        ("Over the limit", _percent(cost.truncated), f"of the rows {over}"),
        ("Padding", _percent(cost.padding), "of what is computed"),
        ("Updates", f"{cost.steps:,}", "in the whole run"),
        ("Time", f"≈ {time}", f"{time_unit}, predicted"),
        ("Memory", f"≈ {memory}", f"{memory_unit} at the peak, predicted; {room}"),
    )


def _percent(share: float) -> str:
    return "0 %" if not share else f"{share * 100:.1f} %" if share < 0.1 else f"{share * 100:.0f} %"
