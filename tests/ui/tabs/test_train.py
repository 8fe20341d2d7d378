"""ui.tabs.train: what may be done in each state, and problems told all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.config import RunConfig
from core.errors import InputError
from core.runs import checkpoints, jobs
from core.runs.store import Run
from core.visitors import Visitor
from tests.ui.conftest import log
from ui import chooser
from ui.tabs import train

Make = Callable[..., Run]
DRAFT = RunConfig().model_dump(mode="json")
AGAIN = "Start again: rows · LoRA r 16"


def actions(run_id: str) -> dict[str, str]:
    """Label -> variant of the buttons that can be seen."""
    run = chooser.opened(run_id)
    _, _, *buttons = train.show(run_id, run.config().model_dump(mode="json") if run else DRAFT)[:6]
    labels = ["Start", "Stop", "Continue to evaluate", "Resume"]
    named = zip(labels, buttons, strict=True)
    return {b["value"] if "value" in b else label: b.get("variant", "") for label, b in named if b["visible"]}


@pytest.fixture(autouse=True)
def _plain_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Components that are made outside of a page, as handlers do, are read as the values they were made with."""
    for name in ("Button", "Column", "HTML", "Dropdown"):
        monkeypatch.setattr(train.gr, name, lambda *args, **kw: ({"value": args[0]} if args else {}) | kw)


def checkpoint(run: Run, step: int) -> None:
    folder = run.dir / "checkpoints" / f"step-{step}"
    folder.mkdir(parents=True)
    (folder / "weights").write_text("x")
    checkpoints.write_manifest(folder)


@pytest.mark.parametrize(
    ("state", "saved", "seen"),
    [
        ("running", False, {"Stop": "stop"}),
        ("queued", False, {"Stop": "stop"}),
        ("done", True, {AGAIN: "secondary", "Continue to evaluate": "primary"}),
        ("stopped", True, {AGAIN: "secondary", "Continue to evaluate": "secondary", "Resume": "primary"}),
        ("failed", True, {AGAIN: "secondary", "Resume": "primary"}),
        ("failed", False, {AGAIN: "primary"}),
    ],
)
def test_each_state_has_one_primary_action(new_run: Make, state: str, saved: bool, seen: dict[str, str]) -> None:
    run = new_run(state, log(10, 1.0))
    if saved:
        checkpoint(run, 10)
        (run.dir / "model").mkdir()
        (run.dir / "model" / "adapter_config.json").write_text("{}", encoding="utf-8")
    found = actions(run.id)
    assert {k: v for k, v in found.items() if k != "Stop"} == {k: v for k, v in seen.items() if k != "Stop"}
    assert ("Stop" in found) == ("Stop" in seen)
    assert list(found.values()).count("primary") <= 1


def test_without_a_run_training_can_be_started(new_run: Make) -> None:
    new_run("done")
    assert actions("") == {"Start training": "primary"}
    assert actions("no-such-run") == {"Start training": "primary"}
    broken = new_run("done")
    (broken.dir / "config.yaml").write_text("task: [", encoding="utf-8")
    assert actions(broken.id) == {"Start training": "primary"}
    *_, nothing, lacking, body, plot = train.show("", DRAFT)
    assert "Choose a run" in lacking and nothing["visible"] and not body["visible"] and plot == {"run": "", "state": ""}


def test_other_settings_can_be_started_beside_or_behind_a_run_and_the_button_says_which(
    new_run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run("running", log(10, 1.0))
    other = DRAFT | {"data": DRAFT["data"] | {"path": "assets/data/tone/train.jsonl"}}
    *_, start, _, _, _ = train.show(run.id, other)[:6]
    assert start["visible"] and start["value"] == "Start a new run: tone · LoRA r 16"
    monkeypatch.setattr(train.turn, "line", lambda: [object()])
    assert train.starts(run, other) == "Queue a new run: tone · LoRA r 16"
    assert train.starts(run, other | {"task": "nonsense"}) == "Start a new run"


def test_without_runs_nothing_can_be_chosen(new_run: Make) -> None:
    assert "No run yet" in train.missing()
    new_run("done")
    assert "Choose a run" in train.missing() and "No run yet" not in train.missing()


def test_the_heading_says_when_the_settings_changed(new_run: Make) -> None:
    run = new_run("done")
    same = run.config().model_dump(mode="json")
    assert "changed since" not in train.heading(run, same)
    assert "changed since" in train.heading(run, same | {"task": "extraction"})
    assert "changed since" in train.heading(run, same | {"task": "nonsense"})
    assert chooser.changed_since(run, {})


def test_start_tells_every_problem_with_a_way_to_its_tab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "start_training", lambda config, token, visitor: pytest.fail("it must not start"))
    bad = DRAFT | {"training": {"learning_rate": -1}, "data": DRAFT["data"] | {"validation": 7, "path": "<b>"}}
    problems, run = train.start(bad)
    html = problems["value"]
    assert problems["visible"] and "2 things are to be mended first" in html
    assert 'data-tab="model">Learning rate</a>' in html and 'data-tab="data">Validation share</a>' in html
    assert "-1 is too small" in html
    assert run == train.gr.skip()


def test_start_begins_a_run_and_hands_on_its_id(new_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run("queued")
    started: list[tuple[RunConfig, str]] = []
    monkeypatch.setattr(jobs, "start_training", lambda config, token, visitor: started.append((config, token)) or run)
    problems, found = train.start(DRAFT, "hf_secret")
    assert found == run.id and not problems["visible"] and started == [(RunConfig(), "hf_secret")]


def test_a_refusal_of_stop_or_resume_is_shown_in_place(new_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run("done")
    problems, count = train.resume(run.id, 3)
    assert count == 4 and "there is nothing to resume" in problems["value"]
    assert train.resume("../..", 3) == train.resume("", 3)

    def full(run: Run, visitor: Visitor) -> None:
        raise InputError("The disk is <full>.")

    monkeypatch.setattr(jobs, "stop", full)
    assert "The disk is &lt;full&gt;." in train.stop(run.id, 0)[0]["value"]


@pytest.mark.parametrize(
    ("path", "label"),
    [("training.learning_rate", "Learning rate"), ("data.validation", "Validation share"), ("task", "Task"),
     ("no.such", "no.such"), ("method.r", "method.r")],
)  # fmt: skip
def test_settings_are_called_as_in_the_form(path: str, label: str) -> None:
    assert train.setting_label(path) == label


def test_the_chooser_lists_runs_newest_first(new_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chooser.gr, "Dropdown", lambda **kw: kw)
    none = chooser.choices("")
    assert none["visible"] is False and none["value"] in [value for _, value in none["choices"]]
    first, second = new_run("done"), new_run("failed")
    found: dict[str, Any] = chooser.choices(first.id)
    assert [value for _, value in found["choices"]] == [second.id, first.id] and found["value"] == first.id
    assert "failed" in found["choices"][0][0]
    assert chooser.choices("gone")["value"] == "" and chooser.choices("gone")["choices"][0] == ("No run chosen", "")
