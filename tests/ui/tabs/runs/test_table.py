"""The table of runs: what is drawn, for whom, and that a poll brings what has changed and nothing else."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from core.runs import store
from core.runs.adapters import rename
from core.runs.listing import LISTING, RunSummary
from core.runs.store import Run
from tests.ui.conftest import append, log, set_state, validated
from ui.tabs.runs import table
from ui.tabs.runs.table import Table, acts, ago, cells, spark, standing

Make = Callable[..., Run]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "FRESH_S", 0.0)


def row(run: Run) -> RunSummary:
    return LISTING.summary(run)


def test_without_runs_it_says_what_will_be_here(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_RUNS", str(tmp_path))
    news = Table().news({})
    assert "No runs yet" in news["head"] and news["order"] == [] and news["rows"] == {}


def test_a_run_is_listed_and_escaped(new_run: Make) -> None:
    run = new_run("done", log(10, 2.0), validated(10, 1.75))
    rename(run, "<b>mine</b>")
    news = Table().news({})
    html = "".join(news["rows"][run.id])
    assert "1 run" in news["head"] and "&lt;b&gt;mine" in html and "<b>mine" not in html
    assert "<b>1.750</b>" in html and "LoRA r 16" in html and "demo-model" in html


def test_nothing_is_sent_where_nothing_has_changed(new_run: Make) -> None:
    runs = [new_run("done", validated(10, 1.0 + n)) for n in range(3)]
    rows = Table()
    first = rows.news({})
    assert set(first["rows"]) == {run.id for run in runs} and not first["live"]
    assert rows.news({"at": first["at"]}) == {}
    rename(runs[1], "another")
    then = rows.news({"at": first["at"]})
    assert list(then["rows"]) == [runs[1].id] and "another" in then["rows"][runs[1].id][0]
    assert "order" not in then and "head" not in then
    store.delete(runs[0])
    last = rows.news({"at": then["at"]})
    assert last["rows"] == {} and runs[0].id not in last["order"] and "2 runs" in last["head"]


@pytest.mark.parametrize("at", [None, 3, ["other", 1], ["", "x"], ["", 10**9], [], {}])
def test_a_page_of_another_server_gets_all(new_run: Make, at: Any) -> None:
    run = new_run("done")
    assert list(Table().news({"at": at})["rows"]) == [run.id]


def test_viewers_share_one_look(new_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run("running", log(1, 2.0), what="training", done=1, total=10)
    monkeypatch.setattr(table, "FRESH_S", 60.0)
    looks = []
    real = LISTING.newest
    monkeypatch.setattr(LISTING, "newest", lambda most: looks.append(most) or real(most))
    rows = Table()
    first = rows.news({})
    for _ in range(39):
        assert rows.news({}) == first and rows.news({"at": first["at"]}) == {}
    assert len(looks) == 1
    set_state(run, "stopped")
    rows.changed()  # whoever presses a button sees at once what came of it
    assert "Stopped" in rows.news({"at": first["at"]})["rows"][run.id][0] and len(looks) == 2


def test_buttons_are_apart_from_what_all_see(new_run: Make) -> None:
    runs = [new_run("done"), new_run("running", what="training")]
    rows = Table()
    mine, none = rows.news({}), rows.news({}, lambda run: False)
    assert mine["rows"][runs[0].id][0] == none["rows"][runs[0].id][0]
    assert "Delete" in mine["rows"][runs[0].id][1] and "Stop" in mine["rows"][runs[1].id][1]
    assert [buttons for _, buttons in none["rows"].values()] == ["", ""]


def test_delete_says_which_of_two_with_one_name(new_run: Make) -> None:
    a, b = new_run("done"), new_run("stopped")
    buttons = acts(row(a)) + acts(row(b))
    labels = re.findall(r'aria-label="([^"]+)"', buttons + cells(row(a), "now") + cells(row(b), "now"))
    assert len(labels) == len(set(labels)) == 4 and row(a).title == row(b).title
    assert all(word in acts(row(b)) for word in ("started ", "stopped", b.id, row(b).title))


def test_before_the_first_step_no_share_of_the_run_is_told(new_run: Make) -> None:
    run = new_run("running", validated(0, 5.0), what="validating the base model", done=9998, total=9998)
    assert "Preparing" in standing(row(run)) and "Validating the base model" in standing(row(run))
    assert "%" not in standing(row(run))
    set_state(run, "running", what="training", done=25, total=200)
    assert "Running, 12 %" in standing(row(run))
    append(run, log(200, 1.0))
    set_state(run, "running", what="saving the model, and loading it back")
    assert "Running" in standing(row(run)) and "Saving the model" in standing(row(run)) and "%" not in standing(row(run))


def test_a_broken_config_is_a_row_that_says_so(new_run: Make) -> None:
    run = new_run("done")
    (run.dir / "config.yaml").write_text("task: [", encoding="utf-8")
    html = cells(row(run), "now")
    assert html.count("unknown") == 2 and "config.yaml" in html and run.id in html


def test_time_is_told_as_people_tell_it() -> None:
    now = time.time()
    told = [ago(now - s, now) for s in (3, 150, 7300, 100_000, 600_000)]
    assert told == ["just now", "2 min ago", "2 h ago", "yesterday", "6 days ago"]


def test_a_sparkline_never_has_more_than_sixty_points() -> None:
    assert spark([], True) == ""
    assert "too few" in spark([1.0], True)
    line = spark([1 / (i + 1) for i in range(5000)], True)
    assert line.count(",") < 70 and "validation loss from 1.000 to" in line
