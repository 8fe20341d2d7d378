"""What the page asks once a second: the news of a run, and how far a job is."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from core.errors import InputError
from core.memo import Memo
from core.runs.jobs import push_state
from core.runs.state import State
from core.runs.store import Run, open_run
from core.runs.versions import settled, version
from ui import course, places, telling
from ui.curve import Digest, Follower, thin
from ui.theme import ASSETS

SLOTS: dict[str, Callable[[Run, Digest, State], str]] = {
    "strip": lambda run, d, state: telling.strip(d, state),
    "head": lambda run, d, state: telling.head(d, state),
    "trouble": lambda run, d, state: telling.trouble(state),
    "advice": lambda run, d, state: telling.advised(d, state),
    "checkpoints": course.checkpoints,
    "samples": lambda run, d, state: course.samples(d),
    "log": lambda run, d, state: course.log(run, state),
}
JOB_JS = (ASSETS / "js" / "job.js").read_text(encoding="utf-8")
FOLLOWER = Follower()
# What a look follows from.
FILES = ("state.json", "events.jsonl", "output.log", "checkpoints", "model", "config.yaml", "job.json", "stop")
TICK_NS = 10_000_000
KEPT = 256
LOOKS: Memo[Look] = Memo(32)
LIVE: dict[str, bool] = {}  # whether a run was under way when it was looked at last
FIRST_POINTS = (800, 200)  # of training and validation loss, at the first answer: 1,000 in all
MANY = 2_000  # more new points than this, and the curve is sent whole, but thinned


def news(request: dict[str, Any]) -> dict[str, Any]:
    """What is new of a run since so many points, for ui.live_plot.

    Args:
        request: {"run": id, "turns", "log", "val": what the page has, "seen": {slot: version}}, from the browser.

    Returns:
        {"at": the same counts now, "fresh": whether the points replace what is drawn, "train", "val": [steps, losses],
        "facts": what else the plot draws, "slots": {name: [version, html]} of those that changed}; or {"gone": why}.
    """
    try:
        run = open_run(str(request.get("run") or ""))
    except InputError as error:
        return {"gone": str(error)}
    look = looked(run)
    d = look.digest
    turns, log, val = (_count(request.get(key)) for key in ("turns", "log", "val"))
    steps, vals = len(d.steps), len(d.val_steps)
    fresh = turns != d.turns or not 0 <= log <= steps or not 0 <= val <= vals or steps - log > MANY or not log + val
    if fresh:
        train = thin(d.steps[:steps], d.losses[:steps], FIRST_POINTS[0])
        valid = thin(d.val_steps[:vals], d.val_losses[:vals], FIRST_POINTS[1])
    else:
        train = d.steps[log:steps], d.losses[log:steps]
        valid = d.val_steps[val:vals], d.val_losses[val:vals]
    seen = request.get("seen")
    return {
        "at": {"turns": d.turns, "log": steps, "val": vals},
        "fresh": fresh,
        "train": train,
        "val": valid,
        "facts": look.facts,
        "slots": look.slots(seen if isinstance(seen, dict) else {}),
    }


class Look:
    """A run at one moment, written once for all who look at it then."""

    def __init__(self, run: Run) -> None:
        self.run, self.state, self.digest = run, run.state(), FOLLOWER.digest(run)
        self.facts = telling.facts(run, self.digest, self.state)
        self._written: dict[str, list[str]] = {}

    def slots(self, seen: dict[str, Any]) -> dict[str, list[str]]:
        """[version, html] of the pieces that are other than a page has them.

        The table is long: it is only written for a page that has another one.
        """
        found, d = {}, self.digest
        for name, version_seen in seen.items():
            if name == "table":
                now = f"{d.turns}.{len(d.val_steps) or len(d.steps)}.{d.best}"
                if version_seen != now:
                    found[name] = [now, self._piece(name, partial(course.as_table, d))[1]]
            elif name in SLOTS:
                piece = self._piece(name, partial(SLOTS[name], self.run, d, self.state))
                if version_seen != piece[0]:
                    found[name] = piece
        return found

    def _piece(self, name: str, write: Callable[[], str]) -> list[str]:
        if name not in self._written:
            html = write()
            self._written[name] = [f"{zlib.crc32(html.encode()):x}", html]
        return self._written[name]


def looked(run: Run) -> Look:
    """The run as its files say now: looked at anew when one has changed, and once a second while it is under way."""
    place = str(run.dir)
    versions = tuple(version(f"{place}/{name}") for name in FILES)
    moment = time.time_ns() // TICK_NS if not settled(*versions) else 0  # what is being written is not relied on
    second = int(time.monotonic()) if LIVE.get(place, True) else 0
    look = LOOKS.get((place, versions, moment, second), lambda: Look(run))
    LIVE[place] = look.state.under_way
    while len(LIVE) > KEPT:
        del LIVE[next(iter(LIVE))]
    return look


def _count(value: Any) -> int:
    return value if isinstance(value, int) else -1


def job_state(run: Run, kind: str) -> State | None:
    """The state of the job of a kind, or None where none was started. InputError for a kind that is none."""
    name, _, rest = kind.partition("/")
    if name == "evaluation" and not rest:
        return run.evaluation_state()
    if name == "push" and not rest:
        return push_state(run)
    device, _, precision = rest.rpartition("-")
    places.check(device, precision)
    return run.export_state(device, precision)


class JobProgress(gr.HTML):
    """How far an evaluation or an export is. Value: {"run", "kind", "live", "html"}; `ended` fires at its end."""

    def __init__(self, **kw: Any) -> None:
        def progress(request: dict[str, Any]) -> dict[str, Any]:
            return job_news(request)

        super().__init__(
            {"run": "", "kind": "", "live": False, "html": ""},
            html_template='<div class="progress"></div>',
            js_on_load=JOB_JS,
            server_functions=[progress],
            apply_default_css=False,
            **kw,
        )

    def api_info(self) -> dict[str, Any]:
        """The value is an object, not text."""
        return {"type": "object"}


def job_news(request: dict[str, Any]) -> dict[str, Any]:
    """{"live", "html"} of a job: evaluation, push or export/<device>-<precision>. The request is the browser's."""
    try:
        run = open_run(str(request.get("run") or ""))
        kind = str(request.get("kind") or "")
        state = job_state(run, kind)
    except InputError as error:
        return {"live": False, "html": f'<p class="quiet">{escape(str(error))}</p>'}
    return {"live": state is not None and state.under_way, "html": bar(state, subject(kind)) if state else ""}


