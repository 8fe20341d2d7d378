"""Assembles the tabs and wires them: `build()` is the page, `LAUNCH` what it is launched with."""

from __future__ import annotations

from typing import Any

import gradio as gr

from core.errors import InputError
from core.limited.pool import pool
from core.runs.listing import LISTING
from core.runs.standby import STANDBY
from core.runs.store import open_run
from ui import door, header, theme
from ui.asked import Page, guard
from ui.dataset import problems
from ui.sessions import STATE_BYTES, refusal, weigh
from ui.shared import STORAGE, Shared, first_draft
from ui.tabs import data, evaluate, export, model, runs, train
from ui.uploads import LIMIT_MB

TABS: dict[str, Any] = {
    "data": data,
    "model": model,
    "train": train,
    "evaluate": evaluate,
    "export": export,
    "runs": runs,
}
QUEUED = 512  # events that wait; a page that opens has nine at once, and forty may open together
PROBLEMS = "const say = () => tune.problems(props.value); watch('value', say); say();"
LAUNCH: dict[str, Any] = {
    "theme": theme.theme(),
    "head": theme.head(),
    "run_history": False,  # with ssr_mode off: see the pin of gradio in requirements.txt
    "ssr_mode": False,
    "show_error": False,
    "footer_links": [],
    "max_file_size": f"{LIMIT_MB}mb",
    "app_kwargs": door.APP,
}


def build() -> gr.Blocks:
    """The whole page. Every tab is drawn first and wired after, so that one may refer to another."""
    with Page(title="Tunesmith", analytics_enabled=False, delete_cache=(3600, 86400)) as demo:
        draft, run, kept = gr.State(first_draft()), gr.State(""), gr.BrowserState(None, **STORAGE)
        filled, again, token = gr.State(0), gr.State(0), gr.State("")
        top = header.header("")
        wrong = gr.HTML(
            {}, html_template="<span></span>", elem_id="problems", apply_default_css=False, js_on_load=PROBLEMS
        )
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            shared = Shared(draft, run, kept, top, tabs, filled, again, token)
            handles = {}
            for name, tab in TABS.items():
                side = "right" if name == "runs" else "left"
                with gr.Tab(name.capitalize(), id=name, elem_id=f"tab-{name}", alignment=side) as panel:
                    shared.panels[name] = panel
                    handles[name] = tab.layout(shared)
        for name, tab in TABS.items():
            tab.wire(handles[name], shared)
        _wire(demo, shared, wrong)
    guard(demo)
    return demo.queue(max_size=QUEUED, default_concurrency_limit=8, api_open=False)


def _wire(demo: gr.Blocks, shared: Shared, wrong: gr.HTML) -> None:
    """What belongs to no tab: draft and run are found again at a reload, kept, judged and shown."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

    def restore(kept: Any, count: int, request: gr.Request) -> tuple[dict[str, Any], str, int]:
        kept = kept if isinstance(kept, dict) else {}
        draft = kept.get("draft")
        if (size := weigh(draft)) > STATE_BYTES:
            gr.Warning(f"The settings that this browser kept are left out. {refusal(size)}")
            draft = None
        STANDBY.prepare()  # whoever opens the page will want a job
        pool().warm()  # and see a row
        return draft if _is_draft(draft) else first_draft(), _run(request.query_params.get("run"), kept), count + 1

    def keep(draft: dict[str, Any], run: str) -> tuple[dict[str, Any], str, dict[str, str]]:
        STANDBY.prepare()
        return {"draft": draft, "run": run}, header.strip(draft, run), problems(draft)

    demo.load(restore, [shared.kept, shared.filled], [shared.draft, shared.run, shared.filled], **quiet)
    gr.on(
        [shared.filled.change, shared.draft.change, shared.run.change, shared.again.change],
        keep,
        [shared.draft, shared.run],
        [shared.kept, shared.header, wrong],
        trigger_mode="always_last",
        **quiet,
    )


def _is_draft(value: Any) -> bool:
    """Whether what the browser kept is a draft: it may be of an older version, with other sections."""
    return isinstance(value, dict) and set(value) == set(first_draft())


def _run(asked: str | None, kept: dict[str, Any]) -> str:
    """The run in hand: the one that the address names, or that the browser kept, or the newest that is under way."""
    for run_id in (asked, kept.get("run")):
        try:
            if run_id:
                return open_run(str(run_id)).id
        except InputError:
            continue
    return next((run.id for run in LISTING.newest(20)[0] if run.state.under_way), "")
