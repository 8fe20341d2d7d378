"""Olive out: the run as a workflow that `olive run` takes, with what it cannot say named."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from core import olive
from core.errors import InputError
from ui.chooser import QUIET, opened
from ui.parts import html, say
from ui.shared import Shared

NOTE = (
    "The same tuning and export as one JSON file for <span class='mono'>olive run --config</span> of Microsoft Olive."
)


SAVE = """text => { const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' })); link.download = 'olive.json';
  link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 1000); }"""


@dataclass(frozen=True)
class Workflow:
    """The components of the fold."""

    write: gr.Button
    save: gr.Button
    note: gr.HTML
    code: gr.Code


def layout() -> Workflow:
    """Draw the fold."""
    with gr.Accordion("As an Olive workflow", open=False, elem_id="to-olive"):
        html(f'<p class="quiet small">{NOTE}</p>')
        with gr.Row(elem_classes="tools"):
            write = gr.Button("Write it", size="sm", scale=0)
            save = gr.Button("Download", size="sm", scale=0, visible=False)
        note = html(elem_id="olive-note")
        code = gr.Code(
            language="json", label="Workflow", visible=False, interactive=True, elem_classes="code", max_lines=18,
            buttons=["copy"], wrap_lines=True, elem_id="olive-code",
        )  # fmt: skip
    return Workflow(write, save, note, code)


def wire(part: Workflow, shared: Shared, device: gr.Radio, precision: gr.Radio) -> None:
    """Connect the events."""
    part.write.click(written, [shared.run, device, precision], [part.note, part.code, part.save], **QUIET)
    part.save.click(None, part.code, None, js=SAVE)


def written(run_id: str, device: str, precision: str) -> tuple[Any, ...]:
    """The workflow of a run, and what of the run it cannot say."""
    run = opened(run_id)
    try:
        if run is None:
            raise InputError("There is no run to write down: choose one.")
        made, notes = olive.workflow(run.config(), device, precision)
    except InputError as error:
        return (
            say("bad", "There is no such workflow", escape(str(error))),
            gr.Code(visible=False),
            gr.Button(visible=False),
        )
    text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    listed = "".join(f"<li><b class='mono'>{escape(n.option)}</b> {escape(n.reason)}</li>" for n in notes)
    said = say("fix", "Olive cannot say all of it", f"<ul class='remarks'>{listed}</ul>") if notes else ""
    return said, gr.Code(value=text, visible=True), gr.Button(visible=True)
