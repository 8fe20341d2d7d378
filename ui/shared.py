"""What every tab may read and write: the draft, the run in hand, and the few parts of the page that belong to all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from core.config import RunConfig, load
from core.paths import ROOT

STORAGE = {"storage_key": "tunesmith", "secret": "kept-in-this-browser"}  # fixed, or a restart would forget the draft
FIRST = ROOT / "assets" / "configs" / "fields.yaml"


@dataclass(frozen=True)
class Shared:
    """Handles that belong to the whole page.

    `draft` and `run` are written by queued events only: Gradio fires the `change` of a state for those alone. Whoever
    writes them need do no more: the page keeps both in the browser, and draws the job strip and the tabs' marks again.
    """

    draft: gr.State  # nested plain values of the RunConfig in hand; invalid values may stand in it
    run: gr.State  # id of the run that Train, Evaluate and Export speak of, or ""
    kept: gr.BrowserState  # {"draft": ..., "run": ...}, so that a reload finds both
    header: gr.HTML  # the job strip; its value is ui.header.strip(draft, run)
    tabs: gr.Tabs
    filled: (
        gr.State
    )  # a count; goes up when a whole draft was put in (demo set, YAML, reload): forms fill themselves from it
    again: (
        gr.State
    )  # a count; goes up when the run in hand is to be looked at again though its id is the same (resumed, stopped)
    token: gr.State  # for gated and private models; in this visit's memory alone, never in the draft nor in the browser
    panels: dict[str, gr.Tab] = field(default_factory=dict)  # tab id -> its panel, for .select


def answered(event: Any) -> Any:
    """For the end of a chain that a button of the class `once` began: it may be pressed again."""
    return event.then(None, js="() => tune.free()", api_visibility="private")


def first_draft() -> dict[str, Any]:
    """What a first visit begins with: the demo set that shows most, ready to be trained on."""
    return (load(FIRST) if FIRST.is_file() else RunConfig()).model_dump(mode="json")
