"""Presets: a few settings at once for an aim; every change is shown with its reason before it is made, and undone."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from core.config import DataConfig
from core.errors import InputError
from core.presets import PRESETS, apply, facts_of, preset
from ui import dataset, form
from ui.chooser import QUIET
from ui.parts import html, plural, say, table, titled
from ui.shared import Shared

Draft = dict[str, Any]
NAMES = {"method.name": "Method", "evaluation.max_rows": "Rows to measure on"}
FIRST = "Choose one to see what it would change, and why. Nothing is changed until you say so."


@dataclass(frozen=True)
class PresetsPart:
    """The components of the card; `before` is the draft that undoing brings back."""

    choice: gr.Radio
    changes: gr.HTML
    take: gr.Button
    undo: gr.Button
    before: gr.State


def layout() -> PresetsPart:
    """Draw the card."""
    before = gr.State(None)
    with gr.Column(elem_classes=["card", "presets"]):
        titled("Presets", "A few settings at once, for an aim.")
        choice = gr.Radio(
            [(p.label, p.name) for p in PRESETS.values()],
            show_label=False,
            label="Presets",
            elem_id="presets",
            elem_classes=["segment", "even"],
            interactive=True,
        )
        changes = html(f'<p class="quiet small">{FIRST}</p>', elem_id="preset-changes")
        with gr.Row(elem_classes="tools"):
            take = gr.Button("Apply", size="sm", scale=0, visible=False)
            undo = gr.Button("Undo", size="sm", scale=0, visible=False)
    return PresetsPart(choice, changes, take, undo, before)


def wire(part: PresetsPart, shared: Shared) -> None:
    """Events."""
    gr.on(
        [part.choice.input, shared.draft.change],
        shown,
        [part.choice, shared.draft],
        [part.changes, part.take],
        trigger_mode="always_last",
        **QUIET,
    )
    part.take.click(
        take, [part.choice, shared.draft, shared.filled], [shared.draft, shared.filled, part.before, part.undo], **QUIET
    )
    part.undo.click(
        lambda before, filled: (before, filled + 1, gr.Button(visible=False)),
        [part.before, shared.filled],
        [shared.draft, shared.filled, part.undo],
        **QUIET,
    )


def shown(name: str | None, draft: Draft) -> tuple[str, Any]:
    """What a preset would change in the draft, each with its reason; and whether there is anything to apply."""
    if not name:
        return f'<p class="quiet small">{FIRST}</p>', gr.Button(visible=False)
    chosen = preset(name)
    about = f'<p class="small">{escape(chosen.sentence)}</p>'
    if form.errors(draft):
        words = say("mute", "Mend what is wrong first", "A preset goes on from settings that could be run.")
        return about + words, gr.Button(visible=False)
    config = dataset.usable(draft)
    changes = chosen.changes(config, facts_of(config))
    if not changes:
        return about + say("done", "Nothing to change", "The settings are so already."), gr.Button(visible=False)
    labels = {s.path: s.label for s in [*form.all_settings(), *form.settings(DataConfig, "data")]} | NAMES
    rows = [
        [escape(labels.get(c.path, c.path)), f"{_said(c.was)} → <b>{_said(c.value)}</b>", escape(c.why)]
        for c in changes
    ]
    made = table(["Setting", "Change", "Why"], rows, caption=f"What {chosen.label} changes", kind="why")
    return about + made, gr.Button(f"Apply {plural(len(changes), 'change')}", visible=True)


def _said(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(f"{value:g}" if isinstance(value, float) else str(value))


def take(name: str, draft: Draft, filled: int) -> tuple[Any, Any, Any, Any]:
    """Make the changes; the draft before can be brought back."""
    config = dataset.usable(draft)
    try:
        made = apply(config, preset(name).changes(config, facts_of(config)))
    except InputError:
        return gr.skip(), gr.skip(), gr.skip(), gr.skip()
    return made.model_dump(mode="json"), filled + 1, draft, gr.Button(visible=True)
