"""The list of 2,000 runs: polls of the Runs tab, the choosers, adapters and the command, cold and warm; and a long run.

Beside each figure stands the same with nothing remembered: every file of every run is read, as a row was made once.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from core import config as configs
from core.config import RunConfig
from core.paths import ROOT, runs_dir
from core.runs import store
from core.runs.adapters import by_base
from core.runs.files import write_json
from core.runs.listing import LISTING, Listing, index_file
from tests.bench.table import Row, cpu_seconds, in_turn
from tests.peak import peak_bytes

EVENTS = 200_000


def measure(quick: bool) -> list[Row]:
    """Processor time of what a page or a command asks of all runs, and of the first look at a long one."""
    count = 20 if quick else 2000
    make(count)
    rows = [*_lists(count), *_command(count, quick)]
    return rows + _long(1000 if quick else EVENTS)


def make(count: int) -> None:
    """Write folders of runs that have ended, each with an adapter, 100 logged steps and 20 validations."""
    text = configs.dumps(RunConfig())
    said = json.dumps({"base_model_name_or_path": "assets/demo-model", "peft_type": "LORA", "r": 16})
    log = [{"t": 1e9, "step": s, "kind": "log", "loss": 3 / math.sqrt(s), "max_steps": 100} for s in range(1, 101)]
    log += [{"t": 1e9, "step": s, "kind": "eval", "validation_loss": 3 / math.sqrt(s)} for s in range(5, 101, 5)]
    events = "".join(json.dumps(event) + "\n" for event in log)
    state = json.dumps({"state": "done", "done": 100, "total": 100, "started": 1e9, "ended": 1e9 + 60, "pid": 1})
    for number in range(count):
        folder = runs_dir() / f"20250101-{number // 3600:02d}{number // 60 % 60:02d}{number % 60:02d}-run-{number}"
        (folder / "model").mkdir(parents=True)
        files = {"config.yaml": text, "events.jsonl": events, "state.json": state, "model/adapter_config.json": said}
        files["environment.json"] = json.dumps({"name": f"run {number}", "seed": 42})
        for name, content in files.items():
            (folder / name).write_text(content, encoding="utf-8")
    time.sleep(0.2)  # what was written a moment ago is not relied on


def forget() -> None:
    """As a new process in front of an empty cache."""
    from core.runs import about, adapters

    index_file(runs_dir()).unlink(missing_ok=True)
    about.KNOWN.clear()
    adapters.KNOWN.clear()
    LISTING.__dict__.update(Listing().__dict__)


def _lists(count: int) -> list[Row]:
    from ui import chooser
    from ui.tabs import runs
    from ui.tabs.runs import adapters

    works: dict[str, Callable[[], object]] = {
        f"Runs tab, a poll at {count:,} runs": lambda: runs.Table().news({}),
        f"all {count:,} rows": LISTING.summaries,
        "chooser of a tab": lambda: chooser.choices(""),
        "adapters by base": by_base,
        "the card of adapters": lambda: adapters.listed(None, []),
    }
    rows = []
    for what, work in works.items():
        forget()
        theirs = cpu_seconds(work)
        ours = in_turn(lambda work=work: cpu_seconds(work, loops=3), times=4)[0]  # type: ignore[misc]
        rows.append(Row("runs", what, ours * 1000, "nothing remembered", theirs * 1000, "ms"))
    return rows


def _command(count: int, quick: bool) -> list[Row]:
    def command() -> float:
        before = os.times()
        line = [sys.executable, "-m", "core", "runs", "list", "--json"]
        subprocess.run(line, cwd=ROOT, check=True, capture_output=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    def cold() -> float:
        index_file(runs_dir()).unlink(missing_ok=True)
        return command()

    first = cold()
    ours, theirs = in_turn(command, lambda: first, times=1 if quick else 3)
    return [Row("runs", f"runs list, {count:,} runs, in a new process", ours, "without the index", theirs, "CPU s")]


def long_run(events: int) -> store.Run:
    """A run whose log has so many steps, a validation at each fiftieth."""
    run = store.create(RunConfig())
    write_json(run.dir / "state.json", {"state": "done", "started": 1e9, "ended": 1e9 + 60})
    more = {"learning_rate": 1e-3, "grad_norm": 0.5, "epoch": 1.0, "tokens_per_second": 900.0, "max_steps": events}
    more |= {"all_tokens_per_second": 1200.0, "examples_per_second": 12.0, "batch_tokens": 512}
    with open(run.dir / "events.jsonl", "w", encoding="utf-8") as file:
        for step in range(1, events + 1):
            event = {"t": 1e9 + step, "step": step, "kind": "log", "loss": 1 + 2 / math.sqrt(step), **more}
            file.write(json.dumps(event) + "\n")
            if step % 50 == 0:
                loss = 1 + 2 / math.sqrt(step) + 0.01 * math.sin(step)
                file.write(json.dumps({"t": 1e9 + step, "step": step, "kind": "eval", "validation_loss": loss}) + "\n")
    return run


def _long(events: int) -> list[Row]:
    run = long_run(events)
    size = (run.dir / "events.jsonl").stat().st_size / 1e6
    code = "import json, sys; from tests.bench import listing; print(json.dumps(listing.{}(sys.argv[1])))"
    figures = {}
    for who in ("look", "whole"):
        line = [sys.executable, "-c", code.format(who), run.id]
        done = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True)
        figures[who] = json.loads(done.stdout.splitlines()[-1])
    what = f"first look at {events:,} steps ({size:,.0f} MB)"
    (ours, memory), (theirs, more) = figures["look"], figures["whole"]
    return [
        Row("runs", what, ours, "json.loads of every line", theirs, "CPU s"),
        Row("runs", f"{what}: memory", memory, "json.loads of every line", more, "MB"),
    ]


def look(run_id: str) -> tuple[float, float]:
    """(CPU seconds, MB more than before) of what the Train tab is sent at its first look."""
    from ui.live import news

    seen = dict.fromkeys(("strip", "head", "trouble", "advice", "checkpoints", "samples", "log", "table"), "")
    before = peak_bytes()
    took = cpu_seconds(lambda: news({"run": run_id, "turns": -1, "log": 0, "val": 0, "seen": seen}))
    return took, (peak_bytes() - before) / 1e6


def whole(run_id: str) -> tuple[float, float]:
    """The same of reading every line into memory."""
    path = Path(store.open_run(run_id).dir / "events.jsonl")
    before = peak_bytes()
    took = cpu_seconds(lambda: [json.loads(line) for line in path.read_bytes().splitlines()])
    return took, (peak_bytes() - before) / 1e6
