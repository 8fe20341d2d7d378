"""The header: wordmark, the job in hand, what this machine has, and the switch between light and dark."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from functools import cache
from html import escape
from typing import Any

import gradio as gr
import psutil

from core.errors import InputError
from core.models.catalog import describe_model
from core.runs import turn
from core.runs.store import data_name, open_run
from core.settings import LABELS
from ui import form, telling
from ui.dataset import problems, source
from ui.parts import MARK, STATES, ico, plural

# Of a job's state, the mark of its tab.
WORDS = {"queued": "live", "running": "live", "stopping": "live", "stopped": "fix", "done": "done", "failed": "fix"}
CANCELLED = WORDS | {"stopped": "todo"}  # of an evaluation or export: it was stopped, and nothing is wrong

HOMES = {"task": "data", "augmentation": "data"}  # sections of the config that another part of the strip speaks for


def strip(draft: dict[str, Any], run: str = "") -> str:
    """The strip: the next run, part by part, where it is set up; the run in hand on the tabs that speak of it.

    Which of the two is shown follows from the tab (style.css). `data-mark="tab:state"` is what page.js copies to the
    tabs.
    """
    wrong = problems(draft)
    at_fault = Counter(HOMES.get(part := path.partition(".")[0], part) for path in wrong)
    method, own = form.method_of(draft), at_fault["method"] + at_fault["training"] + at_fault["evaluation"]
    rank = form.value_of(draft, "method.r")
    words = LABELS[method] + (f" r {rank}" if method in ("lora", "qlora") else "")
    parts = [
        ("data", _state(at_fault["data"]), "Data", _data(draft)),
        ("model", _state(at_fault["model"]), "Model", _model(draft)),
        ("model", _state(own), "Method", f"{words} · {own} to fix" if own else words),
        ("train", "todo" if wrong else "ready", "Start", "not ready" if wrong else _ready()),
    ]
    arrow = f'<li class="next" aria-hidden="true">{ico("next")}</li>'
    model = "fix" if own or at_fault["model"] else "done"
    marks = {"model": model, **_marks(run)}
    hidden = "".join(f'<li hidden data-mark="{tab}:{state}"></li>' for tab, state in marks.items())
    title = '<li class="next subject">Next run</li>'
    return (
        title
        + arrow.join(_part(*part) for part in parts)
        + _run(run)
        + hidden
        + f'<li hidden data-run="{escape(run)}"></li>'
    )


def _ready() -> str:
    """Whether a start would begin at once."""
    waiting = len(turn.line()) - turn.at_once() + 1
    return "ready" if waiting <= 0 else f"ready, will queue behind {plural(waiting, 'job')}"


def _run(run: str) -> str:
    """The run in hand: its name, when it was started, and its state."""
    try:
        found = open_run(run) if run else None
    except InputError:
        found = None
    if found is None:
        return '<li class="of-run subject">No run chosen</li>'
    state = found.state()
    word = telling.BADGES[state.state][1].lower()
    what = f"{found.title} · {word}"
    return _part("train", WORDS[state.state], f"Run, started {telling.when(found.created)}", what, "of-run")


def _state(wrong: int) -> str:
    return "fix" if wrong else "done"


def _data(draft: dict[str, Any]) -> str:
    name = data_name(str(form.value_of(draft, "data.path", "")))
    try:
        return f"{name} · {plural(len(source(draft).rows), 'row')}"
    except InputError:
        return name


def _model(draft: dict[str, Any]) -> str:
    path = str(form.value_of(draft, "model.path", ""))
    try:
        info = describe_model(path)
    except InputError:
        return path.rstrip("/").rsplit("/", 1)[-1] or "none"
    name = info.name.rpartition("/")[2].removesuffix("-model")
    return f"{name} {millions(info.parameters)}" if info.parameters else name


def _marks(run: str) -> dict[str, str]:
    """The states of the tabs that speak of the run in hand."""
    marks = {"train": "todo", "evaluate": "todo", "export": "todo"}
    try:
        found = open_run(run) if run else None
    except InputError:
        found = None
    if found is None:
        return marks
    marks["train"] = WORDS.get(found.state().state, "todo")
    evaluation, exports = found.evaluation_state(), [state for _, _, state in found.exports()]
    if evaluation:
        marks["evaluate"] = CANCELLED.get(evaluation.state, "todo")
        if evaluation.state == "stopped" and found.evaluation() is not None:
            marks["evaluate"] = "done"  # that of before is still there
    if exports:
        live = next((s for s in exports if s.under_way), None)
        done = next((s for s in exports if s.state == "done"), None)
        marks["export"] = CANCELLED.get((live or done or exports[0]).state, "todo")
    return marks


def millions(count: int) -> str:
    """3.8M, 1.2B: the way models are named."""
    if count >= 1e9:
        return f"{count / 1e9:.2g}B"
    return f"{count / 1e6:.1f}M" if count < 1e7 else f"{count / 1e6:.0f}M"


def _part(tab: str, state: str, name: str, what: str, kind: str = "next") -> str:
    return (
        f'<li class="{kind}"><a href="#{tab}" data-tab="{tab}" data-mark="{tab}:{state}">{ico(state)}<small>{name}'
        f'<span class="gone"> ({STATES[state]})</span></small><b>{escape(what)}</b></a></li>'
    )


@cache
def machine() -> str:
    """Cores, memory and accelerator of this machine, found without torch."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    memory = psutil.virtual_memory().total / 2**30
    gpu = "NVIDIA GPU" if shutil.which("nvidia-smi") else "no GPU"
    return f"{cores} core{'s' * (cores > 1)} · {memory:.0f} GB · {gpu}"


def header(value: str) -> gr.HTML:
    """The bar itself; its value is the list of the job strip."""
    return gr.HTML(
        value,
        elem_id="top",
        apply_default_css=False,
        html_template=f"""<div class="bar">
      <a class="mark" href="#data" data-tab="data" style="text-decoration:none">{MARK}Tunesmith</a>
      <nav aria-label="The job in hand"><ol id="job">${{value}}</ol></nav>
      <span class="machine">{machine()}</span>
      <button type="button" class="theme" aria-label="Switch between light and dark">{ico("theme")}</button></div>""",
        js_on_load="element.querySelector('.theme').onclick = () => tune.theme()",
    )
