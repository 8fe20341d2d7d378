"""Export: for which device, how small, and is it still the same model."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from core.runs.rights import may
from core.runs.store import Run, list_runs
from ui.chooser import QUIET, choices, choose, chooser, opened, trouble
from ui.door import visitor
from ui.live import JobProgress, job_value
from ui.parts import badge, html, say, titled
from ui.places import Place, kind_of, places
from ui.shared import Shared, answered
from ui.tabs.export import hub, options, tryout, workflow
from ui.tabs.export.hub import Hub
from ui.tabs.export.job import busy, cancel, start, start_all
from ui.tabs.export.options import OptionsPart
from ui.tabs.export.packages import detail, made_before, overview, proven
from ui.tabs.export.tryout import Tryout
from ui.tabs.export.workflow import Workflow
from ui.telling import named

WHAT = "A folder that runs elsewhere without us, and the proof that it answers the same."
LEGEND = (
    ("ok", "Verified", "every answer is PyTorch’s"),
    ("warn", "Verified with loss", "some answers differ, counted"),
    ("mute", "Not verified here", "built, but this machine is no such device"),
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
    compare: gr.Button
    go: gr.Button
    problems: gr.HTML
    nothing: gr.Column
    lacking: gr.HTML
    body: gr.Column
    device: gr.Radio
    about: gr.HTML
    precision: gr.Radio
    doing: gr.Column
    progress: JobProgress
    overview: gr.HTML
    detail: gr.HTML
    options: OptionsPart
    gathered: gr.State
    tryout: Tryout
    hub: Hub
    workflow: Workflow


def layout(shared: Shared) -> Export:
    """Draw the tab; without a tuned model it says what is missing."""
    known = places()
    first = next(iter(known.values()))
    with gr.Row(elem_classes="lead"):
        title = html(f"<h1>Export</h1><p>{WHAT}</p>")
        chosen = chooser()
        stop = gr.Button("Cancel", variant="stop", scale=0, visible=False)
        compare = gr.Button("Compare all", scale=0, visible=False, elem_classes="once")
        go = gr.Button(label(first, first.default), variant="primary", scale=0, visible=False, elem_classes="once")
    problems = html(visible=False, elem_classes=["card", "problems"])
    with gr.Column(elem_classes="card") as nothing:
        lacking = html()
    with gr.Column(visible=False) as body:
        with gr.Column(elem_classes="card"):
            titled("Where to", "A device that is not here can still be exported for, and says so.")
            device = gr.Radio(
                [(place_card(p), p.name) for p in known.values()],
                value=first.name,
                show_label=False,
                label="Device",
                elem_classes=["pick", "places"],
                interactive=True,
            )
            about = html(about_place(first), elem_id="about-place")
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
                shown = html()
                more = options.layout()
            with gr.Column(elem_classes=["card", "detail"], scale=4, min_width=300):
                with gr.Column(visible=False) as doing:
                    progress = JobProgress()
                one = html()
        tried = tryout.layout()
        with gr.Column(elem_classes="card further"):
            titled("Further")
            sending = hub.layout()
            written = workflow.layout()
        marks = "".join(f"<span>{badge(kind, word)} {text}</span>" for kind, word, text in LEGEND)
        html(f"<div class='legend'>{marks}</div>")
    gathered = gr.State({})
    return Export(
        title, chosen, stop, compare, go, problems, nothing, lacking, body, device, about, precision, doing, progress,
        shown, one, more, gathered, tried, sending, written,
    )  # fmt: skip


def wire(tab: Export, shared: Shared) -> None:
    """Connect the events."""
    asked = [shared.run, tab.device, tab.precision]
    shown = [
        tab.title, tab.chosen, tab.cancel, tab.compare, tab.go, tab.nothing, tab.lacking, tab.body, tab.device,
        tab.about, tab.precision, tab.doing, tab.progress, tab.overview, tab.detail,
    ]  # fmt: skip
    choose(tab.chosen, shared)
    gr.on(
        [shared.run.change, shared.again.change, shared.panels["export"].select, tab.device.input, tab.precision.input],
        show, asked, shown, trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    gr.on(
        [shared.run.change, shared.panels["export"].select], _fitting, [shared.run, tab.options.adapters],
        [tab.options.calibration, tab.options.keep_adapter, tab.options.adapters], trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    tryout.wire(
        tab.tryout, shared, tab.device, tab.precision,
        [shared.run.change, shared.again.change, shared.panels["export"].select, tab.device.input, tab.precision.input],
    )  # fmt: skip
    hub.wire(tab.hub, shared, tab.device, tab.precision)
    workflow.wire(tab.workflow, shared, tab.device, tab.precision)
    picked, told = tab.options.inputs(), [tab.problems, shared.again]
    gathers = {"fn": options.gather, "inputs": picked, "outputs": tab.gathered, **QUIET}
    answered(tab.go.click(**gathers).then(start, [*asked, tab.gathered, shared.again, shared.token], told, **QUIET))
    every = [shared.run, tab.device, tab.gathered, shared.again, shared.token]
    answered(tab.compare.click(**gathers).then(start_all, every, told, **QUIET))
    tab.cancel.click(cancel, [*asked, shared.again], told, **QUIET)
    tab.progress.ended(lambda count: count + 1, shared.again, shared.again, **QUIET)


def _fitting(run_id: str, chosen: list[str]) -> tuple[Any, ...]:
    return options.fitting(opened(run_id), chosen)


def label(place: Place, precision: str, again: bool = False) -> str:
    """What the primary action will do."""
    if not place.device:
        return f"Write {precision} again" if again else f"Write {place.label}, {precision}"
    return f"Export {precision} again" if again else f"Export {precision} for {place.label}"


def place_card(place: Place, run: Run | None = None) -> str:
    """A place as a choice: its name, and what was verified for it; before that, whether it can be."""
    return f"{place.label.partition(' (')[0]}\n{(proven(run, place) if run else '') or place.mark}"


def about_place(place: Place) -> str:
    """The chosen place in sentences: where it runs, what it needs, whether it can be proven here."""
    marks = "" if place.verifiable else f" {escape(place.why)}"
    return f'<p class="quiet small">{escape(place.sentence)} {escape(place.needs)}{marks}</p>'


def about_refused(place: Place) -> str:
    """Why a place that was chosen cannot be taken."""
    return say("fix", f"{escape(place.label)} does not take this model", escape(place.why))


def missing(run: Run | None) -> str:
    """What is lacking before anything can be exported, with the way there."""
    link = '<a href="#train" data-tab="train">Train</a>'
    if run is None:
        what = "A tuned model becomes a package for another device here."
        return f"{what} {'Choose a run above' if list_runs() else f'Begin under {link}'}."
    if run.state().under_way:
        return f"This run is still being trained: follow it under {link}."
    return f"This run has no tuned weights: it ended before any were saved. Resume or repeat it under {link}."


def show(run_id: str, device: str, precision: str, request: gr.Request | None = None) -> tuple[Any, ...]:
    """The tab for a run, a device and a precision. A precision that the device has not falls back to its default."""
    run = opened(run_id)
    ready = run is not None and run.has_model
    known = places(kind_of(run) if ready else "writer")
    place = known.get(device) or next(iter(known.values()))
    refused = "" if place.precisions else about_refused(place)
    if refused:
        place = next(iter(known.values()))
    precision = precision if precision in place.precisions else place.default
    work = busy(run, place.name, precision) if run and ready else None
    made = ready and run is not None and made_before(run, place.name, precision)
    kind = f"export/{work[0]}-{work[1]}" if work else ""
    mine = run is not None and may(run, visitor(request))
    idle = ready and mine and work is None
    return (
        f"<h1>Export</h1><p>{escape(named(run)) + ': a' if run and ready else 'A'}{WHAT[1:]}</p>",
        choices(run_id),
        gr.Button(visible=work is not None and mine),
        gr.Button(f"Compare all {len(place.precisions)}", visible=idle and place.device and len(place.precisions) > 1),
        gr.Button(label(place, precision, made), visible=idle),
        gr.Column(visible=not ready),
        trouble(run_id) or empty_words(run),
        gr.Column(visible=ready),
        gr.Radio([(place_card(p, run if ready else None), p.name) for p in known.values()], value=place.name),
        refused or about_place(place),
        gr.Radio(list(place.precisions), value=precision),
        gr.Column(visible=work is not None),
        job_value(run, kind, work[2]) if run and work else {"run": "", "kind": "", "live": False, "html": ""},
        overview(run, place, precision) if run and ready else "",
        detail(run, place, precision) if run and ready else "",
    )


def empty_words(run: Run | None) -> str:
    """The empty state, for this run."""
    title = "Choose a run" if run is None and list_runs() else "Nothing to export yet"
    return f'<div class="empty">{DRAWING}<h2>{title}</h2><p>{missing(run)}</p></div>'
