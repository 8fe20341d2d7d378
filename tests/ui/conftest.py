"""Run directories for the page's tests, written as a training process writes them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.config import build
from core.runs.files import write_json
from core.runs.store import Run, create

Event = dict[str, Any]


def log(step: int, loss: float, **more: Any) -> Event:
    """A logged step; one a second."""
    event = {
        "t": 1000.0 + step,
        "step": step,
        "kind": "log",
        "loss": loss,
        "tokens_per_second": 900.0,
        "max_steps": 100,
    }
    return event | more


def validated(step: int, loss: float) -> Event:
    """A validation."""
    return {"t": 1000.0 + step, "step": step, "kind": "eval", "validation_loss": loss}


def append(run: Run, *events: Event) -> None:
    """Add lines to events.jsonl."""
    with open(run.dir / "events.jsonl", "a", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def set_state(run: Run, state: str, **more: Any) -> None:
    """Write state.json; a run under way is this process, which lives."""
    import psutil

    me = psutil.Process()
    now = time.time()
    values: dict[str, Any] = {"state": state, "heartbeat": now, "started": now - 60, "pid": me.pid}
    values["created"] = me.create_time()
    if state in ("done", "failed", "stopped"):
        values["ended"] = now
    write_json(run.dir / "state.json", values | more)


@pytest.fixture
def new_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """A function that makes a run in a folder of this test's own: new_run("done", event, event, what=...)."""
    monkeypatch.setenv("TUNESMITH_RUNS", str(tmp_path / "runs"))
    data = tmp_path / "rows.jsonl"
    data.write_text('{"phrase": "a", "tone": "b"}\n', encoding="utf-8")

    def make(state: str = "done", *events: Event, settings: dict[str, Any] | None = None, **more: Any) -> Run:
        run = create(build({"data": {"path": str(data)}, **(settings or {})}))
        append(run, *events)
        set_state(run, state, **more)
        return run

    return make
