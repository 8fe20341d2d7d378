"""A time budget: how much of it is spent, and the step that the schedule is at if the budget ends the training."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from core.runs import records
from core.runs.files import write_json

CLOCK = "clock.json"


@dataclass
class Clock:
    """The time that a training has taken, over all of its attempts, validating and saving included.

    Attributes:
        budget: in seconds, or None. spent: seconds of the attempts before this one, up to their last checkpoint.
    """

    budget: float | None
    spent: float = 0.0
    _since: float | None = field(default=None, repr=False)

    def start(self) -> None:
        """From now on time is spent."""
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        """Spent so far."""
        return self.spent + (time.monotonic() - self._since if self._since is not None else 0.0)

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.budget is not None and self.seconds >= self.budget

    def step(self, step: int, steps: int) -> float:
        """Where the schedule is: at this step, or further on where the time left is too short for all `steps`.

        So the learning rate has fallen to its end when either runs out. Without a budget it is the step itself.
        """
        if self.budget is None:
            return step
        return max(float(step), min(1.0, self.seconds / self.budget) * steps)

    def save(self, folder: Path) -> None:
        """Beside a checkpoint: what a resumed training has spent already."""
        write_json(folder / CLOCK, {"seconds": round(self.seconds, 3)})

    def load(self, folder: Path) -> None:
        """Go on with what was spent up to a checkpoint."""
        self.spent = (records.CLOCK.find(folder / CLOCK) or {}).get("seconds", 0.0)
