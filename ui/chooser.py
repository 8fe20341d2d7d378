"""The run that Train, Evaluate and Export speak of: the chooser beside their headings, and what all three say of it."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from core.config import build
from core.errors import InputError
from core.runs.listing import LISTING
from core.runs.store import Run, open_run
from ui.parts import say
from ui.shared import Shared
from ui.telling import BADGES, when

MOST = 200
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def chooser() -> gr.Dropdown:
    """The list of runs, newest first. It fills itself whenever its tab is opened."""
    return gr.Dropdown(
        [("No run chosen", "")],
        value="",
        label="Run",
        show_label=False,
        container=False,
        scale=0,
        min_width=320,
        elem_classes="chooser",
        visible=False,
    )


def choose(chosen: gr.Dropdown, shared: Shared) -> None:
    """A run that is chosen here becomes the run in hand everywhere."""
    chosen.input(lambda run: run or "", chosen, shared.run, **QUIET)


def choices(chosen: str) -> gr.Dropdown:
    """The chooser with the runs that there are now, and the one in hand chosen. It is not drawn while there is none."""
    named = []
    for run in LISTING.newest(MOST)[0]:
        named.append((f"{run.title} · {BADGES[run.state.state][1].lower()} · {when(run.created)}", run.id))
    if not any(chosen == id_ for _, id_ in named):
        named, chosen = [("No run chosen", ""), *named], ""
    return gr.Dropdown(choices=named, value=chosen, visible=len(named) > 1 or bool(chosen))


def opened(run_id: str) -> Run | None:
    """The run of an id, or None where there is none (it may have been deleted since) or where its config is broken."""
    try:
        run = open_run(run_id) if run_id else None
        if run is not None:
            run.config()
        return run
    except InputError:
        return None


def trouble(run_id: str) -> str:
    """Why a run that was chosen cannot be opened, as a card; "" where it can be, or where none was chosen."""
    try:
        run = open_run(run_id) if run_id else None
        if run is not None:
            run.config()
    except InputError as error:
        return say("bad", "This run cannot be opened", f"{escape(str(error))} The others are not touched.")
    return ""


def changed_since(run: Run, draft: dict[str, Any]) -> bool:
    """Whether the settings in hand are other than those of the run."""
    try:
        return build(draft) != run.config()
    except InputError:
        return True
