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


def tuned_and_base(runs: Path, name: str, *more: str) -> dict[str, Any]:
    """The evaluation of a run of the demo set's own config: the tuned model and its base on the held-out rows."""
    trained = core(runs, "train", f"assets/configs/{name}.yaml", *more)
    assert trained["state"] == "done"
    result = core(runs, "evaluate", trained["run"])
    assert result["data"]["which"] == "held-out"
    return result


@pytest.fixture
def result(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """The evaluation of the demo set that a test is named after."""
    name = request.function.__name__.split("_")[1]
    found = tuned_and_base(tmp_path, name)
    print(f"{name}: base {found['baseline']}\n{name}: tuned {found['metrics']} {found['groups']}")
    return found


def test_one_epoch_learns_most_of_it(tmp_path: Path) -> None:
    result = tuned_and_base(tmp_path, "tone", "--set", "training.num_train_epochs=1")
    assert result["metrics"]["accuracy"] >= 0.9
    assert result["difference"]["accuracy"]["low"] > 0
    assert result["metrics"]["stopped_by_itself"] >= 0.95


def test_tone(result: dict[str, Any]) -> None:
    tuned, base = result["metrics"], result["baseline"]
    assert tuned["accuracy"] >= 0.95
    assert tuned["accuracy"] > base["accuracy"]
    assert result["difference"]["accuracy"]["low"] > 0
    assert tuned["stopped_by_itself"] >= 0.95


def test_fields_on_known_and_on_new_names(result: dict[str, Any]) -> None:
    tuned, base = result["metrics"], result["baseline"]
    assert base["field_accuracy"] < 0.1
    assert tuned["field_accuracy"] >= 0.9
    assert result["groups"]["names"]["new"]["field_accuracy"] >= 0.85
    assert tuned["stopped_by_itself"] >= 0.95


def test_summary(result: dict[str, Any]) -> None:
    tuned, base = result["metrics"], result["baseline"]
    assert base["exact_match"] == 0
    assert tuned["exact_match"] >= 0.8
    assert tuned["stopped_by_itself"] >= 0.95
