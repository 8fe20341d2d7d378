"""How far a run has come, from its log of events: folded one by one, so that a log that grows costs what is new."""

from __future__ import annotations

import bisect
import math
from array import array
from dataclasses import dataclass
from typing import Any

SHOWN = 60  # validation losses of a run that are kept for its row


@dataclass(frozen=True)
class Course:
    """What the log of a run adds up to.

    Attributes:
        step: the last step that was logged; 0 before the first. max_steps: how many there will be; 0: not known yet.
        loss: the training loss of that step, or None. losses: of validation, in order, at most 61 of them, first and
        last among them. best, best_step: the lowest of all validation losses and where; the base model's, at step 0,
        is one of them. tuned, tuned_step: the lowest after the first update.
    """

    step: int = 0
    max_steps: int = 0
    loss: float | None = None
    losses: tuple[float, ...] = ()
    best: float | None = None
    best_step: int | None = None
    tuned: float | None = None
    tuned_step: int | None = None


class Fold:
    """The events of one run so far: steps and losses, 16 bytes for each, so that a resume can go back."""

    def __init__(self) -> None:
        self._steps, self._losses = array("q"), array("d")
        self._checked, self._checks = array("q"), array("d")
        self.max_steps = 0

    def add(self, event: dict[str, Any]) -> None:
        """One event. What is no number where one is expected is passed over; after a resume from a step, or where a step
        comes again, what was noted from there on is forgotten."""
        kind, step = event.get("kind"), event.get("step")
        if type(step) is not int or not 0 <= step < 2**62:
            return
        if kind == "log":
            if self._steps and step <= self._steps[-1]:
                self._back(self._steps, self._losses, step)
            loss: Any = event.get("loss")
            self._steps.append(step)
            self._losses.append(loss if _finite(loss) else math.nan)
        elif kind == "eval":
            loss = event.get("validation_loss")
            if _finite(loss):
                if self._checked and step <= self._checked[-1]:
                    self._back(self._checked, self._checks, step)
                self._checked.append(step)
                self._checks.append(loss)
        elif kind == "resumed":
            self._back(self._steps, self._losses, step + 1)
            self._back(self._checked, self._checks, step + 1)
            return
        elif kind != "sample":
            return
        most = event.get("max_steps")
        if type(most) is int and 0 < most < 2**62:
            self.max_steps = most

    @staticmethod
    def _back(steps: array[int], values: array[float], to: int) -> None:
        kept = bisect.bisect_left(steps, to)
        del steps[kept:], values[kept:]

    def course(self) -> Course:
        """What they add up to so far."""
        last = self._losses[-1] if self._losses else math.nan
        checked, checks = self._checked, self._checks
        best = min(range(len(checks)), key=checks.__getitem__, default=None)
        tuned = min((i for i in range(len(checks)) if checked[i]), key=checks.__getitem__, default=None)
        every = max(1, -(-len(checks) // SHOWN))
        losses = tuple(checks[::every]) + (tuple(checks[-1:]) if (len(checks) - 1) % every else ())
        return Course(
            self._steps[-1] if self._steps else 0,
            self.max_steps,
            None if math.isnan(last) else last,
            losses,
            None if best is None else checks[best],
            None if best is None else checked[best],
            None if tuned is None else checks[tuned],
            None if tuned is None else checked[tuned],
        )


def _finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
