"""Data: choose a source, see the rows, shape them with a template, see the tokens, heed the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from core.config import TASKS, DataConfig
from core.data.sources import demo_sets
from ui import form, tokens
from ui.parts import html, lead, titled
from ui.shared import Shared
from ui.tabs import data_handlers as handlers
from ui.tabs import data_view as shown
from ui.uploads import KINDS, LIMIT_MB

FIELDS = {s.path: s for s in form.settings(DataConfig, "data")}
KIND_NAMES = [("Text with {columns}", "text"), ("Chat template of the model", "chat")]
STEPS = ("Previous", "Next", "Random", "Longest", "First that is cut")


@dataclass(frozen=True)
class DataTab:
    """The components of the tab."""

    go: gr.Button
    demo: gr.Radio
    upload: gr.File
    path: gr.Textbox
    open: gr.Button
    source: gr.HTML
    rows: gr.HTML
    validation: gr.Slider
    split: gr.HTML
    task: gr.Radio
    task_note: gr.HTML
    kind: gr.Radio
    template: gr.Textbox
    columns: gr.HTML
    max_tokens: gr.Number
    lengths: gr.HTML
    view: gr.HTML
    steps: dict[str, gr.Button]
    row: gr.Number
    ids: gr.Checkbox
    findings: gr.HTML
    at: gr.State  # the row in view, from 0
    first: gr.State  # the first row of the table, from 0


def layout(shared: Shared) -> DataTab:
    """Draw the tab. What depends on the draft is filled in when the page is opened."""
    at, first = gr.State(0), gr.State(0)
    [go] = lead("Data", "What the model will read, and what it will learn to answer.", "Continue to model")
    with gr.Row(equal_height=True):
        with gr.Column(elem_classes="card", scale=5, min_width=300):
            titled("Source", "Your own file, or a set to try things with.")
            demo = gr.Radio(
                [(f"{d.name}\n{d.rows:,} rows\n{d.sentence}", d.name) for d in demo_sets()],
                show_label=False,
                label="Demo sets",
                elem_classes="pick",
                interactive=True,
            )
            upload = gr.File(
                label=f"Your own file (JSON, JSONL, CSV, TSV, Parquet or text, at most {LIMIT_MB} MB)",
                file_types=list(KINDS),
                height=88,
                elem_id="upload",
                interactive=True,
            )
            with gr.Accordion("Or give a path, or the id of a data set on the Hub", open=False):
                with gr.Row(elem_classes="ask"):
                    path = gr.Textbox(
                        label="Path or Hub id",
                        info="A file on this machine, such as data/train.jsonl[:500], or an id such as owner/name.",
                        elem_id="field-data-path",
                        lines=1,
                        max_lines=1,
                        interactive=True,
                        scale=1,
                    )
                    open_it = gr.Button("Open", size="sm", scale=0, min_width=80)
            source = html(elem_id="source")
        with gr.Column(elem_classes=["card", "rows"], scale=7, min_width=300):
            rows = gr.HTML("", elem_id="rows", apply_default_css=False, js_on_load=handlers.ROWS_JS)
            with gr.Row(elem_classes="share"):
                validation = gr.Slider(
                    0,
                    0.5,
                    step=0.01,
                    label=FIELDS["data.validation"].label,
                    info=FIELDS["data.validation"].help,
                    elem_id="field-data-validation",
                    interactive=True,
                    buttons=[],
                    scale=3,
                )
                split = html(elem_id="split")
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
                KIND_NAMES,
                label="How a row becomes text",
                elem_classes="segment",
                interactive=True,
                scale=0,
                min_width=280,
            )
        task_note = html(elem_id="task-note")
        with gr.Row():
            with gr.Column(scale=4, min_width=280):
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
                lengths = tokens.histogram()
                max_tokens = gr.Number(
                    label=FIELDS["data.max_tokens"].label,
                    elem_id="field-data-max_tokens",
                    elem_classes="beside",
                    step=1,
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
    with gr.Column(elem_classes="card"):
        findings = gr.HTML("", elem_id="findings", apply_default_css=False, js_on_load=handlers.FINDINGS_JS)
    return DataTab(
        go, demo, upload, path, open_it, source, rows, validation, split, task, task_note, kind, template, columns,
        max_tokens, lengths, view, steps, row, ids, findings, at, first,
    )  # fmt: skip


def wire(tab: DataTab, shared: Shared) -> None:
    """Events. The draft is written first; what is shown of it follows, the quick parts before the slow ones."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    newest: dict[str, Any] = quiet | {"trigger_mode": "always_last"}
    draft, filled = shared.draft, shared.filled

    def slow(event: Any) -> None:
        event.then(shown.measured, draft, [tab.lengths, tab.split], **quiet).then(
            shown.doctor, draft, tab.findings, **quiet
        )

    def quick(event: Any) -> None:
        slow(event.then(shown.looked_at, [draft, tab.at], [tab.view, tab.row], **quiet))

    def everything(event: Any) -> None:
        quick(
            event.then(
                shown.overview,
                [draft, tab.first, tab.at],
                [tab.source, tab.rows, tab.columns, tab.task_note],
                **quiet,
            )
        )

    def whole(event: Any, handler: Any, inputs: list[Any]) -> None:
        """A whole new draft; the forms follow `filled`."""
        event(handler, inputs, [draft, filled, tab.source, tab.upload], **quiet)

    tab.go.click(None, None, shared.tabs, js="() => ({__type__: 'update', selected: 'model'})")
    whole(tab.demo.input, handlers.take_demo, [tab.demo, draft, filled])
    whole(tab.upload.upload, handlers.take_upload, [tab.upload, draft, filled])
    whole(partial(gr.on, [tab.open.click, tab.path.submit]), handlers.take_path, [tab.path, draft, filled])
    form_parts = [
        tab.demo,
        tab.path,
        tab.validation,
        tab.task,
        tab.kind,
        tab.template,
        tab.max_tokens,
        tab.at,
        tab.first,
    ]
    everything(filled.change(handlers.fill, draft, form_parts, **quiet))

    everything(shared.panels["data"].select(lambda: None, None, None, **quiet))  # another model, another seed

    everything(tab.task.input(partial(handlers.put, "task"), [tab.task, draft], draft, **newest))
    everything(
        tab.kind.input(handlers.put_kind, [tab.kind, tab.template, draft], [draft, tab.template, tab.columns], **newest)
    )
    # Not .input: Gradio's fires for key presses alone, so that what is pasted or put in by a chip would be missed.
    quick(tab.template.change(handlers.put_template, [tab.template, draft], draft, **newest))
    slow(tab.validation.input(partial(handlers.put, "data.validation"), [tab.validation, draft], draft, **newest))
    quick(
        gr.on(
            [tab.max_tokens.blur, tab.max_tokens.submit],
            handlers.put_limit,
            [tab.max_tokens, draft],
            draft,
            **newest,
        )
    )
    quick(tab.lengths.input(handlers.cut_moved, draft, [draft, tab.max_tokens], **newest))
    tab.rows.input(handlers.turn_page, [draft, tab.at], [tab.rows, tab.first], **newest)
    quick(tab.findings.input(handlers.mend, draft, [draft, tab.max_tokens], **newest))
    for trigger in (tab.rows.select, tab.findings.select):
        trigger(handlers.pick, draft, tab.at, **newest).then(
            shown.shown_row, [draft, tab.first, tab.at], [tab.view, tab.row, tab.rows], **quiet
        )
    for name, button in tab.steps.items():
        button.click(partial(handlers.step, name), [draft, tab.at], tab.at, **newest).then(
            shown.shown_row, [draft, tab.first, tab.at], [tab.view, tab.row, tab.rows], **quiet
        )
    gr.on([tab.row.submit, tab.row.blur], handlers.go_to, [draft, tab.row], tab.at, **newest).then(
        shown.shown_row, [draft, tab.first, tab.at], [tab.view, tab.row, tab.rows], **quiet
    )
    tab.ids.input(None, tab.ids, None, js="on => document.documentElement.toggleAttribute('data-ids', on)")
