"""ui.tabs.evaluate: what is missing is said, a result is shown, files are of that run alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from core.runs.files import write_json
from core.runs.store import Run
from tests.ui.conftest import set_state
from ui import predictions
from ui.tabs import evaluate

Make = Callable[..., Run]
ABOUT = {"label": "Accuracy", "unit": "share", "higher_is_better": True, "meaning": "Share of the rows."}
RESULT: dict[str, Any] = {
    "rows": 2,
    "metrics": {"accuracy": 1.0},
    "baseline": {"accuracy": 0.5},
    "difference": {"accuracy": {"mean": 0.5, "low": 0.1, "high": 0.9, "p": 0.01}},
    "main_metric": "accuracy",
    "about": {"accuracy": ABOUT},
    "confusion": {"labels": ["a", "b"], "counts": [[1, 0], [0, 1]]},
    "per_label": [{"label": "a", "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}],
    "notes": ["2 rows are <few>."],
    "data": {"which": "held-out", "name": "tone"},
}
ROWS = [
    {"row": n, "prompt": "p", "want": "a", "base": "b", "tuned": "a", "base_ok": False, "tuned_ok": True}
    for n in (0, 1)
]


@pytest.fixture(autouse=True)
def _plain_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Button", "Column", "Radio", "HTML", "Dropdown"):
        monkeypatch.setattr(evaluate.gr, name, lambda *args, **kw: ({"value": args[0]} if args else {}) | kw)


def tuned(run: Run) -> Run:
    (run.dir / "model").mkdir()
    (run.dir / "model" / "adapter_config.json").write_text("{}", encoding="utf-8")
    return run


def evaluated(run: Run, **more: Any) -> Run:
    (tuned(run).dir / "evaluation").mkdir()
    write_json(run.dir / "evaluation" / "result.json", RESULT | more)
    (run.dir / "predictions").mkdir()
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    (run.dir / "predictions" / "heldout.jsonl").write_text(text, encoding="utf-8")
    return run


def test_what_is_missing_is_said_and_leads_there(new_run: Make) -> None:
    assert "No run yet" in evaluate.missing(None) and 'data-tab="train"' in evaluate.missing(None)
    assert "Still training" in evaluate.missing(new_run("running"))
    assert "ended before weights were saved" in evaluate.missing(new_run("failed"))
    assert "Not evaluated yet" in evaluate.missing(tuned(new_run("done")))


def test_a_run_with_weights_can_be_evaluated(new_run: Make) -> None:
    _, _, cancel, go, on, doing, _, nothing, _, body, *_ = evaluate.show(tuned(new_run("done")).id, "All")
    assert go["visible"] and go["variant"] == "primary"
    assert not cancel["visible"] and not on["visible"] and not doing["visible"] and not body["visible"]
    assert nothing["visible"]


def test_a_result_is_shown(new_run: Make) -> None:
    run = evaluated(new_run("done"))
    title, _, _, go, on, _, _, nothing, _, body, cards, where, figures, kept = evaluate.show(run.id, "Wrong")
    assert "2 held-out rows" in title and body["visible"] and not nothing["visible"]
    assert go["value"] == "Evaluate again" and go["variant"] == "secondary" and on["visible"]
    assert "better: +50.0 points" in cards and "Confusion matrix" in where and "2 rows are &lt;few&gt;." in where
    assert "Accuracy" in figures
    assert ("Wrong 0", "Wrong") in next(v for v in kept.values() if isinstance(v, list))


def test_a_job_under_way_can_be_cancelled_and_a_failed_one_says_why(new_run: Make) -> None:
    run = tuned(new_run("done"))
    set_state(Run(run.dir / "evaluation"), "running", what="answering") if (
        run.dir / "evaluation"
    ).mkdir() is None else 0
    _, _, cancel, go, _, doing, progress, nothing, *_ = evaluate.show(run.id, "All")
    assert cancel["visible"] and not go["visible"] and doing["visible"] and not nothing["visible"]
    assert progress["live"] and "Answering" in progress["html"]
    set_state(Run(run.dir / "evaluation"), "failed", error="No rows <here>.")
    lacking = evaluate.show(run.id, "All")[8]
    assert "The evaluation failed" in lacking and "No rows &lt;here&gt;." in lacking


def test_pages_have_ends(new_run: Make) -> None:
    run = evaluated(new_run("done"))
    number, rows, place, before, after, saved = evaluate.answers(run.id, "All", "", 99)
    assert number == 0 and "1 to 2 of 2" in place and rows.count("row ") == 2
    assert not before["interactive"] and not after["interactive"]
    assert saved == {"run": run.id, "filtered": "All", "words": ""}
    assert "none" in evaluate.first_page("", "All", "")[2]


def test_a_file_holds_the_rows_shown_of_this_run_alone(new_run: Make) -> None:
    run = evaluated(new_run("done"))
    found = evaluate.file_of({"run": run.id, "filtered": "Better", "words": "", "kind": "jsonl"})
    assert found["name"] == f"{run.id}-answers.jsonl" and len(found["text"].splitlines()) == len(ROWS)
    assert evaluate.file_of({"run": run.id, "kind": "csv"})["text"].startswith("\ufeffrow,prompt")
    for bad in ("", "../x", None):
        assert evaluate.file_of({"run": bad, "kind": "csv"}) == {}
    assert predictions.PAGE > 0


def test_a_refusal_is_shown_in_place(new_run: Make) -> None:
    problems, count = evaluate.start(new_run("running").id, 1)
    assert count == 1 and "has no tuned model yet" in problems["value"]
    assert "choose one" in evaluate.start("", 1)[0]["value"]
    assert evaluate.cancel("gone", 1)[1] == 2
