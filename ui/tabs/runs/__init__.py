"""Runs: everything that was started, newest first; each can be opened, stopped, resumed and deleted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any

import gradio as gr

from core.errors import InputError
from core.runs import jobs
from core.runs.about import about as run_about
from core.runs.state import State
from core.runs.store import Run, data_name, delete, list_runs, open_run
from core.settings import in_words
from ui.parts import badge, head, html, lead, nothing, say
from ui.shared import Shared
from ui.tabs.runs import adapters
from ui.telling import BADGES, loss

MOST = 100  # runs that are drawn
DRAWING = """<svg width="120" height="56" viewBox="0 0 120 56" aria-hidden="true" fill="none" stroke-width="2">
<path d="M8 8v40h104" stroke="var(--line)"/><path d="M12 14c14 22 30 26 96 28" stroke="var(--steel)"/>
<path d="M12 12c16 16 36 20 66 22" stroke="var(--heat)" stroke-width="3"/><circle cx="78" cy="34" r="4"
fill="var(--surface)" stroke="var(--heat)" stroke-width="3"/></svg>"""
JS = """
let busy = false;
const poll = async () => {
  if (!element.isConnected) return clearInterval(timer);
  if (busy || document.hidden || !element.offsetParent || !element.querySelector('[data-live]')) return;
  busy = true;
  try {
    const fresh = await server.drawn_now(document.querySelector('#job [data-run]')?.dataset.run || '');
    if (fresh !== props.value) props.value = fresh; }
  catch { /* the server is away: what is drawn stays, and the next second asks again */ } finally { busy = false; }
};
const timer = setInterval(poll, 2000);
element.addEventListener('click', async e => {
  const b = e.target.closest('button[data-act]'); if (!b) return;
  const { act, run, name } = b.dataset;
  const lost = 'Its weights, curves, evaluation and exports are deleted from the disk. This cannot be undone.';
  if (act === 'delete' && !await tune.ask(`Delete ${name}?`, lost, 'Delete')) return;
  trigger('submit', { act, run });
});"""


@dataclass(frozen=True)
class RunsTab:
    """The components of the tab."""

    go: gr.Button
    note: gr.HTML
    list: gr.HTML
    adapters: adapters.AdaptersPart


def layout(shared: Shared) -> RunsTab:
    """Draw the tab."""

    def drawn_now(chosen: Any = "") -> str:
        return drawn(str(chosen or ""))

    [go] = lead("Runs", "Every run is a folder. It goes on without this page, and is found again.", "Set up a new run")
    with gr.Column(elem_classes="card"):
        note = html(elem_id="runs-note")
        found = gr.HTML("", elem_id="runs", apply_default_css=False, js_on_load=JS, server_functions=[drawn_now])
    return RunsTab(go, note, found, adapters.layout())


def wire(tab: RunsTab, shared: Shared) -> None:
    """Events."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    tab.go.click(None, None, shared.tabs, js="() => ({__type__: 'update', selected: 'data'})")
    gr.on([shared.panels["runs"].select, shared.run.change, shared.again.change], drawn, shared.run, tab.list, **quiet)
    adapters.wire(tab.adapters, shared)
    tab.list.submit(
        act,
        [shared.run, shared.again, shared.token],
        [shared.run, shared.again, tab.note, tab.list, shared.tabs],
        **quiet,
    )


def act(chosen: str, again: int, token: str, event: gr.EventData) -> tuple[Any, Any, str, str, Any]:
    """Open, stop, resume or delete a run; the id comes from the browser, so it is looked up, never used as a path."""
    try:
        run, what = open_run(str(event.run)), str(event.act)
        if what == "open":
            return run.id, again + 1, "", drawn(run.id), gr.update(selected="train")
        if what == "stop":
            jobs.stop(run)
        elif what == "resume":
            jobs.resume(run, token)
            return run.id, again + 1, "", drawn(run.id), gr.update(selected="train")
        elif what == "delete":
            delete(run)
            chosen = "" if chosen == run.id else chosen
        return chosen, again + 1, "", drawn(chosen), gr.skip()
    except InputError as error:
        return gr.skip(), gr.skip(), say("bad", "That did not work", escape(str(error))), drawn(chosen), gr.skip()


