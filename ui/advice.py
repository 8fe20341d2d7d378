"""What a loss curve says, read off and nothing more: still falling, level, or rising while training loss falls."""

from __future__ import annotations

import bisect

from ui.curve import Digest

LEVEL = 0.01  # below this share of the best loss a change is noise: a few dozen rows move that much by themselves
NEAR = 5  # logged steps whose mean stands for the training loss at a step


def advice(d: Digest, running: bool) -> tuple[str, str, str] | None:
    """(kind, title, sentence) for `ui.parts.say`, or None where three validations do not yet say anything."""
    if len(d.val_losses) < 3 or d.best is None:
        return None
    step, best = d.best
    last, before = d.val_losses[-1], d.val_losses[-2]
    if last > best * (1 + LEVEL):
        then, now = training_at(d, step), training_at(d, d.val_steps[-1])
        if then is not None and now is not None and now < then * (1 - LEVEL):
            text = f"From step {step:,} on, what it had seen got easier and what it had not seen got harder."
            if not running:
                text += " The weights of that step are in use; fewer epochs or more rows would help."
            return "fix", "It began to memorise", text
        text = f"Validation loss was lowest at step {step:,}. A smaller learning rate may help."
        return "fix", "It got worse after its best", text
    if before - last > LEVEL * best:
        if running:
            return "done", "It is learning", "What it has not seen is still getting easier. Nothing to change yet."
        return "done", "It was still learning at the end", "Validation loss was still falling: more epochs may help."
    if running:
        text = "Validation loss hardly moved at the last check. Some tasks pause like this, and then go on."
        return "same", "Little moves just now", text
    return "done", "It has levelled off", "Validation loss hardly moved any more: more of the same would change little."


def training_at(d: Digest, step: int) -> float | None:
    """Mean training loss of the last logged steps up to a step, which is less noisy than one of them.

    Steps before the validation that precedes it are left out: early on the loss falls fast.
    """
    at = bisect.bisect_right(d.steps, step)
    before = bisect.bisect_left(d.val_steps, step)
    since = bisect.bisect_right(d.steps, d.val_steps[before - 1]) if before else 0
    near = d.losses[max(0, at - NEAR, min(since, at - 1)) : at]
    return sum(near) / len(near) if near else None


def moved(d: Digest) -> tuple[tuple[str, str], tuple[str, str]]:
    """((training loss, how it moved), (validation loss, how it moved)), in words: since the best step where it lies
    behind, otherwise since the validation before."""
    if not d.val_steps or d.best is None:
        return ("–", ""), ("–", "")
    since = d.best[0] if d.best[0] != d.val_steps[-1] else (d.val_steps[-2:-1] or d.val_steps)[0]
    validation = d.val_losses[bisect.bisect_left(d.val_steps, since)]
    now, then = training_at(d, d.val_steps[-1]), training_at(d, since)
    return _words(now, then), _words(d.val_losses[-1], validation)


def _words(now: float | None, then: float | None) -> tuple[str, str]:
    if now is None:
        return "–", ""
    change = now - then if then is not None else 0.0
    return f"{now:.2f}", "level" if abs(change) < 0.005 else f"{'down' if change < 0 else 'up'} {abs(change):.2f}"
