"""Evaluate: is the tuned model better than the base, by how much, how sure, and where is it worse."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from core.errors import InputError
from core.runs import jobs
from core.runs.rights import may
from core.runs.state import State
from core.runs.store import Run, list_runs, open_run
from ui import predictions
from ui.chooser import QUIET, choices, choose, chooser, opened, trouble
from ui.door import visitor
from ui.figures import against, all_figures, by_label, cards, confusion, errs, groups, led
from ui.live import JobProgress, job_value
from ui.parts import html, say, titled
from ui.shared import Shared, answered
from ui.telling import named, when
from ui.theme import ASSETS

DRAWING = """<svg width="200" height="112" viewBox="0 0 200 112" fill="none" stroke-width="2" aria-hidden="true">
<path d="M36 8v96" stroke="var(--edge)"/><path d="M36 28h64" stroke="var(--steel)" stroke-width="14"/>
<path d="M36 58h112" stroke="var(--heat)" stroke-width="14" stroke-dasharray="6 5"/>
<path d="M120 88h56m-28-5v10" stroke="var(--heat)" stroke-width="3"/></svg>"""
JS = (ASSETS / "js" / "download.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Evaluate:
    """The handles of this tab."""

    title: gr.HTML
    chosen: gr.Dropdown
    cancel: gr.Button
    go: gr.Button
    on: gr.Button
    problems: gr.HTML
    doing: gr.Column
    progress: JobProgress
    nothing: gr.Column
    lacking: gr.HTML
    body: gr.Column
    cards: gr.HTML
    where: gr.HTML
    figures: gr.HTML
    filtered: gr.Radio
    words: gr.Textbox
    number: gr.State
    before: gr.Button
    after: gr.Button
    place: gr.HTML
    rows: gr.HTML
    download: gr.HTML


def layout(shared: Shared) -> Evaluate:
    """Draw the tab; without a result it says what is missing, and leads there."""
    with gr.Row(elem_classes="lead"):
        title = html(heading(None))
        chosen = chooser()
        cancel = gr.Button("Cancel", variant="stop", scale=0, visible=False)
        go = gr.Button("Evaluate", variant="primary", scale=0, visible=False, elem_classes="once")
        on = gr.Button("Continue to export", variant="primary", scale=0, visible=False)
    problems = html(visible=False, elem_classes=["card", "problems"])
    with gr.Column(elem_classes="card", visible=False) as doing:
        progress = JobProgress()
    with gr.Column(elem_classes="card") as nothing:
        lacking = html()
    with gr.Column(visible=False) as body:
        figure_cards = html()
        with gr.Row(equal_height=True, elem_classes="judged"):
            with gr.Column(elem_classes="card", scale=5, min_width=300):
                where_card = html()
            with gr.Column(elem_classes=["card", "all-answers"], scale=7, min_width=300):
                titled("What changed", "Struck: words that were not wanted.")
                with gr.Row(elem_classes="tools"):
                    filtered = gr.Radio(
                        [(name, name) for name in predictions.FILTERS],
                        value="All", show_label=False, label="Rows to show", elem_classes="segment", interactive=True,
                    )  # fmt: skip
                    words = gr.Textbox(
                        value="", label="Search the answers", show_label=False, placeholder="Search",
                        container=False, scale=1, min_width=160, max_lines=1,
                    )  # fmt: skip
                rows, number = html(), gr.State(0)
                with gr.Row(elem_classes="tools pager"):
                    before = gr.Button("Previous", size="sm", scale=0)
                    place = html()
                    after = gr.Button("Next", size="sm", scale=0)
                    download = Download()
        with gr.Column(elem_classes="card"):
            with gr.Accordion("All figures", open=False):
                figures = html()
    return Evaluate(
        title, chosen, cancel, go, on, problems, doing, progress, nothing, lacking, body, figure_cards, where_card,
        figures, filtered, words, number, before, after, place, rows, download,
    )  # fmt: skip


class Download(gr.HTML):
    """Two buttons that save the rows shown: value {"run", "filtered", "words"}."""

    def __init__(self) -> None:
        def fetch_file(request: dict[str, Any]) -> dict[str, str]:
            return file_of(request)

        super().__init__(
            {},
            html_template='<div class="saves"><button type="button" data-kind="csv">Save as CSV</button>'
            '<button type="button" data-kind="jsonl">Save as JSONL</button></div>',
            js_on_load=JS,
            server_functions=[fetch_file],
            apply_default_css=False,
        )

    def api_info(self) -> dict[str, Any]:
        """The value is an object, not text."""
        return {"type": "object"}


def wire(tab: Evaluate, shared: Shared) -> None:
    """Connect the events."""
    shown = [
        tab.title, tab.chosen, tab.cancel, tab.go, tab.on, tab.doing, tab.progress, tab.nothing, tab.lacking, tab.body,
        tab.cards, tab.where, tab.figures, tab.filtered,
    ]  # fmt: skip
    asked, paged = (
        [shared.run, tab.filtered, tab.words],
        [tab.number, tab.rows, tab.place, tab.before, tab.after, tab.download],
    )
    choose(tab.chosen, shared)
    gr.on(
        [shared.run.change, shared.again.change, shared.panels["evaluate"].select],
        show, [shared.run, tab.filtered], shown, trigger_mode="always_last", **QUIET,
    ).then(first_page, asked, paged, **QUIET)  # fmt: skip
    gr.on([tab.filtered.input, tab.words.change], first_page, asked, paged, trigger_mode="always_last", **QUIET)
    tab.before.click(
        lambda run, kept, words, at: answers(run, kept, words, at - 1), [*asked, tab.number], paged, **QUIET
    )
    tab.after.click(
        lambda run, kept, words, at: answers(run, kept, words, at + 1), [*asked, tab.number], paged, **QUIET
    )
    answered(tab.go.click(start, [shared.run, shared.again, shared.token], [tab.problems, shared.again], **QUIET))
    tab.cancel.click(cancel, [shared.run, shared.again], [tab.problems, shared.again], **QUIET)
    tab.progress.ended(lambda count: count + 1, shared.again, shared.again, **QUIET)
    open_export = "() => ({__type__: 'update', selected: 'export'})"
    tab.on.click(None, None, shared.tabs, js=open_export, api_visibility="private")


def heading(run: Run | None) -> str:
    """The title, and on how many rows of which run the figures stand."""
    result = run.evaluation() if run else None
    if run is None or result is None:
        return "<h1>Evaluate</h1><p>The tuned model against its base, on rows that neither has seen.</p>"
    kept = "validation" if (result.get("data") or {}).get("which") == "validation" else "held-out"
    base = "its base" if against(result) == "base" else "always saying the most frequent label"
    what = f"The tuned model against {base}, on {result['rows']:,} {kept} rows"
    return f"<h1>Evaluate</h1><p>{escape(named(run))}, {when(run.created)}. {what}.</p>"


def missing(run: Run | None) -> str:
    """The empty state: what will be here, what is lacking, and the way there."""
    link = '<a href="#train" data-tab="train">Train</a>'
    title, text = (
        "Not evaluated yet",
        "Base and tuned answer the same rows: you see what tuning changed.",
    )
    if run is None:
        title, text = "No run yet", f"Train a model first, under {link}: then its gain is measured here."
        if list_runs():
            title, text = "Choose a run", "Select a run above to see what tuning changed, or to measure it."
    elif not run.has_model and run.state().under_way:
        title, text = "Still training", f"There are no tuned weights yet: follow the run under {link}."
    elif not run.has_model:
        title, text = (
            "Nothing to evaluate",
            f"This run ended before weights were saved: resume or repeat it under {link}.",
        )
    return f'<div class="empty">{DRAWING}<h2>{title}</h2><p>{text}</p></div>'


def show(run_id: str, filtered: str, request: gr.Request | None = None) -> tuple[Any, ...]:
    """The tab for a run: its result, the job under way, or what is missing."""
    run = opened(run_id)
    state: State | None = run.evaluation_state() if run else None
    result = run.evaluation() if run else None
    live, ready = state is not None and state.under_way, run is not None and run.has_model
    mine = run is not None and may(run, visitor(request))
    count = predictions.counts(predictions.rows(run)) if run and result else dict.fromkeys(predictions.FILTERS, 0)
    return (
        heading(run),
        choices(run_id),
        gr.Button(visible=live and mine),
        gr.Button(
            "Evaluate again" if result else "Evaluate",
            variant="secondary" if result else "primary",
            visible=ready and mine and not live,
        ),
        gr.Button(visible=result is not None and not live),
        gr.Column(visible=live),
        job_value(run, "evaluation", state) if run else {"run": "", "kind": "", "live": False, "html": ""},
        gr.Column(visible=result is None and not live),
        trouble(run_id) or _damaged(run) or _failed(state) or missing(run),
        gr.Column(visible=result is not None),
        cards(result, led(result)) if result else "",
        where(result) + _unread(run) if run and result else "",
        all_figures(result) if result else "",
        gr.Radio(choices=[(f"{name} {count[name]:,}", name) for name in predictions.FILTERS], value=filtered or "All"),
    )


def _failed(state: State | None) -> str:
    if state is None or state.state != "failed":
        return ""
    return say("bad", "The evaluation failed", escape(state.error))


def _damaged(run: Run | None) -> str:
    """What to say of a result that is there, and cannot be read."""
    sentence = run.evaluation_damage() if run is not None else ""
    return say("bad", "The result of this run is damaged", escape(f"{sentence} Evaluate again.")) if sentence else ""


def _unread(run: Run) -> str:
    """A note where some of the answers cannot be read."""
    sentence = predictions.damage(run)
    return f'<p class="quiet small note">{escape(sentence)} It is left out.</p>' if sentence else ""


def where(result: dict[str, Any]) -> str:
    """The confusion matrix of a classification, the groups of rows of anything else, and what else there is to know."""
    notes = "".join(f'<p class="quiet small note">{escape(str(note))}</p>' for note in result.get("notes") or [])
    if result.get("confusion"):
        head = f"<div class='titled'><div><h2>Confusion matrix</h2><p>{errs(result['confusion'])}</p></div></div>"
        labels = result.get("per_label") or []
        return head + confusion(result["confusion"]) + (by_label(labels) if labels else "") + notes
    return groups(result) + notes


def start(run_id: str, count: int, token: str = "", request: gr.Request | None = None) -> tuple[Any, int]:
    """Measure base and tuned, in a process of its own."""
    run = opened(run_id)
    try:
        if run is None:
            raise InputError("There is no run to evaluate: choose one.")
        jobs.start_evaluation(run, token=token, visitor=visitor(request))
    except InputError as error:
        return gr.HTML(say("bad", "This cannot be evaluated", escape(str(error))), visible=True), count
    return gr.HTML("", visible=False), count + 1


def cancel(run_id: str, count: int, request: gr.Request | None = None) -> tuple[Any, int]:
    """End the evaluation; the result that stood there before stays."""
    try:
        if run := opened(run_id):
            jobs.stop_evaluation(run, visitor(request))
    except InputError as error:
        return gr.HTML(say("bad", "This cannot be ended", escape(str(error))), visible=True), count
    return gr.HTML("", visible=False), count + 1


def first_page(run_id: str, filtered: str, words: str) -> tuple[Any, ...]:
    """The answers from the first on, after another filter or other words."""
    return answers(run_id, filtered, words, 0)


def answers(run_id: str, filtered: str, words: str, number: int) -> tuple[Any, ...]:
    """A page of the answers, and where it stands among them."""
    run = opened(run_id)
    found = predictions.chosen(predictions.rows(run), filtered, words) if run else []
    last = max(0, (len(found) - 1) // predictions.PAGE)
    number = min(max(0, number), last)
    first = number * predictions.PAGE
    place = f"{first + 1:,} to {min(first + predictions.PAGE, len(found)):,} of {len(found):,}" if found else "none"
    task = run.config().task if run is not None else ""
    return (
        number,
        predictions.page(found, number, task, against((run.evaluation() if run else None) or {})),
        f'<p class="quiet small" role="status">{place}</p>',
        gr.Button(interactive=number > 0),
        gr.Button(interactive=number < last),
        {"run": run_id, "filtered": filtered, "words": words},
    )


def file_of(request: dict[str, Any]) -> dict[str, str]:
    """{"name", "type", "text"} of the rows asked for, or {} where there are none; asked by the browser."""
    try:
        run = open_run(str(request.get("run") or ""))
    except InputError:
        return {}
    kind = "jsonl" if request.get("kind") == "jsonl" else "csv"
    found = predictions.chosen(predictions.rows(run), str(request.get("filtered")), str(request.get("words") or ""))
    mime = "application/jsonl" if kind == "jsonl" else "text/csv"
    return {"name": f"{run.id}-answers.{kind}", "type": mime, "text": predictions.as_file(found, kind)}
