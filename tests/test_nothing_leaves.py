"""Nothing leaves the machine: the whole path under watch, and the four telemetries that it is known to silence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core import config as configs
from tests import factory
from tests.conftest import ROOT
from tests.watched import Watch, can_trace, local
from tests.web import packages
from tests.web.node import modules

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DATABASES = [f".cache/Microsoft/DeveloperTools/.onnxruntime/{name}.db" for name in ("onnxruntime-genai", "onnxruntime")]
# What each library reports by default, and where to.
HUB = "import huggingface_hub.utils as hub; hub.send_telemetry('tunesmith/test')"
GRADIO = "import gradio; gradio.Blocks()"
ONNX = """
import onnxruntime, onnxruntime_genai
try:
    onnxruntime_genai.Model("no such folder")
except RuntimeError:
    pass
"""
REPORTS = {"hub": (HUB, "huggingface.co"), "gradio": (GRADIO, "api.gradio.app"), "onnx": (ONNX, "microsoft.com")}


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Processes under watch."""
    watch = Watch(tmp_path / "watch")
    yield watch
    watch.close()


@pytest.mark.parametrize("library", REPORTS)
def test_what_is_reported_by_default_is_seen_here(library: str, watch: Watch) -> None:
    """So that the tests below can fail: without Tunesmith each library speaks to its makers' collector."""
    code, host = REPORTS[library]
    child = subprocess.Popen(
        watch.line(sys.executable, "-c", f"{code}\nimport sys; sys.stdin.read()"),
        cwd=watch.folder, env=watch.env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 120
        while not any(host in line for line in watch.collector.heard) and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        child.communicate(b"")
    assert any(host in line for line in watch.collector.heard), watch.collector.heard
    if library == "onnx":
        assert set(DATABASES) <= set(watch.left_at_home())


def test_the_four_are_silent_once_core_is_imported(watch: Watch) -> None:
    code = "\n".join(["import core", *(code for code, _ in REPORTS.values()), "import time; time.sleep(3)"])
    watch.run(sys.executable, "-c", code)
    assert not watch.collector.heard and not watch.addresses() and not watch.left_at_home()


def test_the_watch_sees_what_leaves(watch: Watch, tmp_path: Path) -> None:
    """A look-up, a connection, a child's, one of native code, and a file elsewhere."""
    outside = tmp_path / "outside.txt"
    code = f"""
import contextlib, multiprocessing, socket, subprocess, sys
def look():
    with contextlib.suppress(OSError):
        socket.getaddrinfo("collector.invalid", 443)
if __name__ == "__main__":
    with contextlib.suppress(OSError):
        socket.create_connection(("192.0.2.1", 9), timeout=0.01)
    subprocess.run([sys.executable, "-c", "import socket; socket.socket(2, 2).sendto(b'', ('192.0.2.2', 9))"])
    child = multiprocessing.get_context("spawn").Process(target=look)
    child.start(); child.join()
    open({str(outside)!r}, "w").close()
    import ctypes
    native = ctypes.CDLL(None)
    speaker = native.socket(2, 2, 0)
    native.connect(speaker, bytes([2, 0, 0, 9, 192, 0, 2, 3]) + bytes(8), 16)
"""
    (tmp_path / "leak.py").write_text(code)
    subprocess.run(watch.line(sys.executable, str(tmp_path / "leak.py")), env=watch.env, stderr=subprocess.DEVNULL)
    native = {"192.0.2.3"} if can_trace() else set()
    found = watch.addresses()
    assert {"192.0.2.1", "192.0.2.2", "collector.invalid"} | native <= found, found
    assert watch.written([]) == {str(outside)}
    assert local("127.0.0.53") and local("::1") and not local("10.0.0.1") and not local("example.org")


def listing() -> set[str]:
    """The files of the project, but for those that tools of a developer keep there."""
    tools = {
        ".git",
        ".venv",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        "node_modules",
    }
    found = set()
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in tools]
        found |= {os.path.relpath(os.path.join(folder, name), ROOT) for name in files}
    return found


