"""The course of a run from its events: what a resume repeated counts once, and many points become few."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Event = dict[str, Any]


class Curve:
    """Events, put in order. Feed it with `add`, as often as there is something new."""

    def __init__(self) -> None:
        self.logs: dict[int, Event] = {}
        self.evals: dict[int, Event] = {}
        self.samples: dict[int, Event] = {}
        self.others: list[Event] = []
        self.resources: Event | None = None
        self.max_steps = 0

    def add(self, events: Iterable[Event]) -> None:
        """Take in further events. After a resume from step N whatever was noted beyond N is forgotten."""
        kinds = {"log": self.logs, "eval": self.evals, "sample": self.samples}
        for event in events:
            kind, step = event.get("kind"), event.get("step")
            if kind in kinds and isinstance(step, int):
                kinds[kind].pop(step, None)
                kinds[kind][step] = event
                self.max_steps = event.get("max_steps") or self.max_steps
            elif kind == "resources":
                self.resources = event
            else:
                if kind == "resumed" and isinstance(step, int):
                    for points in kinds.values():
                        for later in [s for s in points if s > step]:
                            del points[later]
                self.others.append(event)

    def thinned(self, max_points: int = 1000) -> dict[str, Any]:
        """The course as plain values.

        Returns:
            log: log events by step, at most `max_points`: first, last, and the lowest and highest loss of each
            stretch, so that a spike stays in sight; points: how many there were. eval, sample: all of them, by step.
            other: the rest, as they came (state, checkpoint, resumed, note, end). resources: the last, or None.
            max_steps: where it will end.
        """
        logs = [self.logs[s] for s in sorted(self.logs)]
        return {
            "log": thin(logs, max_points),
            "eval": [self.evals[s] for s in sorted(self.evals)],
            "sample": [self.samples[s] for s in sorted(self.samples)],
            "other": self.others,
            "resources": self.resources,
            "max_steps": self.max_steps,
            "points": len(logs),
        }

    def mean_loss(self) -> float | None:
        """The mean training loss over all steps; a log event speaks for the steps since the one before it."""
        total, before = 0.0, 0
        for step in sorted(self.logs):
            loss = self.logs[step].get("loss")
            if isinstance(loss, (int, float)):
                total += loss * (step - before)
            before = step
        return total / before if before else None


def thin(logs: list[Event], max_points: int) -> list[Event]:
    """At most `max_points` (4 or more) of the events: first, last, and each stretch's lowest and highest loss."""
    if len(logs) <= max_points:
        return logs
    inner = logs[1:-1]
    stretches = max(1, (max_points - 2) // 2)
    kept: set[int] = set()
    for n in range(stretches):
        span = range(n * len(inner) // stretches, (n + 1) * len(inner) // stretches)
        losses = [(inner[i]["loss"], i) for i in span if isinstance(inner[i].get("loss"), (int, float))]
        kept.update((min(losses)[1], max(losses)[1]) if losses else span[:1])
    return [logs[0], *(inner[i] for i in sorted(kept)), logs[-1]]
