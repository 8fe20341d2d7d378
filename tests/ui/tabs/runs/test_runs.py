"""The list of runs and what can be done with them."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.config import build
from core.runs import store
from ui.shared import first_draft
from ui.tabs import runs


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNESMITH_RUNS", str(tmp_path))
    return tmp_path


def event(act: str, run: str) -> Any:
    return SimpleNamespace(act=act, run=run)


def test_without_runs_it_says_what_will_be_here() -> None:
    assert "No runs yet" in runs.drawn("")


def test_a_run_is_listed_escaped_and_marked() -> None:
    run = store.create(build(first_draft()), "<b>mine</b>")
    html = runs.drawn(run.id)
    assert "1 run" in html and "&lt;b&gt;mine" in html and "<b>mine" not in html and 'class="on"' in html


def test_open_and_delete() -> None:
    run = store.create(build(first_draft()))
    chosen, again, note, _, tabs = runs.act("", 0, "", event("open", run.id))
    assert (chosen, again, note, tabs["selected"]) == (run.id, 1, "", "train")


@pytest.mark.parametrize("bad", ["../../etc", "no-such-run", "", "/", "a\x00b"])
def test_an_id_that_is_none_is_refused_in_a_sentence(bad: str) -> None:
    *_, note, _, _ = runs.act("", 0, "", event("delete", bad))
    assert "That did not work" in note


def test_time_is_told_as_people_tell_it() -> None:
    now = time.time()
    told = [runs.ago(now - s, now) for s in (3, 150, 7300, 100_000, 600_000)]
    assert told == ["just now", "2 min ago", "2 h ago", "yesterday", "6 days ago"]


def test_a_sparkline_never_has_more_than_sixty_points() -> None:
    assert runs.spark([], True) == ""
    assert "too few" in runs.spark([1.0], True)
    line = runs.spark([1 / (i + 1) for i in range(5000)], True)
    assert line.count(",") < 70 and "validation loss from 1.000 to" in line
