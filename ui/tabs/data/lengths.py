"""How long the rows are, and what a limit costs: what it cuts, the padding, the steps, the time and the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from core.config import DataConfig
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
    return tokens.bars(found.tokens, found.total, dataset.limit(draft))
