"""What a page costs that looks once a second at a run of 20,000 logged steps."""

from __future__ import annotations

import json
import math

from core.config import RunConfig
from core.runs import store
from core.runs.curve import Curve
from core.runs.eventlog import EventLog
from core.runs.state import StateFile
from tests.bench.table import Row, cpu_seconds, in_turn

SLOTS = ("strip", "head", "trouble", "advice", "checkpoints", "samples", "log", "table")


def measure(quick: bool) -> list[Row]:
    """Processor time and bytes of one tick, against reading the file anew and sending the whole curve."""
    from ui.live import news

    points = 500 if quick else 20_000
    run = store.create(RunConfig())
    with StateFile(run.dir / "state.json").working("training"):
        log = EventLog(run.dir / "events.jsonl")
        for step in range(1, points + 1):
            _log(log, step, points)
            if step % 50 == 0:
                log.add("eval", step, validation_loss=1 + 2 / math.sqrt(step), perplexity=3.0)
        seen = dict.fromkeys(SLOTS, "")
        answer = news({"run": run.id, "turns": -1, "log": 0, "val": 0, "seen": seen})
        step, sent = points, 0

        def tick() -> float:
            nonlocal answer, step, sent
            step += 1
            _log(log, step, points)
            seen.update({name: version for name, (version, _) in answer.get("slots", {}).items()})
            took = cpu_seconds(lambda: _ask())
            sent = len(json.dumps(answer))
            return took

        def _ask() -> None:
            nonlocal answer
            answer = news({"run": run.id, **answer["at"], "seen": seen})

        whole = 0

        def anew() -> float:
            nonlocal whole

            def read() -> str:
                curve = Curve()
                curve.add(run.events()[0])
                return json.dumps([[s, e["loss"]] for s, e in curve.logs.items()])

            took = cpu_seconds(read)
            whole = len(read())
            return took

        ours, theirs = in_turn(tick, anew, times=3 if quick else 15)
    label = f"one tick at {points:,} points"
    return [
        Row("tick", label, ours * 1000, "the whole file anew", theirs * 1000, "ms"),
        Row("tick", f"{label}: sent", sent / 1024, "the whole curve", whole / 1024, "KiB"),
    ]


def _log(log: EventLog, step: int, last: int) -> None:
    values = {"learning_rate": 1e-3 * (1 - step / last / 2), "grad_norm": 0.5, "epoch": step / 100}
    values |= {"tokens_per_second": 900.0, "max_steps": last * 2}
    log.add("log", step, loss=1 + 2 / math.sqrt(step) + 0.1 * math.sin(step), **values)
