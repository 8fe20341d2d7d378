"""What a run says of itself, in words and figures: the pieces of the Train tab that change while it runs."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

from core.config import RunConfig
from core.errors import InputError
from core.runs.state import State
from core.runs.store import Run, data_name
from core.settings import in_words
from ui.advice import advice, moved
from ui.curve import Digest
from ui.parts import badge, figs, say

BADGES = {
    "queued": ("mute", "Queued"),
    "running": ("live", "Running"),
    "stopping": ("live", "Stopping"),
    "stopped": ("warn", "Stopped"),
    "done": ("ok", "Done"),
    "failed": ("bad", "Failed"),
}
FIELD_TABS = {
    "data": "data",
    "augmentation": "data",
    "task": "data",
    "model": "model",
    "method": "model",
    "training": "model",
    "evaluation": "model",
}


def clock(seconds: float) -> tuple[str, str]:
    """(figure, unit) of a duration: 4:05 min, 1:02:33 h."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return (f"{hours}:{minutes:02d}:{whole % 60:02d}", "h") if hours else (f"{minutes}:{whole % 60:02d}", "min")


def size(count: float, base: int = 1000) -> tuple[str, str]:
    """(figure, unit) of a number of bytes: files in powers of 1,000, memory in powers of 1,024, as both are sold."""
    for unit, power in (("GB", 3), ("MB", 2), ("kB", 1)):
        if count >= base**power:
            figure = count / base**power
            return (f"{figure:.1f}".removesuffix(".0") if figure < 100 else f"{figure:,.0f}"), unit
    return f"{count:.0f}", "bytes"


def loss(value: float) -> str:
    """A loss with as many digits as say something."""
    return f"{value:.3f}" if value < 100 else f"{value:.3g}"


def about(config: RunConfig) -> str:
    """One line on what a run is: method, model, length. Escaped."""
    t, name = config.training, in_words(config.method)
    model = config.model.path.rstrip("/").rsplit("/", 1)[-1]
    length = f"{t.num_train_epochs:g} epoch{'s' * (t.num_train_epochs != 1)}"
    if t.max_steps:
        length = f"at most {t.max_steps:,} steps"
    elif t.early_stopping_patience is not None:
        length = f"at most {length}"
    return escape(f"{name} on {model}, {length}")


def named(run: Run) -> str:
    """What a run is called in a heading: its own name, or its data set's."""
    return str(run.environment().get("name") or data_name(run.config().data.path))


def when(stamp: float) -> str:
    """A time of day, with the date where it is not today's."""
    then = datetime.fromtimestamp(stamp)
    return f"{then:%H:%M}" if then.date() == datetime.now().date() else f"{then:%d %b %Y, %H:%M}"


def strip(d: Digest, state: State) -> str:
    """The figures at the top: step, validation loss, speed, time, memory. A dash where nothing is known yet."""
    live, speed = state.under_way, d.log.get("tokens_per_second")
    best = _best(d, live)
    left = d.seconds_left() if live else None
    time = ("Time left", *(clock(left) if left is not None else ("–", "not known yet")))
    if not live:
        time = ("Time", *(clock(state.seconds) if state.started else ("–", "")))
    used, total = d.resources.get("memory_bytes"), d.resources.get("memory_total")
    memory = ("–", "")
    if used:
        whole = f" of {total / 2**30:.0f} GB" if total else ""
        memory = (size(used, 1024)[0], size(used, 1024)[1] + whole)
    return figs(
        ("Step", f"{d.step:,}", f"of {d.max_steps:,}" if d.max_steps else ""),
        best,
        ("Speed", f"{speed:,.0f}" if speed else "–", "tokens/s"),
        time,
        ("Memory", *memory),
    )


def _best(d: Digest, live: bool) -> tuple[str, str, str]:
    """What the weights are chosen by, at its best so far."""
    if d.best is None:
        return "Validation loss", "–", "none yet" if live else "none"
    step, value = d.best
    if d.metric in d.figures.get(step, {}):
        return d.metric.replace("_", " ").capitalize(), f"{d.figures[step][d.metric]:.4g}", f"best, step {step:,}"
    return "Validation loss", loss(value), f"best, step {step:,}"


