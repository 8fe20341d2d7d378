"""run.py in a new environment that holds only what requirements.txt names: no torch, no transformers, none of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.export import bundle, targets
from core.models.tokenizer import load_tokenizer
from tests import factory

pytestmark = pytest.mark.slow

SETTINGS: dict[str, Any] = {
    "title": "T", "base": "b", "run": None, "task": None, "device": "cpu", "precision": "fp32", "chat_template": None,
    "system": "", "layout": {"name": "prompt_completion", "roles": {"prompt": "text", "completion": "answer"}},
    "columns": ["text", "answer"], "fields": ["text"], "optional": [], "chat": False, "pad_id": 0,
    "prompt_tokens": 64, "template": "{text}[[{answer}]]",
}  # fmt: skip
# What pip says of an index that it does not reach.
UNREACHED = ("NewConnectionError", "Temporary failure in name", "Network is unreachable", "timed out", "ProxyError")


def package(out: Path, model: Path, kind: str, **more: Any) -> Path:
    """What lies around a graph."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (out / name).write_bytes((model / name).read_bytes())
    special = {k: v for k, v in load_tokenizer(model).special_tokens_map.items() if isinstance(v, str)}
    settings = SETTINGS | {"kind": kind, "special_tokens": special} | more
    bundle.write(out, settings, f"core.export.packages.run_{kind}", targets.TARGETS["cpu"])
    return out


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder by the builder."""
    from core.export.graphs import builder
    from core.export.options import Options

    folder = tmp_path_factory.mktemp("writer")
    model = factory.tiny_model("llama", folder / "model")
    builder.build(model, "cpu", Options("cpu", "fp32"), folder / "package", end_ids=[4], pad_id=0)
    return package(folder / "package", model, "writer", end_ids=[4], max_new_tokens=4, context=512)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder with labels, by torch's exporter."""
    from core.export.graphs import reader as graphs
    from core.models.heads import LABEL
    from core.models.load import load_base

    folder = tmp_path_factory.mktemp("reader")
    model = factory.tiny_model("bert", folder / "model", num_hidden_layers=1)
    loaded = load_base(str(model), head=LABEL, labels=["joyful", "sad"])
    (folder / "package").mkdir()
    graphs.export(graphs.wrap(loaded, LABEL, pad_id=0), folder / "package" / "model.onnx")
    head = {"head": "sequence_classification", "labels": ["joyful", "sad"]}
    return package(folder / "package", model, "reader", **head)


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """A function that puts a package's requirements into one new environment; its Python."""
    folder = tmp_path_factory.mktemp("fresh") / "env"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def add(where: Path) -> Path:
        line = [str(python), "-m", "pip", "install", "--retries", "0", "--timeout", "20", "--no-compile", "-q"]
        done = subprocess.run([*line, "-r", str(where / "requirements.txt")], capture_output=True, text=True)
        if done.returncode and any(word in done.stderr for word in UNREACHED):
            pytest.skip("the package index cannot be reached from here")
        assert done.returncode == 0, done.stderr[-2000:]
        return python

    return add


def run(python: Path | str, folder: Path, *args: str) -> str:
    """What run.py prints there, with nothing of the project in reach."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "TUNESMITH"))}
    done = subprocess.run(
        [str(python), "-s", str(folder / "run.py"), *args], cwd=folder.parent, env=env, capture_output=True, text=True,
        encoding="utf-8", timeout=100, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(300)  # of which most is the download
def test_each_kind_of_package_runs_with_its_requirements_alone(
    writer: Path, reader: Path, exported_rewriter: Any, install: Callable[[Path], Path]
) -> None:
    rewriter = exported_rewriter[2]
    asked = {reader: ("The lake", "--json"), rewriter: ("The lake", "--ids"), writer: ("The lake", "--ids")}
    for folder, args in asked.items():  # the writer last: it brings more than the others may count on
        python = install(folder)
        assert run(python, folder, "--check") == "Every file is as it was made.\n"
        assert json.loads(run(python, folder, *args)) == json.loads(run(sys.executable, folder, *args))
    for name in ("torch", "transformers", "pydantic", "core"):
        absent = subprocess.run([str(python), "-s", "-c", f"import {name}"], cwd=writer, capture_output=True, text=True)
        assert "ModuleNotFoundError" in absent.stderr, f"{name} is there, so that run.py might have used it"