def drawn(chosen: str) -> str:
    """The list, or what will be here."""
    runs = list_runs()
    if not runs:
        return nothing("No runs yet", "A run that you start is listed here, with its curve and its best loss.", DRAWING)
    rows = "".join(_row(run, chosen) for run in runs[:MOST])
    more = f", the newest {MOST} shown" if len(runs) > MOST else ""
    return (
        head(f"{len(runs):,} run{'s' * (len(runs) != 1)}{more}")
        + '<div class="scroll" tabindex="0" role="region" aria-label="Runs"><table class="tbl runs">'
        '<caption class="gone">Runs, newest first</caption>'
        '<thead><tr><th scope="col">Run</th><th scope="col">State</th>'
        '<th scope="col">Method</th><th scope="col">Base model</th><th scope="col">Validation loss</th>'
        f'<th scope="col" class="num">Best</th><th scope="col"><span class="gone">What to do</span></th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(run: Run, chosen: str) -> str:
    state = run.state()
    live = " data-live" if state.under_way else ""
    try:
        config = run.config()
        method = in_words(config.method)
        name, base = data_name(config.data.path), config.model.path.rstrip("/").rsplit("/", 1)[-1]
    except InputError:
        name, method, base = run.title, "unknown", "unknown"
    points = _losses(run)
    best = (
        f"<b>{loss(min(points))}</b>"
        if points
        else '<span class="quiet">none yet</span>'
        if live
        else '<span class="quiet">none</span>'
    )
    about = "" if name in run.title else f" · {escape(name)}"
    on = ' class="on"' if run.id == chosen else ""
    title = escape(run.title)
    wrong = [state.error if state.state == "failed" else "", run_about(run.dir).trouble]
    why = "".join(f'<p class="why small quiet">{escape(sentence)}</p>' for sentence in wrong if sentence)
    return (
        f'<tr{on}{live}><td><button type="button" class="link" data-act="open" data-run="{escape(run.id)}">'
        f"{title}</button>"
        f'<br><span class="quiet small">{ago(run.created)}{about}</span>{why}</td><td>{_badge(state)}</td>'
        f"<td>{escape(method)}</td><td>{escape(base)}</td><td>{spark(points, state.state != 'failed')}</td>"
        f'<td class="num">{best}</td><td class="acts">{_acts(run, state, title)}</td></tr>'
    )


def _badge(state: State) -> str:
    kind, word = BADGES.get(state.state, ("mute", state.state.capitalize()))
    if state.state == "running" and state.total:
        word = f"{word}, {state.done / state.total:.0%}".replace("%", " %")
    if state.state == "failed":
        word = {"killed": "Killed", "out_of_memory": "Out of memory", "disk_full": "Disk full"}.get(state.reason, word)
    return badge(kind, word)


def _acts(run: Run, state: State, title: str) -> str:
    def button(what: str, word: str) -> str:
        return (
            f'<button type="button" class="small-button" data-act="{what}" data-run="{escape(run.id)}" '
            f'data-name="{title}" '
            f'aria-label="{word} {title}">{word}</button>'
        )

    if state.under_way:
        return button("stop", "Stop") if state.state != "stopping" else ""
    again = button("resume", "Resume") if state.state in ("failed", "stopped") and run.resumable else ""
    return again + button("delete", "Delete")


def _losses(run: Run) -> list[float]:
    """The validation losses so far; read again only when the log of events has grown."""
    try:
        size_now = (run.dir / "events.jsonl").stat().st_size
    except OSError:
        return []
    return list(_read_losses(run, size_now))


@lru_cache(maxsize=512)
def _read_losses(run: Run, _size: int) -> tuple[float, ...]:
    events, _ = run.events()
    return tuple(e["validation_loss"] for e in events if isinstance(e.get("validation_loss"), (int, float)))


def spark(points: Sequence[float], hot: bool) -> str:
    """A sparkline of 120 by 36, its last value marked; a dash in words where there are too few points."""
    if len(points) < 2:
        return '<span class="quiet small">too few points</span>' if points else ""
    step = max(1, len(points) // 60)
    thin = [*points[::step], points[-1]]
    low, span = min(thin), (max(thin) - min(thin)) or 1.0
    xy = [(4 + i * 108 / (len(thin) - 1), 32 - (y - low) / span * 28) for i, y in enumerate(thin)]
    line, (x, y) = " ".join(f"{a:.1f},{b:.1f}" for a, b in xy), xy[-1]
    return (
        f'<svg width="120" height="36" class="spark" role="img" aria-label="validation loss from {loss(points[0])} to '
        f'{loss(points[-1])}" fill="none"><polyline points="{line}" stroke="var(--steel)" stroke-width="1.5"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="var(--{"heat" if hot else "steel"})"/></svg>'
    )


def ago(then: float, now: float | None = None) -> str:
    """How long ago: now, 12 min ago, 2 h ago, yesterday, 5 days ago."""
    seconds = max(0.0, (time.time() if now is None else now) - then)
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86400:
        return f"{seconds // 3600:.0f} h ago"
    days = int(seconds // 86400)
    return "yesterday" if days == 1 else f"{days:,} days ago"