def head(d: Digest, state: State) -> str:
    """The head of the loss card: the badge of the state, and what is being done in words."""
    kind, word = BADGES[state.state]
    if state.state == "done" and d.end.get("reason") == "early_stopped":
        kind, word = "warn", "Stopped early"
    if state.state == "done" and d.end.get("reason") == "time_budget":
        kind, word = "warn", "Time was up"
    what = doing(state, d.step)
    return f'<div class="titled"><div><h2>Loss</h2><p>{escape(what)}</p></div>{badge(kind, word)}</div>'


def doing(state: State, step: int = 0) -> str:
    """What is going on, as one sentence. step: how far the training has come."""
    what = state.what.strip()
    match state.state:
        case "queued":
            return f"{what or 'Waiting for its turn'}."
        case "running" if state.hung:
            return "It has been silent for a minute. Stop it, or wait."
        case "running":
            return f"{what[:1].upper()}{what[1:]}" if what else "Starting."
        case "stopping":
            return "Finishing the step in hand and saving the weights."
        case "stopped":
            kept = "its weights are saved" if step else "before the first step, so there are no weights"
            return state.error or f"Stopped by hand; {kept}."
        case "failed":
            return "What it had reached is kept." if step else "It failed before the first step."
        case _:
            return "Its weights were loaded back and answer the same."


def why(run: Run, d: Digest, state: State) -> str:
    """What stands at the line where the curve ends before its time; "" where it went to its end or still runs."""
    if state.under_way:
        return ""
    if state.state == "failed":
        return "<b>failed here</b>"
    if d.end.get("reason") == "early_stopped":
        patience = _patience(run)
        return "<b>stopped early</b>" + (f"<br>no better in {patience} checks" if patience else "")
    if d.end.get("reason") == "time_budget":
        return "<b>the time was up</b>"
    if state.reason == "time_limit":
        return "<b>the time was up</b>"
    return "<b>stopped by hand</b>" if d.end.get("reason") == "stopped" or state.state == "stopped" else ""


def _patience(run: Run) -> int | None:
    """How many checks early stopping waited for; None where the config cannot be read any more."""
    try:
        return run.config().training.early_stopping_patience
    except InputError:
        return None


def trouble(state: State) -> str:
    """The one sentence of a failed run, where to mend it, and what can be done; "" for any other."""
    if state.state != "failed":
        return ""
    error = escape(state.error or state.reason or "It ended without a word.")
    tab = FIELD_TABS.get(state.field.partition(".")[0])
    link = f' <a href="#{tab}" data-tab="{tab}">Mend it under {tab.capitalize()}</a>, then train again.' if tab else ""
    return f'<div class="card">{say("bad", "The run failed", error + link)}</div>'


def advised(d: Digest, state: State) -> str:
    """What the curve says, or when it will say something."""
    found = advice(d, running=state.state != "done")
    if found is None:
        if state.under_way:
            return say("todo", "Nothing to say yet", "After three validations this says how it goes.")
        return say("todo", "Nothing to say", "It was validated too seldom to say how it went.")
    kind, title, text = found
    training, validation = moved(d)
    return say(kind, title, escape(text)) + figs(("Training loss", *training), ("Validation loss", *validation))


def label(d: Digest) -> str:
    """What a screen reader says of the plot."""
    words = "Training and validation loss by step"
    return f"{words}; best validation loss {loss(d.best[1])} at step {d.best[0]:,}" if d.best else words


def note(d: Digest, state: State) -> str:
    """What stands in the plot before its first point."""
    if d.steps or d.val_steps:
        return ""
    return {
        "queued": state.what or "Waiting for its turn",
        "failed": "It failed before the first step",
        "stopped": "It was stopped before the first step",
    }.get(state.state, state.what.strip().capitalize() or "Starting")


def facts(run: Run, d: Digest, state: State) -> dict[str, Any]:
    """What the plot draws besides its points."""
    return {
        "state": state.state,
        "live": state.under_way,
        "max_steps": d.max_steps or None,
        "best": list(d.best) if d.best else None,
        "why": why(run, d, state),
        "end_step": None if state.under_way else d.step,
        "note": note(d, state),
        "label": label(d),
    }
