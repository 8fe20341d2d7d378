"""Exports that go wrong: the run and an earlier package stay as they were, nothing is left, and a sentence says why."""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.cli import export as command
from core.errors import InputError
from core.export import bundle, staging
from core.runs.files import locked
from core.runs.state import Stopped, read
from tests.conftest import ROOT

FULL = OSError(errno.ENOSPC, "No space left on device")
TOO_LARGE = r"(?i)file too large|errno 27|failed to write|os error 27"
STAGES = ("loading", "asking PyTorch", "building", "comparing", "packing")


def cli(*args: str) -> dict[str, Any]:
    """The command in this process."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(list(args)))


def proof(folder: Path) -> dict[str, str]:
    """A hash of each file of a run but those of its exports."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "export"
    }


def halves(folder: Path) -> list[str]:
    """What is left of packages that were being made."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")] if folder.is_dir() else []


def eventually(true: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


# The folder that a package is made in


def test_of_two_exports_of_one_package_the_second_is_refused_and_other_packages_are_not(tmp_path: Path) -> None:
    with staging.staging(tmp_path / "cpu-int8") as (first, _):
        (first / "model.onnx").write_bytes(b"x")
        with (
            pytest.raises(InputError, match=r"Another export is at work on cpu-int8\. Wait for it"),
            staging.staging(tmp_path / "cpu-int8"),
        ):
            pass
        with staging.staging(tmp_path / "cpu-int4") as (other, _):
            assert other.is_dir()
        assert (first / "model.onnx").read_bytes() == b"x", "what is at work is left alone"
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_a_sentence_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / "cpu-int8", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match="No package can be made in"), staging.staging(out):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_the_end_of_the_machine_left_behind_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / ".cpu-int8.abc"
    (old / "package").mkdir(parents=True)
    with staging.staging(tmp_path / "cpu-int8"):
        assert old.is_dir(), "it is so young that it may be about to take its lock"
    monkeypatch.setattr(staging, "YOUNG_S", -1.0)
    with locked(old / staging.LOCK), pytest.raises(InputError), staging.staging(tmp_path / "cpu-int8"):
        pass
    with staging.staging(tmp_path / "cpu-int8"):
        assert not old.exists()


def test_of_a_process_that_is_killed_nothing_is_left(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from core.export.staging import staging\n"
        "with staging(Path(sys.argv[1])) as (package, work):\n"
        "    (package / 'model.onnx').write_bytes(b'x' * 10_000_000)\n"
        "    print('there', flush=True); os.kill(os.getpid(), 9)"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "cpu-int8")], env=env, capture_output=True)
    assert done.returncode == -signal.SIGKILL and done.stdout == b"there\n", done.stderr
    assert eventually(lambda: not list(tmp_path.iterdir()))


# The archive


def test_packing_can_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "model.onnx").write_bytes(bytes(5 * 2**20))
    asked = iter([False, False, True])
    with pytest.raises(Stopped):
        bundle.pack(tmp_path / "package", tmp_path / "one.zip", "top", lambda: next(asked))
    assert [path.name for path in tmp_path.iterdir()] == ["package"]


def test_files_that_need_the_long_form_are_packed_with_their_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of more than 4 GB, here from 1,000 bytes on."""
    folder = tmp_path / "package"
    (folder / "onnx").mkdir(parents=True)
    names = ["model.onnx", "model.onnx.data", "onnx/model.onnx_data_1"]
    for name in names:
        (folder / name).write_bytes(name.encode() * 1000)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    bundle.pack(folder, tmp_path / "one.zip", "top")
    assert b"PK\x06\x06" in (tmp_path / "one.zip").read_bytes(), "the long form's own directory"
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert {n: archive.read(f"top/{n}") for n in names} == {n: (folder / n).read_bytes() for n in names}
    listed = subprocess.run([sys.executable, "-m", "zipfile", "-t", str(tmp_path / "one.zip")], capture_output=True)
    assert listed.returncode == 0


# Whole exports


@pytest.fixture
def unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison takes seconds and is none of these tests' business."""
    from core.export.makers import writer

    monkeypatch.setattr(writer.Work, "compare", lambda *a: {"status": "verified", "message": "As PyTorch."})


def at_stage(stage: str, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], None], out: Path) -> None:
    """Do something as soon as an export says that it is at this stage, within it."""
    from core.runs.state import Job

    said = Job.say

    def say(self: Job, what: str) -> None:
        said(self, what)
        if what == stage:
            act(out)

    monkeypatch.setattr(Job, "say", say)


