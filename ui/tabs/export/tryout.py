"""Try it: the exported package and the run's PyTorch model asked the same, side by side, with the speed of each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from core.errors import InputError
from core.runs import playing
from core.runs.playing import ONNX, PYTORCH, Played, Side
from core.runs.store import Run
from ui.chooser import QUIET, opened
from ui.parts import badge, html, say, titled
from ui.shared import Shared
from ui.tabs.export.words import seconds

FIELDS = 4  # boxes that are drawn; a template with more fields is asked on the command line
WHAT = "The package answers through its own run.py, then PyTorch. The first question loads both."
Turn = dict[str, str]
IDLE = (gr.Button(visible=True), gr.Button(visible=False))  # Ask both, Stop
BUSY = (gr.Button(visible=False), gr.Button(visible=True))


@dataclass(frozen=True)
class Tryout:
    """The components of the card."""

    card: gr.Column
    adapter: gr.Dropdown
    boxes: list[gr.Textbox]
    ask: gr.Button
    stop: gr.Button
    answers: gr.HTML
    history: gr.State


def layout() -> Tryout:
    """Draw the card; it is hidden until there is a package to ask."""
    with gr.Column(elem_classes=["card", "tryout"], visible=False) as card:
        titled("Try it", WHAT)
        adapter = gr.Dropdown([], label="Adapter", visible=False, interactive=True)
        boxes = [
            gr.Textbox(
                label=f"Field {n + 1}", lines=1, max_lines=6, visible=n == 0, interactive=True, elem_id=f"try-field-{n}"
            )
            for n in range(FIELDS)
        ]
        with gr.Row(elem_classes="tools"):
            ask = gr.Button("Ask both", size="sm", scale=0, elem_id="try-ask")
            stop = gr.Button("Stop", size="sm", scale=0, variant="stop", visible=False, elem_id="try-stop")
        answers = html(elem_id="try-answers")
        history = gr.State([])
    return Tryout(card, adapter, boxes, ask, stop, answers, history)


def wire(part: Tryout, shared: Shared, device: gr.Radio, precision: gr.Radio, shown: list[Any]) -> None:
    """Connect the events. shown: the events at which another package may be in hand."""
    where = [shared.run, device, precision]
    gr.on(
        shown, offered, [*where, part.adapter], [part.card, part.adapter, *part.boxes, part.answers, part.history],
        trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    part.adapter.input(
        offered, [*where, part.adapter], [part.card, part.adapter, *part.boxes, part.answers, part.history], **QUIET
    )
    told = [part.ask, part.stop, part.answers, part.history]
    asked = gr.on(
        [part.ask.click, *(box.submit for box in part.boxes)], answered,
        [*where, part.adapter, part.history, *part.boxes], told, concurrency_limit=2, trigger_mode="once", **QUIET,
    )  # fmt: skip
    part.stop.click(stopped, None, told[:2], cancels=[asked], **QUIET)


def offered(run_id: str, device: str, precision: str, adapter: str | None) -> tuple[Any, ...]:
    """The card for the package in hand: its adapters and its fields; hidden where there is none that runs here."""
    form = _form(opened(run_id), device, precision, adapter)
    if form is None or len(form.fields) > FIELDS:
        return gr.Column(visible=False), gr.skip(), *[gr.skip()] * FIELDS, "", []
    names = ["What you say"] if form.chat else form.fields or ["Text"]
    boxes = [
        gr.Textbox(
            label=names[n].replace("_", " ").capitalize() + (" (optional)" if names[n] in form.optional else ""),
            visible=True,
        )
        if n < len(names)
        else gr.Textbox(visible=False)
        for n in range(FIELDS)
    ]
    chosen = adapter if adapter in form.adapters else next(iter(form.adapters), None)
    drop = gr.Dropdown(choices=form.adapters, value=chosen, visible=bool(form.adapters))
    return gr.Column(visible=True), drop, *boxes, "", []


def _form(run: Run | None, device: str, precision: str, adapter: str | None) -> playing.Form | None:
    if run is None or not run.has_model:
        return None
    folder = run.export_dir(device, precision)
    try:
        return playing.form(folder, adapter)
    except InputError:
        try:
            return playing.form(folder)
        except InputError:
            return None


def answered(
    run_id: str, device: str, precision: str, adapter: str | None, history: list[Turn], *boxes: str | None
) -> Iterator[tuple[Any, ...]]:
    """Both answers as they come. Left in the middle (Stop, a closed page), both sides stop; the worker stays warm."""
    run = opened(run_id)
    form = _form(run, device, precision, adapter)
    if run is None or form is None:
        yield *IDLE, say("bad", "There is no package to ask", ""), history
        return
    typed = [value or "" for value in boxes]  # one that was never written in is None
    text = typed[0].strip()
    if not any(value.strip() for value in typed):
        yield *IDLE, say("fix", "Nothing is asked", "Write a text."), history
        return
    fields = {} if form.chat or len(form.fields) < 2 else dict(zip(form.fields, typed, strict=False))
    heard: queue.Queue[tuple[str, Any]] = queue.Queue()
    gone = threading.Event()

    def work() -> None:
        try:
            found = playing.shared().play(
                run, device, precision, "" if fields else text,
                fields=fields, history=history if form.chat else (), adapter=adapter if form.adapters else None,
                on_piece=lambda side, piece: heard.put((side, piece)),
                on_state=lambda what: heard.put(("state", what)),
                should_stop=gone.is_set,
            )  # fmt: skip
            heard.put(("done", found))
        except InputError as error:
            heard.put(("error", str(error)))

    threading.Thread(target=work, name="tryout", daemon=True).start()
    said, what = {ONNX: "", PYTORCH: ""}, "Loading"
    try:
        while True:
            kind, value = heard.get()
            while not heard.empty() and kind in said:  # several pieces at once are drawn once
                said[kind] += value
                kind, value = heard.get()
            if kind == "error":
                yield *IDLE, say("bad", "There is no answer", escape(value)), history
                return
            if kind == "done":
                turns: list[Turn] = history
                if form.chat:
                    turns = [
                        *history,
                        {"role": "user", "content": text},
                        {"role": "assistant", "content": value.onnx.text},
                    ]
                yield *IDLE, both(value, precision), turns
                return
            if kind == "state":
                what = str(value)
            else:
                said[kind] += value
            yield *BUSY, growing(said, what, precision), history
    finally:
        gone.set()


def stopped() -> tuple[Any, Any]:
    """The buttons after Stop."""
    return IDLE


def growing(said: dict[str, str], what: str, precision: str) -> str:
    """The answers so far."""
    note = f'<p class="quiet small">{escape(what[:1].upper() + what[1:])} …</p>'
    return note + _pair(_side(f"ONNX {precision}", escape(said[ONNX]), ""), _side("PyTorch", escape(said[PYTORCH]), ""))


def both(found: Played, precision: str) -> str:
    """Both answers with their figures, and whether they are the same."""
    mark = {True: badge("ok", "The same answer"), False: badge("warn", "Another answer"), None: ""}[found.same]
    sides = [
        _side(name, _said(side), _figures(side))
        for name, side in ((f"ONNX {precision}", found.onnx), ("PyTorch", found.pytorch))
    ]
    return f"<p>{mark}</p>" + _pair(*sides)


def _pair(one: str, other: str) -> str:
    return f'<div class="sides" aria-live="polite">{one}{other}</div>'


def _side(name: str, said: str, figures: str) -> str:
    return f'<div><h3>{escape(name)}</h3><div class="said">{said}</div><p class="quiet small">{figures}</p></div>'


def _said(side: Side) -> str:
    if side.error:
        return say("bad", "No answer", escape(side.error))
    return escape(side.text) or "<span class='quiet'>(nothing)</span>"


def _figures(side: Side) -> str:
    parts = []
    if side.tokens_per_second and side.tokens:
        parts.append(f"{side.tokens} tokens, {side.tokens_per_second:,.0f} a second")
    if side.first_token_seconds is not None:
        parts.append(f"first after {' '.join(seconds(side.first_token_seconds))}")
    if not parts and side.seconds is not None:
        parts.append(" ".join(seconds(side.seconds)))
    return " · ".join(parts)
