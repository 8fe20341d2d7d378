"""python -m core export, in processes of its own."""

import json
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from core.__main__ import main
from core.runs.state import read
from tests.core.export.conftest import tuned_run  # noqa: F401 - a fixture


def test_wrong_words_are_one_sentence_and_status_2(command, tmp_path, runs_dir):
    file = tmp_path / "thesis.txt"
    file.touch()
    for words, said in [
        (
            ["x", "--device", "cud"],
            "There is no device 'cud'. Did you mean 'cuda'? Known: cpu, cuda, tensorrt-rtx, dml,",
        ),
        (
            ["x", "--device", "cpu", "--precision", "bf16"],
            "CPU packages are made in fp32, fp16, int8, int4, not in bf16.",
        ),
        (["no-such-run"], "There is no run 'no-such-run'."),
        ([str(tmp_path), "--device", "cpu"], "is no run, so say where its package goes: --out DIR."),
        ([str(tmp_path), "--rows", "0"], "Argument --rows: 0 is too small: at least 1"),
        ([str(tmp_path), "--format", "gguf", "--adapters", "a"], "Adapters stay apart only in ONNX packages"),
        ([str(tmp_path), "--out", str(file / "x")], f"cannot be made: {file} is a file."),
        ([str(tmp_path), "--out", str(file)], f"{file} is a file: --out names a folder"),
    ]:
        done = command("export", *words, "--json")
        assert done.status == 2 and not done.out
        assert len(done.err.strip().splitlines()) == 1 and said in done.err


def test_a_full_disk_is_named_where_the_package_was_to_go(tmp_path, monkeypatch, capsys, runs_dir):
    def full(*_):
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr("core.cli.export._onnx", full)
    monkeypatch.setattr("core.runs.failures.shutil.disk_usage", lambda place: SimpleNamespace(free=0))
    assert main(["export", str(tmp_path), "--out", str(tmp_path / "a" / "b")]) == 2
    assert f"nothing more could be written to {tmp_path}." in capsys.readouterr().err


@pytest.mark.slow
def test_the_pinned_keys(command, tuned_run, tiny_llama):
    run = tuned_run(tiny_llama)
    done = command("export", run.id, "--device", "cpu", "--precision", "int8", "--json")
    assert done.status == 0, done.err
    keys = {"dir", "device", "precision", "status", "greedy_match", "max_logit_difference", "bytes", "seconds"}
    assert keys <= set(done.json)
    assert done.json["dir"] == str(run.export_dir("cpu", "int8"))
    state = run.export_state("cpu", "int8")
    assert state.state == "done" and state.what == "packing"
    shown = command("export", str(run.dir), "--precision", "int8")
    assert shown.status == 0 and shown.out.startswith("CPU int8: ")


@pytest.mark.slow
def test_a_model_that_is_no_run_goes_where_one_says(command, tiny_llama, tmp_path):
    done = command("export", tiny_llama, "--precision", "fp32", "--out", tmp_path / "mine", "--json")
    assert done.status == 0 and done.json["status"] == "verified"
    assert (tmp_path / "mine" / "run.py").is_file() and (tmp_path / "mine.zip").is_file()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("x")
    refused = command("export", tiny_llama, "--out", other)
    assert refused.status == 2 and "holds other files" in refused.err


@pytest.mark.slow
def test_terminated_it_says_stopped_and_leaves_nothing(tuned_run, tiny_llama):
    run = tuned_run(tiny_llama)
    line = [sys.executable, "-m", "core", "export", run.id, "--precision", "fp32", "--json"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    path = run.export_dir("cpu", "fp32") / "state.json"
    until = time.monotonic() + 60
    while time.monotonic() < until and not list(path.parent.parent.glob(".cpu-fp32.*")):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and not out
    assert read(path).state == "stopped"
    assert [p.name for p in path.parent.parent.iterdir()] == ["cpu-fp32"]


@pytest.mark.slow
def test_a_failed_comparison_is_status_1(command, tuned_run, tiny_llama, tmp_path):
    run = tuned_run(tiny_llama)
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'export' in sys.argv:\n"
        "    import core.export.proof.written as v\n"
        "    def broken(*a, **k): raise RuntimeError('The package does not run: it is a test.')\n"
        "    v.compare = broken\n"
    )
    from tests.conftest import ROOT

    done = command("export", run.id, "--precision", "fp32", "--json", PYTHONPATH=f"{hook}:{ROOT}")
    assert done.status == 1 and done.json["status"] == "failed"
    assert json.loads((run.export_dir("cpu", "fp32") / "failed.json").read_text())["status"] == "failed"
