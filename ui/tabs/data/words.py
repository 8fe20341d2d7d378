"""How a row becomes text, and what of it is trained on: the template, and one row as tokens with the chat beside it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from core.config import TASKS, DataConfig
from core.data.dataset import sample
from core.data.formats import Undesired
from core.data.named import NAMED
from core.data.suggest import suggest_task, suggest_template
from core.errors import InputError
from ui import bubbles, dataset, form, tokens
from ui.parts import html, nothing, titled
from ui.shared import Shared
from ui.tabs.data import rows
from ui.tabs.data.refresh import EACH, QUIET, Refresh

FIELDS = {s.path: s for s in form.settings(DataConfig, "data")}
KINDS = [("Text with {columns}", "text"), ("The model's chat template", "chat"), ("A known format", "named")]
LOSS = [("Every answer", "answers"), ("The last answer", "last"), ("All text", "all")]
STEPS = ("Previous", "Next", "Random", "Longest", "First that is cut")

Draft = dict[str, Any]


@dataclass(frozen=True)
class WordsPart:
    """The components of the card."""

    task: gr.Radio
    task_note: gr.HTML
    kind: gr.Radio
    format: gr.Dropdown
    template: gr.Textbox
    columns: gr.HTML
    system: gr.Textbox
    loss: gr.Radio
    view: gr.HTML
    steps: dict[str, gr.Button]
    row: gr.Number
    ids: gr.Checkbox

    @property
    def filled(self) -> list[Any]:
        """What `fill` fills in."""
        return [self.task, self.kind, self.format, self.template, self.system, self.loss]


def layout() -> WordsPart:
    """Draw the card."""
    with gr.Column(elem_classes=["card", "star"]):
        titled(
            "What is trained", "One row, cut into tokens exactly as training will see it. Point at a token for its id."
        )
        with gr.Row(elem_classes="choices"):
            task = gr.Radio(
                [(t.capitalize(), t) for t in TASKS],
                label="Task",
                elem_id="field-task",
                elem_classes="segment",
                interactive=True,
                scale=0,
                min_width=280,
            )
            kind = gr.Radio(
                KINDS,
                label="How a row becomes text",
                elem_classes="segment",
                interactive=True,
                scale=0,
                min_width=280,
            )
            loss = gr.Radio(
                LOSS,
                label="Loss on",
                elem_id="field-data-train_on",
                elem_classes="segment",
                interactive=True,
                scale=0,
                min_width=280,
            )
        task_note = html(elem_id="task-note")
        with gr.Row():
            with gr.Column(scale=4, min_width=280):
                named = gr.Dropdown(
                    [(about.label, name) for name, about in NAMED.items()],
                    value=next(iter(NAMED)),
                    label="Format",
                    info="Written as the families of models were trained on it.",
                    elem_id="field-data-format",
                    visible=False,
                    interactive=True,
                )
                template = gr.Textbox(
                    label=FIELDS["data.template"].label,
                    info="{column} is filled in from the row. The last one, or what is in [[\u00a0]], is the answer.",
                    lines=4,
                    max_lines=14,
                    elem_classes="code",
                    elem_id="field-data-template",
                    interactive=True,
                )
                columns = html(elem_id="columns")
                system = gr.Textbox(
                    label="System prompt",
                    info="Put in front of every conversation that has none of its own.",
                    lines=2,
                    max_lines=6,
                    elem_id="field-data-system",
                    visible=False,
                    interactive=True,
                )
            with gr.Column(scale=9, min_width=280):
                view = tokens.view()
                html(tokens.LEGEND)
                with gr.Row(elem_classes="tools"):
                    steps = {name: gr.Button(name, size="sm", scale=0, min_width=88) for name in STEPS}
                    row = gr.Number(
                        1,
                        label="Row",
                        show_label=True,
                        minimum=None,
                        step=1,
                        elem_classes="inline",
                        scale=0,
                        min_width=120,
                    )
                    ids = gr.Checkbox(False, label="Show the id under each token", container=False, min_width=220)
    return WordsPart(task, task_note, kind, named, template, columns, system, loss, view, steps, row, ids)


def wire(part: WordsPart, shared: Shared, refresh: Refresh, at: gr.State, first: gr.State, table: gr.HTML) -> None:
    """Events of the card, and of every click that leads to a row."""
    draft = shared.draft
    newest: dict[str, Any] = QUIET | {"trigger_mode": "always_last"}
    shaped = [draft, part.template, part.format, part.system, part.columns]
    refresh.everything(part.task.input(partial(form.put, "task"), [part.task, draft], draft, **newest))
    inputs = [part.kind, part.template, part.format, draft]
    refresh.everything(part.kind.input(put_kind, inputs, shaped, **newest))
    refresh.everything(part.format.input(put_kind, inputs, shaped, **newest))
    # Not .input: Gradio's fires for key presses alone, so that what is pasted or put in by a chip would be missed.
    refresh.quick(part.template.change(put_template, [part.template, draft], draft, **newest))
    refresh.quick(gr.on([part.system.submit, part.system.blur], put_system, [part.system, draft], draft, **newest))
    refresh.quick(part.loss.input(partial(form.put, "data.train_on"), [part.loss, draft], draft, **newest))

    def led(event: Any) -> None:
        event.then(shown_row, [draft, first, at], [part.view, part.row, table], **QUIET)

    led(table.select(pick, draft, at, **EACH))
    for name, button in part.steps.items():
        led(button.click(partial(step, name), [draft, at], at, **EACH))
    led(gr.on([part.row.submit, part.row.blur], go_to, [draft, part.row], at, **newest))
    part.ids.input(None, part.ids, None, js="on => document.documentElement.toggleAttribute('data-ids', on)")


# The draft


def kind_of(draft: Draft) -> str:
    """Text template, the model's chat template, or a known format."""
    words = dataset.text_template(draft)
    return "chat" if words is None else "named" if words in NAMED else "text"


