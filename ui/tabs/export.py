"""Export: for which device, how small, and is it still the same model."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from core.errors import InputError
from core.export.targets import TARGETS, Target, check
from core.runs import jobs
from core.runs.state import State
from core.runs.store import Run
from ui.chooser import QUIET, choices, choose, chooser, opened
from ui.live import JobProgress, job_value
from ui.packages import detail, made_before, overview
from ui.parts import badge, empty, html, say, titled
from ui.shared import Shared
from ui.telling import named

WHAT = "A folder that runs elsewhere without us, and the proof that it answers the same."
LEGEND = (
    ("ok", "Verified", "every answer is PyTorch’s"),
    ("warn", "Verified with loss", "some answers differ, counted"),
    ("mute", "Not verified here", "built, but this machine cannot run it"),
)
DRAWING = """<svg width="200" height="112" viewBox="0 0 200 112" fill="none" stroke-width="2" aria-hidden="true">
<path d="M60 40l40-20 40 20v40l-40 20-40-20z M60 40l40 20 40-20 M100 60v40" stroke="var(--edge)"/>
<path d="M148 60h36m-10-9 10 9-10 9" stroke="var(--heat)" stroke-width="3" stroke-dasharray="6 5"/></svg>"""


@dataclass(frozen=True)
class Export:
    """The handles of this tab."""

    title: gr.HTML
    chosen: gr.Dropdown
    cancel: gr.Button
    go: gr.Button
    problems: gr.HTML
    nothing: gr.Column
    lacking: gr.HTML
    body: gr.Column
    device: gr.Radio
    precision: gr.Radio
    doing: gr.Column
    progress: JobProgress
    overview: gr.HTML
    detail: gr.HTML


def layout(shared: Shared) -> Export:
    """Draw the tab; without a tuned model it says what is missing."""
    first = next(iter(TARGETS.values()))
    with gr.Row(elem_classes="lead"):
        title = html(f"<h1>Export</h1><p>{WHAT}</p>")
        chosen = chooser()
        cancel = gr.Button("Cancel", variant="stop", scale=0, visible=False)
        go = gr.Button(label(first, first.default), variant="primary", scale=0, visible=False)
    problems = html(visible=False, elem_classes=["card", "problems"])
    with gr.Column(elem_classes="card") as nothing:
        lacking = empty("Nothing to export yet", missing(None), DRAWING)
    with gr.Column(visible=False) as body:
        with gr.Column(elem_classes="card"):
            titled("Device", "What cannot be tried on this machine can still be exported, and says so.")
            device = gr.Radio(
                [(device_card(t), t.device) for t in TARGETS.values()],
                value=first.device,
                show_label=False,
                label="Device",
                elem_classes=["pick", "two"],
                interactive=True,
            )
        with gr.Row(equal_height=True):
            with gr.Column(elem_classes="card", scale=8):
                titled("Precision")
                precision = gr.Radio(
                    list(first.precisions),
                    value=first.default,
                    show_label=False,
                    label="Precision",
                    elem_classes="segment",
                    interactive=True,
                )
                overview = html()
            with gr.Column(elem_classes=["card", "detail"], scale=4, min_width=300):
                with gr.Column(visible=False) as doing:
                    progress = JobProgress()
                detail = html()
        marks = "".join(f"<span>{badge(kind, word)} {text}</span>" for kind, word, text in LEGEND)
        html(f"<div class='legend'>{marks}</div>")
    return Export(
        title,
        chosen,
        cancel,
        go,
        problems,
        nothing,
        lacking,
        body,
        device,
        precision,
        doing,
        progress,
        overview,
        detail,
    )


def wire(tab: Export, shared: Shared) -> None:
    """Connect the events."""
    asked = [shared.run, tab.device, tab.precision]
    shown = [
        tab.title, tab.chosen, tab.cancel, tab.go, tab.nothing, tab.lacking, tab.body, tab.precision, tab.doing,
        tab.progress, tab.overview, tab.detail,
    ]  # fmt: skip
    choose(tab.chosen, shared)
    gr.on(
        [shared.run.change, shared.again.change, shared.panels["export"].select, tab.device.input, tab.precision.input],
        show, asked, shown, trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    tab.go.click(start, [*asked, shared.again, shared.token], [tab.problems, shared.again], **QUIET)
    tab.cancel.click(cancel, [*asked, shared.again], [tab.problems, shared.again], **QUIET)
    tab.progress.ended(lambda count: count + 1, shared.again, shared.again, **QUIET)


def label(target: Target, precision: str, again: bool = False) -> str:
    """What the primary action will do."""
    return f"Export {precision} again" if again else f"Export {precision} for {target.label}"


def device_card(target: Target) -> str:
    """A device as a choice: its name, whether a package can be tried here, and where it runs."""
    able, reason = target.verifiable()
    mark = "✓ can be verified here" if able else f"○ not verified here. {reason.rstrip('.')}"
    return f"{target.label}\n{mark}\n{target.sentence.rstrip('.')}"


def missing(run: Run | None) -> str:
    """What is lacking before anything can be exported, with the way there."""
    link = '<a href="#train" data-tab="train">Train</a>'
    if run is None:
        return f"A tuned model becomes a folder for another device here. Begin under {link}."
    if run.state().under_way:
        return f"This run is still being trained: follow it under {link}."
    return f"This run has no tuned weights: it ended before any were saved. Resume or repeat it under {link}."


def busy(run: Run, device: str, precision: str) -> tuple[str, str, State] | None:
    """The export of this run that is under way, the chosen one first."""
    under_way = [found for found in run.exports() if found[2].under_way]
    return next((f for f in under_way if f[:2] == (device, precision)), under_way[0] if under_way else None)


def show(run_id: str, device: str, precision: str) -> tuple[Any, ...]:
    """The tab for a run, a device and a precision. A precision that the device has not falls back to its default."""
    target = TARGETS.get(device) or next(iter(TARGETS.values()))
    precision = precision if precision in target.precisions else target.default
    run = opened(run_id)
    ready = run is not None and run.has_model
    work = busy(run, target.device, precision) if run and ready else None
    made = ready and run is not None and made_before(run, target.device, precision)
    kind = f"export/{work[0]}-{work[1]}" if work else ""
    return (
        f"<h1>Export</h1><p>{escape(named(run)) + ': a' if run and ready else 'A'}{WHAT[1:]}</p>",
        choices(run_id),
        gr.Button(visible=work is not None),
        gr.Button(label(target, precision, made), visible=ready and work is None),
        gr.Column(visible=not ready),
        empty_words(run),
        gr.Column(visible=ready),
        gr.Radio(list(target.precisions), value=precision),
        gr.Column(visible=work is not None),
        job_value(run, kind, work[2]) if run and work else {"run": "", "kind": "", "live": False, "html": ""},
        overview(run, target, precision) if run and ready else "",
        detail(run, target, precision) if run and ready else "",
    )


def empty_words(run: Run | None) -> str:
    """The empty state, for this run."""
    return f'<div class="empty">{DRAWING}<h2>Nothing to export yet</h2><p>{missing(run)}</p></div>'


def start(run_id: str, device: str, precision: str, count: int, token: str = "") -> tuple[Any, int]:
    """Build and compare a package, in a process of its own."""
    run = opened(run_id)
    try:
        if run is None:
            raise InputError("There is no run to export: choose one.")
        target, precision = check(device, precision)
        jobs.start_export(run, target.device, precision, token)
    except InputError as error:
        return gr.HTML(say("bad", "This cannot be exported", escape(str(error))), visible=True), count
    return gr.HTML("", visible=False), count + 1


def cancel(run_id: str, device: str, precision: str, count: int) -> tuple[Any, int]:
    """End the export that is under way; a package that stood there before stays."""
    run = opened(run_id)
    work = busy(run, device, precision) if run else None
    if run and work:
        jobs.stop_export(run, work[0], work[1])
    return gr.HTML("", visible=False), count + 1
