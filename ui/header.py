"""The header: wordmark, the job in hand, what this machine has, and the switch between light and dark."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from html import escape
from typing import Any

import gradio as gr
import psutil

from core.config import field_errors
from ui.parts import MARK, STATES, ico

METHODS = {"lora": "LoRA", "full": "Full"}


def strip(draft: dict[str, Any], run: str = "") -> str:
    """The job strip: each part of the draft, its state, and a link to its tab. `data-mark="tab:state"` is what page.js copies to the tabs."""
    errors = field_errors(draft)
    at_fault = {path.partition(".")[0] for path in errors}
    method = draft.get("method") or {}
    name = METHODS.get(str(method.get("name")), str(method.get("name")))
    parts = [
        ("data", "fix" if "data" in at_fault else "done", "Data", str(draft["data"]["path"]).rsplit("/", 1)[-1]),
        ("model", "fix" if "model" in at_fault else "done", "Model", str(draft["model"]["path"]).rsplit("/", 1)[-1]),
        ("model", "fix" if at_fault & {"method", "training"} else "done", "Method", name),
        ("train", "todo" if errors else "ready", "Train", f"{len(errors)} to fix" if errors else "ready"),
    ]
    arrow = f'<li aria-hidden="true">{ico("next")}</li>'
    return arrow.join(_part(*part) for part in parts)


def _part(tab: str, state: str, name: str, what: str) -> str:
    return (
        f'<li><a href="#{tab}" data-tab="{tab}" data-mark="{tab}:{state}">{ico(state)}<small>{name}'
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
      <button type="button" aria-label="Switch between light and dark">{ico("theme")}</button></div>""",
        js_on_load="element.querySelector('button').onclick = () => tune.theme(!document.body.classList.contains('dark'))",
    )
