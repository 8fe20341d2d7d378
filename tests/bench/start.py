"""How long until the page answers, against the least that any Gradio app needs: import gradio."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

from core.config import dumps, load
from core.paths import ROOT
from core.runs import standby
from tests.bench.table import Row, in_turn
from tests.bench.watched import waiting


def measure(quick: bool) -> list[Row]:
    """Wall and processor seconds of `python app.py` to the first 200, and of `python -c "import gradio"`."""
    app: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []

    def ours() -> float:
        app.append(_app())
        return app[-1][0]

    def theirs() -> float:
        bare.append(_bare())
        return bare[-1][0]

    times = 1 if quick else 5
    if not quick:
        _bare()  # the first import reads the disk
    wall = in_turn(ours, theirs, times=times)
    processor = [sorted(x[1] for x in found)[len(found) // 2] for found in (app, bare)]
    return [
        Row("start", "page: to the first 200", wall[0], "import gradio", wall[1], "s"),
        Row("start", "page: processor time", processor[0], "import gradio", processor[1], "s"),
        Row("start", "a training of one step, from the click", *_jobs(1 if quick else 3), "s"),
    ]


def _jobs(times: int) -> tuple[float, str, float]:
    """Seconds of a training of one step: by the process that waits while the page is open, and by one started anew."""
    few = ["training.max_steps=1", "training.eval_steps=1", "training.save_steps=1"]
    one = load(ROOT / "assets" / "configs" / "tone.yaml", few)
    with tempfile.TemporaryDirectory(prefix="tunesmith-bench-") as name:
        config, count = Path(name) / "one.yaml", itertools.count()
        config.write_text(dumps(one), encoding="utf-8")

        def train() -> float:
            log, began = Path(name) / "log", time.monotonic()
            line = ["train", str(config), "--run-dir", str(Path(name) / f"run-{next(count)}")]
            if standby.start(line, standby.environment(), log).wait():
                raise RuntimeError(log.read_text(encoding="utf-8")[-2000:])
            return time.monotonic() - began

        def clicked() -> float:
            waiting()
            return train()

        ours, theirs = in_turn(clicked, train, times=times)
    return ours, "a process started anew", theirs


def _app() -> tuple[float, float]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = os.environ | {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while process.poll() is None and time.monotonic() - began < 120:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer,
            ):
                if answer.status == 200:
                    used = psutil.Process(process.pid).cpu_times()
                    return time.monotonic() - began, used.user + used.system
            time.sleep(0.02)
        raise RuntimeError("the app did not answer")
    finally:
        process.kill()
        process.wait()


def _bare() -> tuple[float, float]:
    began, before = time.monotonic(), os.times()
    subprocess.run([sys.executable, "-c", "import gradio"], cwd=ROOT, check=True)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, used
