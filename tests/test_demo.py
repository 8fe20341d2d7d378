"""What the README shows: short LoRA runs on the demo model, base against tuned on held-out rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def core(runs: Path, *words: str) -> dict[str, Any]:
    """The answer of one command; its progress goes to the test's own standard error."""
    env = os.environ | {"TUNESMITH_RUNS": str(runs)}
    env.pop("OMP_NUM_THREADS", None)  # as a person would run it
    done = subprocess.run(
        [sys.executable, "-m", "core", *words, "--json"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 0, f"{words} ended with {done.returncode}"
    return json.loads(done.stdout.splitlines()[-1])


def tuned_and_base(runs: Path, name: str) -> tuple[dict[str, Any], dict[str, float], dict[str, float]]:
    """(the whole result, the tuned model's figures, the base model's) of the demo set's own config."""
    trained = core(runs, "train", f"assets/configs/{name}.yaml")
    assert trained["state"] == "done"
    result = core(runs, "evaluate", trained["run"])
    assert result["data"]["which"] == "held-out"
    print(f"{name}: base {result['baseline']}\n{name}: tuned {result['metrics']}\n{name}: groups {result['groups']}")
    return result, result["metrics"], result["baseline"]


def test_tone(tmp_path: Path) -> None:
    result, tuned, base = tuned_and_base(tmp_path, "tone")
    assert tuned["accuracy"] >= 0.95
    assert tuned["accuracy"] > base["accuracy"]
    assert result["difference"]["accuracy"]["low"] > 0
    assert tuned["stopped_by_itself"] >= 0.95


def test_fields_on_known_and_on_new_names(tmp_path: Path) -> None:
    result, tuned, base = tuned_and_base(tmp_path, "fields")
    assert base["field_accuracy"] < 0.1
    assert tuned["field_accuracy"] >= 0.9
    assert result["groups"]["names"]["new"]["field_accuracy"] >= 0.85
    assert tuned["stopped_by_itself"] >= 0.95


def test_summary(tmp_path: Path) -> None:
    _, tuned, base = tuned_and_base(tmp_path, "summary")
    assert base["exact_match"] == 0
    assert tuned["exact_match"] >= 0.8
    assert tuned["stopped_by_itself"] >= 0.95
