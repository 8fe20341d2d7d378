"""The course of a run in tables: sample answers, checkpoints, losses; and the last lines of its log."""

from __future__ import annotations

import bisect
from html import escape
from typing import Any

from core.runs import checkpoints as on_disk
from core.runs.state import State
from core.runs.store import Run
from ui.curve import Digest, thin
from ui.parts import badge, table
from ui.telling import loss

LOG_LINES = 200
QUARTERS = 4  # an answer is shown from each quarter of the way, besides the first, the best and the latest
ASKED = "At each validation the model answers one row that it is not trained on, and you see it learn."


def checkpoints(run: Run, d: Digest, state: State) -> str:
    """The checkpoints that are on disk and the best weights, newest first, and which of them is in use."""
    folder = run.dir / "checkpoints"
    best = d.end.get("best_step") or (d.best[0] if d.best else None)
    kept = {best} if best is not None and (folder / f"best-{best}").is_dir() else set()
    steps = sorted({*on_disk.steps(folder), *kept}, reverse=True)
    if not steps:
        text = "The first is written at the first save." if state.under_way else "None was written."
        return f'<p class="quiet small">{text}</p>'
    word = "Best so far" if state.under_way else "Best, in use" if run.has_model else "Best"
    rows = [[f"{s:,}", validation(d, s), badge("hot", word) if s == best else "kept"] for s in steps]
    on = steps.index(best) if best in steps else -1
    return table(["Step#", "Validation loss#", "State"], rows, on=on, caption="Checkpoints")


def validation(d: Digest, step: int) -> str:
    """The validation loss of a step, or a dash where it was not validated."""
    at = bisect.bisect_left(d.val_steps, step)
    return loss(d.val_losses[at]) if at < len(d.val_steps) and d.val_steps[at] == step else "–"


def samples(d: Digest) -> str:
    """What it answered to each row that is asked again and again: at the beginning, at each quarter of the way, at its
    best, and now."""
    steps = [int(s.get("step") or 0) for s in d.samples]
    asked = _answers(d.asked)
    if not asked:
        return f'<div class="titled"><div><h2>What it says, step by step</h2><p>{ASKED}</p></div></div>'
    shown, several = chosen(d), len(asked) > 1
    on = next((n for n, i in enumerate(shown) if d.best and steps[i] == d.best[0]), -1)
    parts = []
    for number, probe in enumerate(asked):
        said = [_answers(d.samples[i]) for i in shown]
        rows = [
            [f"{steps[i]:,}", _said(str(said[n][number].get("answer", ""))), validation(d, steps[i])]
            for n, i in enumerate(shown)
            if number < len(said[n])
        ]
        name = f"Sample answers by step, {number + 1} of {len(asked)}" if several else "Sample answers by step"
        heads = ["Step#", "Answer", "Validation loss#"]
        parts.append(_question(probe, several) + table(heads, rows, on=on, caption=name, kind="samples"))
    note = f"<p>{len(asked)} rows that it is not trained on are asked at each validation.</p>" if several else ""
    head = f'<div class="titled"><div><h2>What it says, step by step</h2>{note}</div></div>'
    return head + "".join(f'<div class="probe">{part}</div>' for part in parts)


def _answers(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers of a sample event; runs of before have one."""
    found = event.get("answers")
    return [a for a in found if isinstance(a, dict)] if isinstance(found, list) else [event] if event else []


def _question(probe: dict[str, Any], several: bool) -> str:
    """What is asked, and what is wanted."""
    prompt, want = (_short(str(probe.get(key, "")).strip()) for key in ("prompt", "want"))
    row = probe.get("row")
    where = f" row {row + 1:,}" if several and isinstance(row, int) else " each time"
    words = (f"<p>Asked{where}: “{escape(prompt)}”</p>" if prompt else "") + (
        f"<p>Wanted: “{escape(want)}”</p>" if want else ""
    )
    return f'<div class="titled"><div>{words}</div></div>' if words else ""


def chosen(d: Digest) -> list[int]:
    """Which samples are shown, by index: at most seven, and all but two stay where they are while the run goes on."""
    steps = [int(s.get("step") or 0) for s in d.samples]
    if not steps:
        return []
    way = d.max_steps or steps[-1]
    keep = {0, len(steps) - 1}
    keep |= {bisect.bisect_left(steps, way * q / QUARTERS) for q in range(1, QUARTERS)}
    if d.best and d.best[0] in steps:
        keep.add(steps.index(d.best[0]))
    return sorted(k for k in keep if k < len(steps))


def _said(answer: str) -> str:
    text = answer.strip()
    return f'<span class="said">{escape(text)}</span>' if text else '<span class="quiet">(nothing)</span>'


def _short(text: str, limit: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def as_table(d: Digest) -> str:
    """Loss by step, for who does not read the plot: at each validation, or where there is none at some steps."""
    heads = ["Step#", "Training loss#", "Validation loss#"]
    if d.val_steps:
        steps, values = thin(d.val_steps, d.val_losses, 200)
        names = list(dict.fromkeys(name for figures in d.figures.values() for name in figures))
        heads += [f"{name.replace('_', ' ').capitalize()}#" for name in names]
        rows = [
            [f"{s:,}", _before(d, s), loss(v), *(_figure(d.figures.get(s, {}).get(name)) for name in names)]
            for s, v in zip(steps, values, strict=True)
        ]
    else:
        steps, values = thin(d.steps, d.losses, 50)
        rows = [[f"{s:,}", loss(v), "–"] for s, v in zip(steps, values, strict=True)]
    if not rows:
        return '<p class="quiet small">No step has been logged yet.</p>'
    on = steps.index(d.best[0]) if d.best and d.best[0] in steps else -1
    return table(heads, rows, on=on, caption="Loss by step")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _before(d: Digest, step: int) -> str:
    """The training loss logged last up to a step."""
    at = bisect.bisect_right(d.steps, step)
    return loss(d.losses[at - 1]) if at else "–"


def log(run: Run, state: State) -> str:
    """The last lines of what the process printed."""
    text = escape("\n".join(run.log(last=LOG_LINES)).rstrip())
    if state.under_way:
        return text or "Nothing has been printed yet."
    return text or "Nothing was printed here: a run from the command line prints to its terminal."
