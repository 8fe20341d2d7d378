"""More variety for the training rows: changed copies, and labels in equal number; one row before and after."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from core.config import AugmentationConfig
from core.errors import InputError
from ui import changes, dataset, form
from ui.parts import html, titled
from ui.shared import Shared
from ui.tabs.data.refresh import QUIET, Refresh

FIELDS = {s.path.partition(".")[2]: s for s in form.settings(AugmentationConfig, "augmentation")}
SHARES = ("swap", "delete", "synonym", "case", "typo")
BALANCES = [("As they are", "none"), ("Over-sample", "over"), ("Under-sample", "under")]
SHOWN = 3  # changed copies that are drawn

Draft = dict[str, Any]


@dataclass(frozen=True)
class AugmentPart:
    """The components of the card."""

    balance: gr.Radio
    copies: gr.Slider
    shares: dict[str, gr.Slider]
    synonyms: gr.Textbox
    before: gr.HTML

    @property
    def filled(self) -> list[Any]:
        """What `fill` fills in."""
        return [self.balance, self.copies, *self.shares.values(), self.synonyms]


def layout() -> AugmentPart:
    """Draw the card."""
    with gr.Column(elem_classes=["card", "augment"]):
        titled(
            "Augmentation",
            "Only the rows to train on are changed; what is kept back to check with stays as it is.",
        )
        with gr.Row():
            with gr.Column(scale=4, min_width=280):
                balance = gr.Radio(
                    BALANCES,
                    value="none",
                    label="Labels in equal number",
                    info="Rows of rare labels are repeated, or rows of frequent ones left out.",
                    elem_id="field-augmentation-balance",
                    elem_classes="segment",
                    interactive=True,
                )
                copies = _slider("copies", 0, 10, 1)
                with gr.Accordion("What is changed in a copy", open=False):
                    shares = {name: _slider(name, 0, 1 if name == "synonym" else 0.5, 0.01) for name in SHARES}
                    synonyms = gr.Textbox(
                        label=FIELDS["synonyms"].label,
                        info=FIELDS["synonyms"].help,
                        placeholder="big = large, huge",
                        lines=3,
                        max_lines=10,
                        elem_id="field-augmentation-synonyms",
                        elem_classes="code",
                        interactive=True,
                    )
            with gr.Column(scale=7, min_width=280):
                before = html(elem_id="augmented")
    return AugmentPart(balance, copies, shares, synonyms, before)


def _slider(name: str, low: float, high: float, step: float) -> gr.Slider:
    setting = FIELDS[name]
    return gr.Slider(
        low, high, value=setting.default, step=step, label=setting.label, info=setting.help,
        elem_id=setting.elem_id, elem_classes="slide", interactive=True, buttons=[],
    )  # fmt: skip


def wire(part: AugmentPart, shared: Shared, refresh: Refresh) -> None:
    """Events of the card."""
    draft = shared.draft
    newest: dict[str, Any] = QUIET | {"trigger_mode": "always_last"}
    refresh.slow(part.copies.input(put_copies, [part.copies, draft], [draft, *part.shares.values()], **newest))
    for name, slider in part.shares.items():
        refresh.slow(slider.input(partial(put, name), [slider, draft], draft, **newest))
    refresh.slow(part.balance.input(partial(put, "balance"), [part.balance, draft], draft, **newest))
    refresh.slow(gr.on([part.synonyms.blur], put_synonyms, [part.synonyms, draft], draft, **newest))


def put(name: str, value: Any, draft: Draft) -> Draft:
    """One setting into the draft, as it was given."""
    return form.with_value(draft, f"augmentation.{name}", value)


def put_copies(value: float, draft: Draft) -> list[Any]:
    """How many copies; the first copy brings a change with it, since a copy with none would teach nothing new."""
    draft = put("copies", int(value), draft)
    values = [form.value_of(draft, f"augmentation.{name}") or 0 for name in SHARES]
    if value and not any(values):
        draft, values[SHARES.index("typo")] = put("typo", 0.1, draft), 0.1
    return [draft, *values]


def put_synonyms(text: str, draft: Draft) -> Draft:
    """The list of synonyms; nothing in it is none."""
    return put("synonyms", text.strip() or None, draft)


def fill(draft: Draft) -> list[Any]:
    """The card from a whole new draft."""

    def value(name: str) -> Any:
        given, default = form.value_of(draft, f"augmentation.{name}"), FIELDS[name].default
        return given if isinstance(given, type(default)) or isinstance(given, (int, float)) else default

    return [value("balance"), value("copies"), *[value(name) for name in SHARES], value("synonyms") or ""]


def drawn(draft: Draft, at: int) -> str:
    """What becomes of the training rows, and the row in view before and after."""
    try:
        return changes.drawn(dataset.augmented(draft), dataset.before_after(draft, at, SHOWN), at)
    except InputError as error:
        return changes.cannot(error)
