"""What a run's events add up to, folded one by one, so that following a run costs only what is new."""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from core.runs import eventlog
from core.runs.store import Run

KEPT = 24  # digests held in memory; a run that falls out is read again from its file
NO_FIGURES = ("t", "step", "validation_loss", "metric_value", "higher_is_better")  # of an eval event
WINDOW = 20  # logged steps over which the pace is measured


@dataclass
class Digest:
    """The events of one run so far. A server that was started again builds the same from the same file.

    `turns` counts how often the run went back to a checkpoint; what came after that step is then dropped.
    """

    byte: int = 0
    turns: int = 0
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    val_steps: list[int] = field(default_factory=list)
    val_losses: list[float] = field(default_factory=list)
    figures: dict[int, dict[str, float]] = field(default_factory=dict)  # what else each validation found, by step
    metric: str = "loss"  # what the best weights are chosen by
    values: list[float] = field(default_factory=list)  # of it, at each validation, so signed that the lowest is best
    # the step with the earliest of the best of these, the base model's among them, and its validation loss
    best: tuple[int, float] | None = None
    log: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: list[int] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)
    max_steps: int = 0
    pace: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    asked: dict[str, Any] = field(default_factory=dict)
    _lowest: float | None = None  # of the values

    def add(self, event: dict[str, Any]) -> None:
        """One line of events.jsonl; kinds that say nothing about the curve are passed over."""
        step = int(event.get("step") or 0)
        loss: Any
        if most := event.get("max_steps"):
            self.max_steps = int(most)
        match event.get("kind"):
            case "log" if _finite(loss := event.get("loss")):
                if self.steps and step <= self.steps[-1]:
                    self._back_to(step - 1)
                self.steps.append(step)
                self.losses.append(float(loss))
                self.log = event
                self.pace.append((float(event.get("t") or 0), step))
            case "eval" if _finite(event.get("validation_loss")):
                loss = float(event["validation_loss"])
                if self.val_steps and step <= self.val_steps[-1]:
                    self._back_to(step - 1, step)
                self.val_steps.append(step)
                self.val_losses.append(loss)
                self.figures[step] = {k: float(v) for k, v in event.items() if k not in NO_FIGURES and _finite(v)}
                self.metric = str(event.get("metric") or "loss")
                value: Any = event.get("metric_value")
                sign = -1 if event.get("higher_is_better") else 1
                self.values.append(sign * float(value) if _finite(value) else loss)
                if self._lowest is None or self.values[-1] < self._lowest:
                    self._lowest, self.best = self.values[-1], (step, loss)
            case "sample":
                self.samples.append(event)
                self.asked = self.asked or event
            case "checkpoint":
                del self.checkpoints[bisect.bisect_left(self.checkpoints, step) :]
                self.checkpoints.append(step)
            case "resources":
                self.resources = event
            case "resumed":
                self._back_to(step)
            case "end":
                self.end = event

    def _back_to(self, step: int, logged: int | None = None) -> None:
        self.turns += 1
        self.end = {}
        self.pace.clear()
        kept = bisect.bisect_right(self.steps, step if logged is None else logged)
        del self.steps[kept:], self.losses[kept:]
        kept = bisect.bisect_right(self.val_steps, step)
        del self.val_steps[kept:], self.val_losses[kept:], self.values[kept:]
        self.samples = [s for s in self.samples if int(s.get("step") or 0) <= step]
        self.checkpoints = [c for c in self.checkpoints if c <= step]
        at = min(range(len(self.values)), key=self.values.__getitem__, default=None)
        self.best = None if at is None else (self.val_steps[at], self.val_losses[at])
        self._lowest = None if at is None else self.values[at]

    @property
    def step(self) -> int:
        """The last step that was logged or validated."""
        return max(self.steps[-1:] + self.val_steps[-1:], default=0)

    def seconds_per_step(self) -> float | None:
        """The pace over the last logged steps, validation included; None before there are two."""
        if len(self.pace) < 2:
            return None
        (t0, s0), (t1, s1) = self.pace[0], self.pace[-1]
        return (t1 - t0) / (s1 - s0) if s1 > s0 and t1 > t0 else None

    def seconds_left(self) -> float | None:
        """How long the rest takes at this pace, in seconds; None where that is not known."""
        pace = self.seconds_per_step()
        return None if pace is None or not self.max_steps else max(0, self.max_steps - self.step) * pace


def thin(xs: list[int], ys: list[float], limit: int) -> tuple[list[int], list[float]]:
    """At most `limit` points of a curve: its ends, and the lowest and highest of each stretch between."""
    if len(xs) <= limit:
        return xs, ys
    inner, stretches = len(xs) - 2, max(1, (limit - 2) // 2)
    kept = {0, len(xs) - 1}
    for n in range(stretches):
        span = range(1 + n * inner // stretches, 1 + (n + 1) * inner // stretches)
        kept |= {min(span, key=ys.__getitem__), max(span, key=ys.__getitem__)} if span else set()
    return [xs[i] for i in sorted(kept)], [ys[i] for i in sorted(kept)]


class Follower:
    """Digests of the runs that somebody looks at; each call reads only the bytes that were added since the last."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._digests: OrderedDict[str, Digest] = OrderedDict()
        self._lock = threading.Lock()

    def digest(self, run: Run) -> Digest:
        """The digest of a run, up to date. A run whose file has shrunk (written anew) is read from its beginning."""
        with self._lock:
            key = str(run.dir)
            found = self._digests.get(key)
            path = run.dir / "events.jsonl"
            size = path.stat().st_size if path.is_file() else 0
            if found is None or size < found.byte:
                found = Digest()
            if size > found.byte:
                for events, at in eventlog.read(path, found.byte):
                    found.byte = at
                    for event in events:
                        found.add(event)
            self._digests[key] = found
            self._digests.move_to_end(key)
            while len(self._digests) > self._kept:
                self._digests.popitem(last=False)
            return found


def _finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= 1e300  # which no number beyond all bounds is, nor NaN