def test_the_whole_path_asks_nobody_and_writes_where_it_may(watch: Watch, tiny_llama: Path, tmp_path: Path) -> None:
    """The page, a run by a process that waited for it, its evaluation, its export, and what was exported."""
    before, place = listing(), tmp_path / "place"
    watch.env |= {
        "TUNESMITH_RUNS": str(place / "runs"),
        "TUNESMITH_CACHE": str(place / "cache"),
        "GRADIO_TEMP_DIR": str(watch.temp / "gradio"),
    }
    rows = factory.write_jsonl(place / "rows.jsonl", factory.tone_rows(24))
    made = {
        "model": {"path": str(tiny_llama)},
        "data": {"path": str(rows), "template": "{phrase}\n{tone}", "max_tokens": 64},
        "training": {"max_steps": 2, "eval_steps": 2, "save_steps": 2, "logging_steps": 1},
        "evaluation": {"max_new_tokens": 4},
    }
    (place / "run.yaml").write_text(configs.dumps(configs.build(made)), encoding="utf-8")
    serve_once(watch)
    run = place / "runs" / "one"
    order = {"command": ["train", str(place / "run.yaml"), "--run-dir", str(run)], "env": watch.env, "piped": False}
    waiting = subprocess.run(
        watch.line(sys.executable, "-m", "core.runs.waiting"),
        cwd=ROOT, env=watch.env, input=json.dumps(order | {"log": str(place / "log")}).encode() + b"\n",
    )  # fmt: skip
    assert waiting.returncode == 0, (place / "log").read_text()
    watch.run(sys.executable, "-m", "core", "evaluate", str(run), "--rows", "4")
    out = place / "package"
    watch.run(sys.executable, "-m", "core", "export", str(run), "--precision", "int8", "--rows", "4", "--out", str(out))
    said = watch.run(sys.executable, "run.py", "--max-new-tokens", "3", "The lake lies still tonight", cwd=out)
    assert said.stderr == ""
    assert not watch.collector.heard and not watch.addresses()
    assert not watch.left_at_home() and not watch.written([place])
    assert listing() <= before
    seen = "\n".join(watch.processes())
    for words in ("app.py", "core.runs.waiting", "core evaluate", "core export", "core.export.proof.fresh", "run.py"):
        assert words in seen, f"{words} went by unwatched: {seen}"


def serve_once(watch: Watch) -> None:
    """Start the app as a person does, and have what a browser asks for first."""
    from tests.browser.conftest import free_port

    port = free_port()
    env = watch.env | {"GRADIO_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    app = subprocess.Popen(
        watch.line(sys.executable, "app.py"),
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert app.stdout is not None
        assert (line := app.stdout.readline()).startswith("Tunesmith is at http"), line
        for path in ("", "config", "theme.css"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as answer:
                assert answer.status == 200 and answer.read()
    finally:
        for process in psutil.Process(app.pid).children(recursive=True) or [app]:  # strace itself heeds no signal
            process.terminate()
        app.communicate(timeout=30)


def test_the_sample_for_node_reports_nothing(watch: Watch, tmp_path: Path) -> None:
    from core.models.tokenizer import load_tokenizer

    node_modules = modules() / "node_modules"
    base = factory.write_tokenizer(tmp_path / "base", "wordpiece", chat=None)
    shutil.copyfile(packages.DEMO / "config.json", base / "config.json")
    packages.labeller(tmp_path / "label.onnx", len(load_tokenizer(base)), 3)
    package = packages.reader_package(tmp_path / "package", "label", tmp_path / "label.onnx", base)
    (package / "node_modules").symlink_to(node_modules)
    said = watch.run("node", "sample.mjs", "What a wonderful day", cwd=package)
    assert json.loads(said.stdout)["label"] in packages.LABELS["label"]
    assert not watch.collector.heard and not watch.addresses() and not watch.left_at_home()