def job_value(run: Run, kind: str, state: State | None) -> dict[str, Any]:
    """The value of a JobProgress that follows this job, if it is under way."""
    live = state is not None and state.under_way
    return {"run": run.id, "kind": kind, "live": live, "html": bar(state, subject(kind)) if state and live else ""}


def subject(kind: str) -> str:
    """Which of several jobs it is: "int8 for CPU: " of an export."""
    device, _, precision = kind.partition("/")[2].rpartition("-")
    if not device:
        return ""
    label = places.check(device, precision).label
    return f"{label}: " if precision == places.ALL else f"{precision} for {label}: "


def bar(state: State, of: str = "") -> str:
    """What is being done, how far it is, and for how long."""
    figure, unit = telling.clock(state.seconds)
    share = state.done / state.total if state.total else 0.0
    what = {"queued": state.what or "Waiting for its turn", "stopping": "Ending"}.get(
        state.state, state.what.strip() or "Starting"
    )
    percent = f" · {share:.0%}" if state.total and state.state == "running" else ""
    words = f"{of}{what if of else what[:1].upper() + what[1:]}{percent}"
    known = f' aria-valuenow="{share * 100:.0f}" aria-valuemin="0" aria-valuemax="100"' if state.total else ""
    kind = "rail thick" if state.total else "rail thick busy"
    return (
        f'<div class="versus job"><span class="what">{escape(words)}</span><div class="{kind}" role="progressbar" '
        f'aria-label="{escape(words)}"{known}><i style="width:{share * 100:.1f}%;--c:var(--heat)"></i></div>'
        f"<b>{figure} {unit}</b></div>"
    )
