"""Assembles the tabs and wires them: `build()` is the page, `LAUNCH` what it is launched with."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import gradio as gr

from ui import header, theme
from ui.shared import STORAGE, Shared, first_draft

TABS = [n for n in ("data", "model", "train", "evaluate", "export", "runs") if importlib.util.find_spec(f"ui.tabs.{n}")]
LAUNCH: dict[str, Any] = {
    "theme": theme.theme(),
    "head": theme.head(),
    "run_history": False,
    "show_error": False,
    "footer_links": [],
    "max_file_size": "200mb",
}


def build() -> gr.Blocks:
    """The whole page. Every tab is drawn first and wired after, so that one may refer to another."""
    with gr.Blocks(title="Tunesmith", analytics_enabled=False, delete_cache=(3600, 86400)) as demo:
        draft = gr.State(first_draft)
        top = header.header("")
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            shared = Shared(
                draft, gr.State(""), gr.BrowserState(None, **STORAGE), top, tabs, filled=gr.State(0), again=gr.State(0)
            )
            handles = {}
            for name in TABS:
                side = "right" if name == "runs" else "left"
                with gr.Tab(name.capitalize(), id=name, elem_id=f"tab-{name}", alignment=side) as panel:
                    shared.panels[name] = panel
                    handles[name] = importlib.import_module(f"ui.tabs.{name}").layout(shared)
        for name in TABS:
            importlib.import_module(f"ui.tabs.{name}").wire(handles[name], shared)
        _wire(demo, shared)
    return demo.queue(max_size=64, default_concurrency_limit=8, api_open=False)


def _wire(demo: gr.Blocks, shared: Shared) -> None:
    """What belongs to no tab: the draft and the run are found again at a reload, kept when they change, and shown in the strip."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

    def restore(kept: Any, count: int, request: gr.Request) -> tuple[dict[str, Any], str, int, str]:
        kept = kept if isinstance(kept, dict) else {}
        draft = kept.get("draft") if isinstance(kept.get("draft"), dict) else first_draft()
        run = request.query_params.get("run") or str(kept.get("run") or "")
        return draft, run, count + 1, header.strip(draft, run)

    def keep(draft: dict[str, Any], run: str) -> tuple[dict[str, Any], str]:
        return {"draft": draft, "run": run}, header.strip(draft, run)

    demo.load(restore, [shared.kept, shared.filled], [shared.draft, shared.run, shared.filled, shared.header], **quiet)
    gr.on(
        [shared.draft.change, shared.run.change],
        keep,
        [shared.draft, shared.run],
        [shared.kept, shared.header],
        trigger_mode="always_last",
        **quiet,
    )
