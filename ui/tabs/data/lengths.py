"""How long the rows are, and what a limit costs: what it cuts, the padding, the steps, the time and the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from core.config import DataConfig, RunConfig
from core.data.lengths import Load
from core.errors import InputError
from ui import dataset, form, tokens
from ui.parts import titled
from ui.shared import Shared
from ui.tabs.data.refresh import QUIET, Refresh

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
    refresh.quick(part.histogram.input(cut_moved, draft, [draft, part.limit], **newest))


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
    config = dataset.usable(draft)
    costs = [tokens.Cost(limit, _figures(config, load)) for limit, load in dataset.costs(draft)]
    return tokens.bars(found.tokens, found.total, dataset.limit(draft), costs)


def _figures(config: RunConfig, load: Load) -> tuple[tuple[str, str, str], ...]:
    """What a limit costs, as figures."""
    steps = -(-load.batches // config.training.gradient_accumulation_steps)
    over = "are left out" if "drop_long" in config.data.fixes else "lose their middle"
    return (
        ("Over the limit", _percent(load.truncated), f"of the rows {over}"),
        ("Padding", _percent(load.padding), "of what is computed"),
        ("Steps", f"{steps:,}", "in one epoch"),
    )


def _percent(share: float) -> str:
    return "0 %" if not share else f"{share * 100:.1f} %" if share < 0.1 else f"{share * 100:.0f} %"
