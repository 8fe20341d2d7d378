"""The table of runs: one for all visitors, made at most once a second; a page is sent the rows that it has not yet."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from core.runs.listing import LISTING, RunSummary
from core.runs.state import State
from core.runs.store import Run
from ui.parts import badge, head, nothing
from ui.telling import BADGES, loss, when

MOST = 100  # runs that are drawn
FRESH_S = 1.0  # polls within so many seconds share one look at the runs
DRAWING = """<svg width="120" height="56" viewBox="0 0 120 56" aria-hidden="true" fill="none" stroke-width="2">
<path d="M8 8v40h104" stroke="var(--line)"/><path d="M12 14c14 22 30 26 96 28" stroke="var(--steel)"/>
<path d="M12 12c16 16 36 20 66 22" stroke="var(--heat)" stroke-width="3"/><circle cx="78" cy="34" r="4"
fill="var(--surface)" stroke="var(--heat)" stroke-width="3"/></svg>"""
EMPTY = nothing("No runs yet", "A run that you start is listed here, with its curve and its best loss.", DRAWING)


@dataclass(frozen=True)
class Drawn:
    """A row: its cells, which are the same for everybody, the buttons of whoever may press them, and since when."""

    run: Run
    cells: str
    acts: str
    live: bool
    since: int


class Table:
    """The rows as they were drawn last. A server that was started again draws them anew, and sends every page all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._name, self._turn = secrets.token_hex(4), 0  # of this table, and how often something of it has changed
        self._rows: dict[str, Drawn] = {}
        self._of: dict[str, tuple[RunSummary, str]] = {}  # what each row was drawn from
        self._order: list[str] = []
        self._head, self._since = "", 0
        self._looked = -FRESH_S

    def news(self, asked: dict[str, Any], mine: Callable[[Run], bool] = lambda run: True) -> dict[str, Any]:
        """What a page has not drawn yet.

        Args:
            asked: {"at": what the last answer said}, from the browser. mine: whether a run's buttons are drawn for who asks.

        Returns:
            {} where nothing has changed, or {"at", "live": whether any run is under way, "rows": {id: [cells, buttons]}}
            and, where the list itself is another one, {"head": HTML, "order": [id, ...]}.
        """
        with self._lock:
            if time.monotonic() - self._looked >= FRESH_S:
                self._look()
            said = asked.get("at")
            known = said[1] if isinstance(said, list) and len(said) == 2 and said[0] == self._name else -1
            if not isinstance(known, int) or not -1 <= known <= self._turn:
                known = -1
            if known == self._turn:
                return {}
            rows = [(id_, row) for id_, row in self._rows.items() if row.since > known]
            found: dict[str, Any] = {"at": [self._name, self._turn], "live": any(r.live for r in self._rows.values())}
            if self._since > known:
                found |= {"head": self._head, "order": self._order}
        return found | {"rows": {id_: [row.cells, row.acts if mine(row.run) else ""] for id_, row in rows}}

    def changed(self) -> None:
        """Something was done to a run: the next answer looks again, however soon it is asked for."""
        with self._lock:
            self._looked = -FRESH_S

    def _look(self) -> None:
        """Draw what is other than before; under the lock."""
        runs, total = LISTING.newest(MOST)
        turn, drawn, of = self._turn + 1, dict[str, Drawn](), dict[str, tuple[RunSummary, str]]()
        for run in runs:
            told = ago(run.created)
            old, before = self._rows.get(run.id), self._of.get(run.id)
            of[run.id] = (run, told)
            if old is not None and before is not None and before[1] == told and before[0] == run:
                drawn[run.id] = old
                continue
            texts = cells(run, told), acts(run), run.state.under_way
            same = old is not None and (old.cells, old.acts, old.live) == texts
            drawn[run.id] = old if old is not None and same else Drawn(run.run, *texts, turn)
        more = f", the newest {MOST} shown" if total > len(runs) else ""
        title = head(f"{total:,} run{'s' * (total != 1)}{more}") if total else EMPTY
        order = list(drawn)
        if (order, title) != (self._order, self._head):
            self._order, self._head, self._since = order, title, turn
        if self._since == turn or any(row.since == turn for row in drawn.values()):
            self._turn = turn
        self._rows, self._of, self._looked = drawn, of, time.monotonic()


def cells(run: RunSummary, told: str) -> str:
    """The cells of a row but for its buttons: the same for everybody. told: how long ago it was made."""
    state, about, course = run.state, run.about, run.course
    none = "none yet" if state.under_way else "none"
    best = f"<b>{loss(course.best)}</b>" if course.best is not None else f'<span class="quiet">{none}</span>'
    data = f" · {escape(about.data)}" if about.data and about.data not in run.title else ""
    said = [state.error] if state.state == "failed" and state.error else []
    said += [about.damage] if about.damage and about.damage not in said else []
    why = f'<p class="why small quiet">{escape(" ".join(said))}</p>' if said else ""
    return (
        f'<td><button type="button" class="link" data-act="open" data-run="{escape(run.id)}" '
        f'aria-label="{escape(f"{run.title}, open it, started {when(run.created)}, {run.id}")}">{escape(run.title)}</button>'
        f'<br><span class="quiet small">{told}{data}</span>{why}</td><td>{standing(run)}</td>'
        f"<td>{escape(about.method or 'unknown')}</td><td>{escape(about.base or 'unknown')}</td>"
        f"<td>{spark(course.losses, state.state != 'failed')}</td>"
        f'<td class="num">{best}</td>'
    )


def standing(run: RunSummary) -> str:
    """The badge of a state: of a run that trains with how much of its steps are done, else with what it does in words."""
    state = run.state
    kind, word = state_words(state)
    if state.state == "queued" and state.what:
        return f'{badge(kind, word)}<br><span class="quiet small">{escape(state.what)}</span>'
    if state.state != "running":
        return badge(kind, word)
    if state.what == "training" and state.total:
        return badge(kind, f"{word}, {min(1.0, state.done / state.total):.0%}".replace("%", " %"))
    phase = state.what.strip()
    doing = f'<br><span class="quiet small">{escape(phase[:1].upper() + phase[1:])}</span>' if phase else ""
    return badge(kind, word if run.course.step else "Preparing") + doing


def state_words(state: State) -> tuple[str, str]:
    """(kind of badge, word) of a state."""
    kind, word = BADGES.get(state.state, ("mute", state.state.capitalize()))
    if state.state == "failed":
        word = {"killed": "Killed", "out_of_memory": "Out of memory", "disk_full": "Disk full"}.get(state.reason, word)
    return kind, word


def acts(run: RunSummary) -> str:
    """The buttons of what can be done with a run. Each says which run it means: two may have one title."""
    about = f"started {when(run.created)}, {state_words(run.state)[1].lower()}, id {run.id}"

    def button(what: str, word: str) -> str:
        return (
            f'<button type="button" class="small-button" data-act="{what}" data-run="{escape(run.id)}" '
            f'data-name="{escape(run.title)}" data-about="{escape(about)}" '
            f'aria-label="{escape(f"{word} {run.title}, {about}")}">{word}</button>'
        )

    if run.state.under_way:
        return button("stop", "Stop") if run.state.state != "stopping" else ""
    again = button("resume", "Resume") if run.resumable and run.state.state in ("failed", "stopped") else ""
    return again + button("delete", "Delete")


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