@pytest.mark.slow
def test_stopped_at_any_stage(
    tuned_run: Any, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, unproven: None
) -> None:
    run = tuned_run(tiny_llama)
    cli(run.id, "--precision", "fp32")
    out = run.export_dir("cpu", "fp32")
    before, package = proof(run.dir), {n: (out / n).read_bytes() for n in bundle.package_files(out)}
    for stage in STAGES:
        with monkeypatch.context() as patch:
            at_stage(stage, patch, lambda out: (out / "stop").touch(), out)
            with pytest.raises(Stopped):
                cli(run.id, "--precision", "fp32")
        state = read(out / "state.json")
        assert state is not None and state.state == "stopped", stage
        assert proof(run.dir) == before and halves(out.parent) == [], stage
        assert {n: (out / n).read_bytes() for n in bundle.package_files(out)} == package, stage
        assert (out / "report.json").is_file() and out.with_name("cpu-fp32.zip").is_file(), stage


def refuse(*args: Any, **more: Any) -> Any:
    raise FULL


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [
        "core.export.source.merge_and_load",
        "core.export.proof.reference.np.save",
        "core.export.graphs.builder.put_right",
        "core.export.bundle._text",
        "core.export.make.card",
        "core.export.bundle.zipfile.ZipFile.open",
    ],
)
def test_no_space_left(
    tuned_run: Any, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, unproven: None, where: str
) -> None:
    run = tuned_run(tiny_llama)
    before, out = proof(run.dir), run.export_dir("cpu", "fp32")
    monkeypatch.setattr(where, refuse)
    with pytest.raises(OSError, match="No space left"):
        cli(run.id, "--precision", "fp32")
    state = read(out / "state.json")
    assert state is not None and (state.state, state.reason) == ("failed", "disk_full")
    assert state.error.startswith("The disk is full: nothing more could be written")
    assert proof(run.dir) == before and halves(out.parent) == [] and bundle.package_files(out) == []


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system itself refuses to write longer files, whoever writes, native code too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.slow
def test_a_system_that_takes_no_more(tuned_run: Any, tiny_llama: Path) -> None:
    run = tuned_run(tiny_llama, "full")
    before, out = proof(run.dir), run.export_dir("cpu", "fp32")
    with (
        files_of_at_most(100_000),
        pytest.raises(Exception, match=r"(?i)file too large|errno 27|failed to write|os error 27"),
    ):
        cli(run.id, "--precision", "fp32")
    state = read(out / "state.json")
    assert state is not None and state.state == "failed" and len(state.error.splitlines()) == 1
    assert proof(run.dir) == before and halves(out.parent) == [] and bundle.package_files(out) == []


@pytest.mark.slow
@pytest.mark.parametrize(("number", "ends"), [(signal.SIGTERM, "stopped"), (signal.SIGKILL, "failed")])
def test_a_signal_in_the_middle_of_the_build(tuned_run: Any, tiny_llama: Path, number: int, ends: str) -> None:
    """SIGKILL is how the system ends a builder that takes all memory."""
    run = tuned_run(tiny_llama)
    before, out = proof(run.dir), run.export_dir("cpu", "fp32")
    code = (
        "import sys, time; from core.export.graphs import builder; from core.__main__ import main\n"
        "builder.build = lambda *a, **k: (open(a[3] / 'model.onnx', 'wb').write(b'half'), time.sleep(600))\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    line = [sys.executable, "-c", code, "export", run.id, "--precision", "fp32"]
    process = subprocess.Popen(
        line, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        assert eventually(lambda: bool(list(out.parent.glob(".cpu-fp32.*/package/model.onnx"))), 110)
        process.send_signal(number)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert eventually(lambda: halves(out.parent) == []), "the reaper has come"
    state = read(out / "state.json")
    assert state is not None and state.state == ends
    if ends == "failed":
        assert state.reason == "killed" and state.error.endswith(".") and "export" not in state.error
    assert proof(run.dir) == before and bundle.package_files(out) == []


def test_a_run_that_is_being_trained_is_not_exported(tuned_run: Any, tiny_llama: Path) -> None:
    run = tuned_run(tiny_llama)
    file = run.dir / "state.json"
    us = {"state": "running", "pid": os.getpid(), "created": psutil.Process().create_time(), "heartbeat": time.time()}
    file.write_text(json.dumps(json.loads(file.read_text()) | us))
    before = proof(run.dir)
    with pytest.raises(InputError, match="is being trained. Export it when that has ended, or stop it first"):
        cli(run.id, "--precision", "fp32")
    assert proof(run.dir) == before and not (run.dir / "export" / "cpu-fp32").exists()


def test_the_second_export_of_the_same_is_refused(tuned_run: Any, tiny_llama: Path) -> None:
    run = tuned_run(tiny_llama)
    out = run.export_dir("cpu", "fp32")
    with (
        locked(out / ".lock"),
        pytest.raises(InputError, match="Another process is at work in .*cpu-fp32. Wait for it"),
    ):
        cli(run.id, "--precision", "fp32")
