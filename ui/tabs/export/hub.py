"""To the Hub: what would be sent is shown first; then it is sent, private unless somebody says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from core.errors import InputError
from core.export import push
from core.runs import jobs, records
from core.runs.rights import may
from core.runs.state import read
from ui.chooser import QUIET, opened
from ui.door import visitor
from ui.live import JobProgress, job_value
from ui.parts import html, say, table
from ui.shared import Shared
from ui.telling import size

NOTE = (
    "The card and every file of the package go along; nothing else of the run does. The token is that of this machine "
    "or of the Model tab, and is written nowhere. Tried against a Hub of our own; the real one is <b>not verified</b>."
)


@dataclass(frozen=True)
class Hub:
    """The components of the fold."""

    repo: gr.Textbox
    public: gr.Checkbox
    look: gr.Button
    send: gr.Button
    stop: gr.Button
    note: gr.HTML
    progress: JobProgress


def layout() -> Hub:
    """Draw the fold."""
    with gr.Accordion("Send it to the Hugging Face Hub", open=False, elem_id="to-hub"):
        html(f'<p class="quiet small">{NOTE}</p>')
        with gr.Row(elem_classes="ask"):
            repo = gr.Textbox(
                label="Repository", placeholder="owner/name", lines=1, max_lines=1, scale=1, interactive=True,
                elem_id="field-export-repo",
            )  # fmt: skip
            look = gr.Button("Show what goes", size="sm", scale=0, min_width=150)
        public = gr.Checkbox(label="Everybody may read it", value=False, interactive=True)
        note = html(elem_id="hub-note", elem_classes="tall")
        progress = JobProgress()
        with gr.Row(elem_classes="tools"):
            send = gr.Button("Send", size="sm", scale=0, visible=False, elem_id="hub-send")
            stop = gr.Button("Cancel", size="sm", scale=0, variant="stop", visible=False)
    return Hub(repo, public, look, send, stop, note, progress)


def wire(part: Hub, shared: Shared, device: gr.Radio, precision: gr.Radio) -> None:
    """Connect the events."""
    asked = [shared.run, device, precision, part.repo, part.public]
    told = [part.note, part.send, part.stop, part.progress]
    gr.on([part.look.click, part.repo.submit], shown, asked, told, **QUIET)
    part.public.input(lambda: ("", gr.Button(visible=False)), None, told[:2], **QUIET)
    part.send.click(sent, [*asked, shared.token], told, **QUIET)
    part.stop.click(stopped, shared.run, told, **QUIET)
    part.progress.ended(ended, shared.run, told, **QUIET)


def _told(note: str, send: bool = False, stop: bool = False, job: Any = None) -> tuple[Any, ...]:
    return note, gr.Button(visible=send), gr.Button(visible=stop), job or gr.skip()


def shown(
    run_id: str, device: str, precision: str, repo: str, public: bool, request: gr.Request | None = None
) -> tuple[Any, ...]:
    """A dry run: where to, who can read it, every file with its size, the commit's message. Nothing leaves."""
    run = opened(run_id)
    if run is None:
        return _told(say("fix", "There is no run to send", ""))
    try:
        plan = push.told(push.plan(run, f"{device}-{precision}", repo.strip(), public))
    except InputError as error:
        return _told(say("bad", "This cannot be sent", escape(str(error))))
    who = "everybody can read it" if public else "private: you, and whom you let in"
    notes = "".join(f"<li>{escape(note)}</li>" for note in plan["notes"])
    files = [[f"<span class='mono'>{escape(f['name'])}</span>", " ".join(size(f["bytes"]))] for f in plan["files"]]
    whole = " ".join(size(plan["bytes"]))
    head = say("ready", f"{len(files)} files, {whole}, to {escape(plan['repo'])}", f"{who}. {escape(plan['message'])}.")
    listed = table(["File", "Size#"], files, caption="Files that would be sent")
    return _told(f"{head}<ul class='remarks small'>{notes}</ul>{listed}", send=may(run, visitor(request)))


def sent(
    run_id: str,
    device: str,
    precision: str,
    repo: str,
    public: bool,
    token: str = "",
    request: gr.Request | None = None,
) -> tuple[Any, ...]:
    """Send it, in a process of its own."""
    run = opened(run_id)
    try:
        if run is None:
            raise InputError("There is no run to send: choose one.")
        jobs.start_push(run, f"{device}-{precision}", repo.strip(), public, token, visitor(request))
    except InputError as error:
        return _told(say("bad", "This cannot be sent", escape(str(error))))
    return _told("", stop=True, job=job_value(run, "push", jobs.push_state(run)))


def stopped(run_id: str, request: gr.Request | None = None) -> tuple[Any, ...]:
    """End a push that is under way."""
    run = opened(run_id)
    try:
        if run is not None:
            jobs.stop_push(run, visitor(request))
    except InputError as error:
        return _told(say("bad", "This cannot be ended", escape(str(error))))
    return _told("")


def ended(run_id: str) -> tuple[Any, ...]:
    """How a push ended."""
    run = opened(run_id)
    state = read(run.dir / "export" / "push" / "state.json") if run else None
    if run is None or state is None:
        return _told("")
    if state.state == "failed":
        return _told(say("bad", "It was not sent", escape(state.error)))
    if state.state != "done":
        return _told(say("fix", "Cancelled", "A commit is whole or not there at all: nothing half sent can be seen."))
    url = escape(str((records.SENT.find(run.dir / "export" / "push" / "result.json") or {}).get("url") or ""))
    return _told(say("done", "It is on the Hub", f'<a href="{url}" rel="noopener" target="_blank">{url}</a>'))
