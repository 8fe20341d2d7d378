"""The export that is under way, and its start and end from the page."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from core.errors import InputError
from core.runs import jobs
from core.runs.state import State
from core.runs.store import Run
from ui.chooser import opened
from ui.door import visitor
from ui.parts import say
from ui.places import ALL, check, kind_of


def busy(run: Run, device: str, precision: str) -> tuple[str, str, State] | None:
    """The export of this run that is under way: all precisions of a device first, then the chosen one."""
    under_way = [found for found in run.exports() if found[2].under_way]
    wanted = [(device, ALL), (device, precision)]
    for key in wanted:
        if found := next((f for f in under_way if f[:2] == key), None):
            return found
    return next((f for f in under_way if f[1] == ALL), under_way[0] if under_way else None)


def start(
    run_id: str,
    device: str,
    precision: str,
    options: dict[str, Any],
    count: int,
    token: str = "",
    request: gr.Request | None = None,
) -> tuple[Any, int]:
    """Build and compare a package, in a process of its own."""
    run = opened(run_id)
    try:
        if run is None:
            raise InputError("There is no run to export: choose one.")
        place = check(device, precision, kind_of(run))
        more = options if place.device else {"form": place.name}
        jobs.start_export(run, place.name, precision, token, visitor=visitor(request), **more)
    except InputError as error:
        return gr.HTML(say("bad", "This cannot be exported", escape(str(error))), visible=True), count
    return gr.HTML("", visible=False), count + 1


def start_all(
    run_id: str, device: str, options: dict[str, Any], count: int, token: str = "", request: gr.Request | None = None
) -> tuple[Any, int]:
    """Every precision of the device, one after the other."""
    return start(run_id, device, ALL, options, count, token, request)


def cancel(run_id: str, device: str, precision: str, count: int, request: gr.Request | None = None) -> tuple[Any, int]:
    """End the export that is under way; a package that stood there before stays."""
    run = opened(run_id)
    work = busy(run, device, precision) if run else None
    try:
        if run and work:
            jobs.stop_export(run, work[0], work[1], visitor(request))
    except InputError as error:
        return gr.HTML(say("bad", "This cannot be ended", escape(str(error))), visible=True), count
    return gr.HTML("", visible=False), count + 1
