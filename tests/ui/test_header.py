"""The job strip and the marks of the tabs."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from core.config import build
from core.runs import store
from core.runs.files import write_json
from core.runs.store import Run
from ui import form, header
from ui.shared import first_draft


def marks(html: str) -> dict[str, str]:
    return dict(re.findall(r'data-mark="(\w+):(\w+)"', html))


def test_the_first_draft_is_ready() -> None:
    html = header.strip(first_draft())
    assert "fields · 1,200 rows" in html and "LoRA r 16" in html
    assert marks(html) == {"data": "done", "model": "done", "train": "todo", "evaluate": "todo", "export": "todo"}
    assert ">ready<" in html and "No run chosen" in html


def test_what_is_to_fix_is_said_at_its_part() -> None:
    draft = form.with_value(form.with_value(first_draft(), "training.learning_rate", -1), "data.path", "nowhere.csv")
    html = header.strip(draft)
    assert marks(html)["data"] == marks(html)["model"] == "fix"
    assert "1 to fix" in html and "not ready" in html


def test_the_marks_of_train_and_after_are_those_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_RUNS", str(tmp_path))
    run = store.create(build(first_draft()), "a <b> run")
    assert marks(header.strip(first_draft(), run.id))["train"] in ("live", "fix")
    assert marks(header.strip(first_draft(), "no-such-run"))["train"] == "todo"


def test_a_cancelled_evaluation_or_export_is_nothing_to_mend(new_run: Callable[..., Run]) -> None:
    run = new_run("done")
    for folder in (run.dir / "evaluation", run.export_dir("cpu", "int8"), run.export_dir("cpu", "fp16")):
        folder.mkdir(parents=True)
    write_json(run.dir / "evaluation" / "state.json", {"state": "stopped"})
    write_json(run.export_dir("cpu", "int8") / "state.json", {"state": "stopped"})
    found = marks(header.strip(first_draft(), run.id))
    assert (found["train"], found["evaluate"], found["export"]) == ("done", "todo", "todo")
    write_json(run.dir / "evaluation" / "result.json", {"rows": 1, "metrics": {"f1": 1}, "main_metric": "f1"})
    write_json(run.export_dir("cpu", "fp16") / "state.json", {"state": "done"})
    found = marks(header.strip(first_draft(), run.id))
    assert (found["evaluate"], found["export"]) == ("done", "done")


def test_data_names_are_escaped() -> None:
    draft = form.with_value(first_draft(), "data.path", "<img src=x>.csv")
    assert "<img" not in header.strip(draft, '"><script>')
    assert "<script>" not in header.strip(draft, '"><script>')


def test_models_are_named_by_their_size() -> None:
    assert [header.millions(n) for n in (4_229_888, 135_000_000, 1_240_000_000)] == ["4.2M", "135M", "1.2B"]
    assert "core" in header.machine() and "GB" in header.machine()
