"""What the README claims of the demo: a short LoRA run on a bundled set, base against tuned, on held-out rows."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def core(*arguments: str | Path) -> dict:
    """Run the project's own command line and return its JSON object."""
    command = [sys.executable, "-m", "core", *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def held_out(name: str, folder: Path, **wanted: str) -> Path:
    """The held-out rows of a set that have the wanted values, as a file."""
    lines = (ROOT / "assets" / "data" / name / "heldout.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if wanted.items() <= json.loads(line).items()]
    target = folder / f"{name}-{'-'.join(wanted.values())}.jsonl"
    target.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return target


def test_fields_are_learnt_and_carry_over_to_new_names(tmp_path):
    run = core("train", "assets/configs/fields.yaml", "--run-dir", tmp_path / "run")
    assert run["state"] == "done"
    known, new = (
        core("evaluate", tmp_path / "run", "--data", held_out("fields", tmp_path, names=names), "--baseline", "base")
        for names in ("known", "new")
    )
    assert known["baseline"]["field_accuracy"] < 0.1
    assert known["metrics"]["field_accuracy"] >= 0.9
    assert new["metrics"]["field_accuracy"] >= 0.85


@pytest.mark.parametrize(
    ("name", "metric", "least", "base_at_most"), [("tone", "accuracy", 0.95, 0.6), ("summary", "exact_match", 0.8, 0.0)]
)
def test_tuned_against_base(tmp_path, name, metric, least, base_at_most):
    core("train", f"assets/configs/{name}.yaml", "--run-dir", tmp_path / "run")
    data = f"assets/data/{name}/heldout.jsonl"
    found = core("evaluate", tmp_path / "run", "--data", data, "--baseline", "base")
    assert found["baseline"][metric] <= base_at_most
    assert found["metrics"][metric] >= least
