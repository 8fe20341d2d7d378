"""Runs: everything that was started, newest first; each can be opened, stopped, resumed and deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from core.errors import InputError
from core.runs import jobs
from core.runs.rights import may
from core.runs.store import open_run
from ui.door import visitor
from ui.parts import html, lead, say
from ui.shared import Shared
from ui.tabs.runs import adapters
from ui.tabs.runs.table import Table
from ui.theme import ASSETS

JS = (ASSETS / "js" / "runs.js").read_text(encoding="utf-8")
TEMPLATE = """<div class="runs-head"></div><div class="scroll" hidden tabindex="0" role="region" aria-label="Runs">
<table class="tbl runs"><caption class="gone">Runs, newest first</caption><thead><tr><th scope="col">Run</th>
<th scope="col">State</th><th scope="col">Method</th><th scope="col">Base model</th><th scope="col">Validation loss</th>
<th scope="col" class="num">Best</th><th scope="col"><span class="gone">What to do</span></th></tr></thead>
<tbody></tbody></table></div>"""
TABLE = Table()


@dataclass(frozen=True)
class RunsTab:
    """The components of the tab."""

    go: gr.Button
    note: gr.HTML
    list: RunsList
    adapters: adapters.AdaptersPart


def layout(shared: Shared) -> RunsTab:
    """Draw the tab."""

    def news(asked: dict[str, Any] | None = None, request: gr.Request | None = None) -> dict[str, Any]:
        who = visitor(request)
        return TABLE.news(asked or {}, lambda run: may(run, who))

    [go] = lead("Runs", "Every run is a folder. It goes on without this page, and is found again.", "Set up a new run")
    with gr.Column(elem_classes="card"):
        note = html(elem_id="runs-note")
        found = RunsList(news)
    return RunsTab(go, note, found, adapters.layout())


class RunsList(gr.HTML):
    """The table. It asks `news` (see Table.news) when it comes into sight, when its value is another one, and again and
    again while it is seen; `submit` says what is to be done with which run."""

    def __init__(self, news: Callable[..., dict[str, Any]]) -> None:
        super().__init__(
            {},
            html_template=TEMPLATE,
            js_on_load=JS,
            server_functions=[news],
            apply_default_css=False,
            elem_id="runs",
        )

    def api_info(self) -> dict[str, Any]:
        """The value is an object, not text."""
        return {"type": "object"}


def wire(tab: RunsTab, shared: Shared) -> None:
    """Events."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    tab.go.click(None, None, shared.tabs, js="() => ({__type__: 'update', selected: 'data'})")
    look_again = "() => ({ at: Date.now() })"  # in the browser alone: the table asks for itself
    gr.on([shared.run.change, shared.again.change], None, None, tab.list, js=look_again, api_visibility="private")
    adapters.wire(tab.adapters, shared)
    tab.list.submit(
        act,
        [shared.run, shared.again, shared.token],
        [shared.run, shared.again, tab.note, tab.list, shared.tabs],
        **quiet,
    )


def act(
    chosen: str, again: int, token: str, event: gr.EventData, request: gr.Request | None = None
) -> tuple[Any, Any, str, Any, Any]:
    """Open, stop, resume or delete a run; the id comes from the browser, so it is looked up, never used as a path."""
    note, tab, who = "", gr.skip(), visitor(request)
    try:
        run, what = open_run(str(event.run)), str(event.act)
        if what == "stop":
            jobs.stop(run, who)
        elif what == "resume":
            jobs.resume(run, token, who)
        elif what == "delete":
            jobs.delete(run, who)
            chosen = "" if chosen == run.id else chosen
        if what in ("open", "resume"):
            chosen, tab = run.id, gr.update(selected="train")
        again += 1
    except InputError as error:
        chosen, again = gr.skip(), gr.skip()
        note = say("bad", "That did not work", escape(str(error)))
    TABLE.changed()
    return chosen, again, note, {"at": time.time()}, tab
