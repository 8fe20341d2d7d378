"""Train: the loss as it falls, what the model says meanwhile, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from core.config import RunConfig, build
from core.errors import ConfigError, InputError
from core.runs import jobs, turn
from core.runs.rights import may
from core.runs.store import Run, describe_config, list_runs
from ui.chooser import QUIET, changed_since, choices, choose, chooser, opened, trouble
from ui.dataset import problems
from ui.door import visitor
from ui.live import news
from ui.live_plot import LivePlot
from ui.parts import html, say, titled
from ui.parts import nothing as nothing_here
from ui.shared import Shared, answered
from ui.telling import FIELD_TABS, about, named, when

DRAWING = """<svg width="200" height="112" viewBox="0 0 200 112" fill="none" stroke-width="2" aria-hidden="true">
<path d="M20 8v88h168" stroke="var(--edge)" stroke-linecap="round"/>
<path d="M28 16c14 46 34 58 62 64s60 6 92 7" stroke="var(--steel)" stroke-width="1.500"/>
<path d="M28 20c16 40 36 48 64 52s56 3 88 2" stroke="var(--heat)" stroke-width="3" stroke-dasharray="6 5"/></svg>"""
WHAT = "Training is a process of its own: close this page or restart the server, and it goes on."


@dataclass(frozen=True)
class Train:
    """The handles of this tab."""

    title: gr.HTML
    chosen: gr.Dropdown
    start: gr.Button
    stop: gr.Button
    go: gr.Button
    resume: gr.Button
    problems: gr.HTML
    nothing: gr.Column
    lacking: gr.HTML
    body: gr.Column
    plot: LivePlot


def slot(name: str, **kw: Any) -> gr.HTML:
    """A place that the answer of a poll fills, in the page itself; Python never writes it."""
    return html(f'<div data-live="{name}"></div>', **kw)


def layout(shared: Shared) -> Train:
    """Draw the tab; with no run in hand it says what will be here."""
    with gr.Row(elem_classes="lead"):
        title = html(heading(None, {}))
        chosen = chooser()
        start = gr.Button("Start training", variant="primary", scale=0, elem_classes="once", elem_id="start-run")
        stop = gr.Button("Stop", variant="stop", scale=0, visible=False)
        go = gr.Button("Continue to evaluate", variant="primary", scale=0, visible=False)
        resume = gr.Button("Resume", variant="primary", scale=0, visible=False, elem_classes="once")
    problems = html(visible=False, elem_classes=["card", "problems"])
    with gr.Column(elem_classes="card") as nothing:
        lacking = html()
    with gr.Column(visible=False) as body:
        slot("trouble", elem_classes="maybe")
        with gr.Column(elem_classes="card"):
            slot("strip")
        with gr.Row(equal_height=True):
            with gr.Column(elem_classes="card", scale=8):
                slot("head")
                plot = LivePlot(news, "Training and validation loss by step")
                with gr.Accordion("The same as a table", open=False):
                    slot("table", elem_classes="tall")
            with gr.Column(scale=4, min_width=300):
                with gr.Column(elem_classes=["card", "advice"]):
                    slot("advice")
                with gr.Column(elem_classes="card"):
                    titled("Checkpoints")
                    slot("checkpoints")
        with gr.Row(equal_height=True):
            with gr.Column(elem_classes="card", scale=6):
                slot("samples", elem_classes="asked")
            with gr.Column(elem_classes="card", scale=6, min_width=300):
                titled("Log", "", '<span class="quiet small">the last lines it printed</span>')
                html('<div class="log" data-live="log" tabindex="0" role="region" aria-label="Log"></div>')
    return Train(title, chosen, start, stop, go, resume, problems, nothing, lacking, body, plot)


def wire(tab: Train, shared: Shared) -> None:
    """Connect the events. The curve needs none: it polls by itself."""
    shown = [tab.title, tab.chosen, tab.start, tab.stop, tab.go, tab.resume, tab.nothing, tab.lacking]
    shown += [tab.body, tab.plot]
    choose(tab.chosen, shared)
    gr.on(
        [shared.run.change, shared.again.change, shared.panels["train"].select],
        show, [shared.run, shared.draft], shown, trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    answered(tab.start.click(start, [shared.draft, shared.token], [tab.problems, shared.run], **QUIET))
    tab.stop.click(stop, [shared.run, shared.again], [tab.problems, shared.again], **QUIET)
    resumed = tab.resume.click(resume, [shared.run, shared.again, shared.token], [tab.problems, shared.again], **QUIET)
    answered(resumed)
    tab.plot.moved(lambda count: count + 1, shared.again, shared.again, **QUIET)
    tab.go.click(
        None, None, shared.tabs, js="() => ({__type__: 'update', selected: 'evaluate'})", api_visibility="private"
    )


def heading(run: Run | None, draft: dict[str, Any]) -> str:
    """The title of the tab, and which run it speaks of."""
    if run is None:
        return f"<h1>Train</h1><p>{WHAT}</p>"
    since = " <b>The settings have changed since.</b>" if changed_since(run, draft) else ""
    return f"<h1>Train</h1><p>{escape(named(run))}, started at {when(run.created)}: {about(run.config())}.{since}</p>"


def show(run_id: str, draft: dict[str, Any], request: gr.Request | None = None) -> tuple[Any, ...]:
    """The tab for a run: heading, the actions that its state allows to whoever asks, and the curve to follow."""
    run = opened(run_id)
    state = run.state() if run else None
    name = state.state if state else ""
    under_way = name in ("queued", "running", "stopping")
    mine = run is not None and may(run, visitor(request))
    again = mine and run is not None and run.resumable is not None
    first = run is None or (name == "failed" and not again)
    return (
        heading(run, draft) + trouble(run_id),
        choices(run_id),
        gr.Button(
            starts(run, draft),
            variant="primary" if first else "secondary",
            visible=not under_way or not mine or (run is not None and changed_since(run, draft)),
        ),
        gr.Button(
            "Stopping" if name == "stopping" else "Stop", interactive=name != "stopping", visible=under_way and mine
        ),
        gr.Button(
            "Continue to evaluate",
            variant="primary" if name == "done" else "secondary",
            visible=name == "done" or (name == "stopped" and run is not None and run.has_model),
        ),
        gr.Button(variant="primary", visible=name in ("stopped", "failed") and again),
        gr.Column(visible=run is None),
        missing() if run is None else "",  # all runs are listed for it
        gr.Column(visible=run is not None),
        {"run": run_id if run else "", "state": name},
    )


def starts(run: Run | None, draft: dict[str, Any]) -> str:
    """What a press of the button starts: the settings in hand, which may be others than those of the run shown."""
    if run is None:
        return "Start training"
    try:
        what = describe_config(build(draft))
    except InputError:
        return "Start a new run"  # and it says what is wrong
    verb = "Queue" if len(turn.line()) >= turn.at_once() else "Start"
    return f"{verb} a new run: {what}" if changed_since(run, draft) else f"{verb} again: {what}"


def missing() -> str:
    """The empty state: what will be here, or which run may be chosen."""
    if list_runs():
        return nothing_here("Choose a run", "Select a run above, or start one with the current settings.", DRAWING)
    return nothing_here("No run yet", "Here you will see the loss fall, and what the model says as it learns.", DRAWING)


def start(draft: dict[str, Any], token: str = "", request: gr.Request | None = None) -> tuple[Any, Any]:
    """Check the whole draft and start a run of it; every problem is told at once, with the way to its tab."""
    try:
        config = build(draft)
        # Of the model the job knows more: it may have a token that the page has not.
        if wrong := {path: text for path, text in problems(draft).items() if path.startswith("data.")}:
            raise ConfigError(wrong)
        run = jobs.start_training(config, token=token, visitor=visitor(request))
    except InputError as error:
        return gr.HTML(refused(error), visible=True), gr.skip()
    return gr.HTML("", visible=False), run.id


def stop(run_id: str, count: int, request: gr.Request | None = None) -> tuple[Any, int]:
    """Ask the run to end; it finishes its step and saves its weights."""
    return _do(partial(jobs.stop, visitor=visitor(request)), run_id, count)


def resume(run_id: str, count: int, token: str = "", request: gr.Request | None = None) -> tuple[Any, int]:
    """Go on from the last checkpoint."""
    return _do(partial(jobs.resume, token=token, visitor=visitor(request)), run_id, count)


def _do(action: Any, run_id: str, count: int) -> tuple[Any, int]:
    run = opened(run_id)
    try:
        if run is not None:
            action(run)
    except InputError as error:
        return gr.HTML(refused(error), visible=True), count + 1
    return gr.HTML("", visible=False), count + 1


def refused(error: InputError) -> str:
    """Each problem in its own line, with a link to the tab where it is mended."""
    found = error.errors if isinstance(error, ConfigError) else {error.field: str(error)}
    title = "This is to be mended first" if len(found) == 1 else f"{len(found)} things are to be mended first"
    return say("bad", title, "<br>".join(_problem(path, text) for path, text in found.items()))


def _problem(path: str, text: str) -> str:
    tab = FIELD_TABS.get(path.partition(".")[0])
    link = f'<a href="#{tab}" data-tab="{tab}">{escape(setting_label(path))}</a>: ' if tab else ""
    return f"{link}{escape(text)}"


def setting_label(path: str) -> str:
    """What the form calls a setting: "training.learning_rate" -> "Learning rate"."""
    model: Any = RunConfig
    for part in path.split("."):
        info = getattr(model, "model_fields", {}).get(part)
        if info is None:
            return path
        extra, model = info.json_schema_extra or {}, info.annotation
    return str(extra.get("label") or path)