def put_template(text: str, draft: Draft) -> Draft:
    """The text of the template; while another kind is in use, the field only keeps it."""
    return form.with_value(draft, "data.template", text) if kind_of(draft) == "text" else draft


def put_system(text: str, draft: Draft) -> Draft:
    """The system prompt; nothing in it is none."""
    return form.with_value(draft, "data.system", text.strip() or None)


def put_kind(kind: str, text: str, named: str, draft: Draft) -> list[Any]:
    """Which kind of template; the text is kept in its field while another is in use."""
    value = {"text": text.strip() and text or _suggested(draft), "named": named}.get(kind)
    draft = form.with_value(draft, "data.template", value)
    if kind == "text":  # the system prompt of a text template is written into it
        draft = form.with_value(draft, "data.system", None)
    return [draft, *_fields(draft, text), columns(draft)]


def _fields(draft: Draft, text: str) -> list[Any]:
    """Template, format and system prompt, with those shown that the kind in use has."""
    kind, value = kind_of(draft), dataset.text_template(draft)
    return [
        gr.update(visible=kind == "text", value=value if kind == "text" else text),
        gr.update(visible=kind == "named", **({"value": value} if kind == "named" else {})),
        gr.update(visible=kind != "text", value=form.value_of(draft, "data.system") or ""),
    ]


def fill(draft: Draft) -> list[Any]:
    """The card from a whole new draft."""
    template, named, system = _fields(draft, "")
    loss = form.value_of(draft, "data.train_on", "answers")
    task = form.value_of(draft, "task")
    return [task, kind_of(draft), named, template, system, loss]


def _suggested(draft: Draft) -> str:
    try:
        return suggest_template(dataset.source(draft).layout) or ""
    except InputError:
        return ""


# Which row


def step(name: str, draft: Draft, at: int) -> int:
    """The row that a button leads to."""
    try:
        total = len(dataset.source(draft).rows)
        if name == "Longest":
            return dataset.longest(draft)
        if name == "First that is cut":
            over = dataset.first_cut(draft)
            if over is None:
                gr.Info("No row is longer than the limit.", duration=4)
            return at if over is None else over
    except InputError:
        return at
    ways = {"Previous": at - 1, "Next": at + 1, "Random": random.randrange(total)}  # noqa: S311 - nothing depends on it
    return ways[name] % total


def go_to(draft: Draft, number: float | None) -> int:
    """A row number that was typed, as people count; the nearest that there is."""
    try:
        total = len(dataset.source(draft).rows)
    except InputError:
        return 0
    return max(0, min(int(number or 1), total) - 1)


def pick(draft: Draft, event: gr.EventData) -> int:
    """A row that was clicked on."""
    return go_to(draft, int(event.row) + 1)


# What is shown


def note(draft: Draft) -> str:
    """A word on the task, where the rows look made for another."""
    data = dataset.source(draft)
    wise = suggest_task(data.layout, sample(data.rows))
    if wise == form.value_of(draft, "task"):
        return ""
    return f'<p class="small quiet">These rows look like <b>{escape(wise)}</b>.</p>'


def columns(draft: Draft) -> str:
    """The names that a template may use, each put in by a click; or what another kind does with the rows."""
    kind = kind_of(draft)
    if kind == "chat":
        words = "Each row becomes messages, and the model's own chat template makes the text."
        return f'<p class="small quiet">{words}</p>'
    if kind == "named":
        about = NAMED[str(dataset.text_template(draft))]
        return f'<p class="small quiet">{escape(about.sentence)}</p>'
    try:
        names = dataset.source(draft).columns
    except InputError:
        return ""
    chips = "".join(f'<button type="button" data-insert="{{{escape(c)}}}">{{{escape(c)}}}</button>' for c in names[:24])
    return f'<div class="chips"><span class="small quiet">Put in</span>{chips}</div>'


def looked_at(draft: Draft, at: int) -> tuple[str, int]:
    """The row in view, as tokens with the chat beside it, and its number as people count."""
    try:
        data = dataset.source(draft)
        at = max(0, min(at, len(data.rows) - 1))
        preview = dataset.preview(draft, at)
        drawn = tokens.drawn(preview, at, len(data.rows), _side(draft, at))
        return f'<div class="both"><div>{drawn}</div>{bubbles.drawn(preview.messages)}</div>', at + 1
    except InputError as error:
        if error.field == "data.template" and kind_of(draft) == "text":  # what is wrong stands at the field
            return nothing("This row cannot be shown yet", "Mend the template, and it appears here."), at + 1
        where = {"model.path": ' <a href="#model" data-tab="model">Go to Model.</a>'}.get(error.field, "")
        title = "This row is left out" if isinstance(error, Undesired) else "This row cannot be shown yet"
        said = str(error)
        return nothing(title, escape(said[:1].upper() + said[1:]) + where), at + 1


def shown_row(draft: Draft, first: int, at: int) -> tuple[str, int, str]:
    """The row in view, its number, and the table with it marked."""
    view, number = looked_at(draft, at)
    try:
        return view, number, rows.drawn(draft, first, at)
    except InputError:
        return view, number, gr.skip()


def _side(draft: Draft, at: int) -> str:
    parts = dataset.counts(draft)
    if parts is None or not parts.validation:
        return ""
    if dataset.among(at, parts.validation):
        return "kept back to check with"
    return "a row to train on" if dataset.among(at, parts.train) else "left out"
