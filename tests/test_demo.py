"""What the README shows: short LoRA runs on the demo model, base against tuned on held-out rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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


def tuned_and_base(runs: Path, name: str) -> dict[str, Any]:
    """The evaluation of a run of the demo set's own config: the tuned model and its base on the held-out rows."""
    trained = core(runs, "train", f"assets/configs/{name}.yaml")
    assert trained["state"] == "done"
    result = core(runs, "evaluate", trained["run"])
    assert result["data"]["which"] == "held-out"
    return result


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All three, two at a time: each training takes one core."""
    runs, names = tmp_path_factory.mktemp("demo"), ("fields", "summary", "tone")
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(names, pool.map(lambda name: tuned_and_base(runs, name), names), strict=True))
    for name, result in found.items():
        print(f"{name}: base {result['baseline']}\n{name}: tuned {result['metrics']} {result['groups']}")
    return found


def test_tone(results: dict[str, dict[str, Any]]) -> None:
    tuned, base = results["tone"]["metrics"], results["tone"]["baseline"]
    assert tuned["accuracy"] >= 0.95
    assert tuned["accuracy"] > base["accuracy"]
    assert results["tone"]["difference"]["accuracy"]["low"] > 0
    assert tuned["stopped_by_itself"] >= 0.95


def test_fields_on_known_and_on_new_names(results: dict[str, dict[str, Any]]) -> None:
    tuned, base = results["fields"]["metrics"], results["fields"]["baseline"]
    assert base["field_accuracy"] < 0.1
    assert tuned["field_accuracy"] >= 0.9
    assert results["fields"]["groups"]["names"]["new"]["field_accuracy"] >= 0.85
    assert tuned["stopped_by_itself"] >= 0.95


def test_summary(results: dict[str, dict[str, Any]]) -> None:
    tuned, base = results["summary"]["metrics"], results["summary"]["baseline"]
    assert base["exact_match"] == 0
    assert tuned["exact_match"] >= 0.8
    assert tuned["stopped_by_itself"] >= 0.95
