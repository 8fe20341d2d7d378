"""ui.live: what a poll answers is what is new, escaped, and nothing of other files."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from core.runs.files import write_json
from core.runs.store import Run
from tests.ui.conftest import append, log, set_state, validated
from ui import live
from ui.curve import Follower

Make = Callable[..., Run]


@pytest.fixture(autouse=True)
def _own_follower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FOLLOWER", Follower())


def ask(run: Run, at: dict[str, int] | None = None, seen: dict[str, str] | None = None) -> dict[str, Any]:
    return live.news({"run": run.id, **(at or {"turns": -1, "log": 0, "val": 0}), "seen": seen or {}})


def test_first_all_then_only_what_is_new(new_run: Make) -> None:
    run = new_run("running", log(10, 3.0), validated(10, 2.5), log(20, 2.0))
    first = ask(run)
    assert first["fresh"] and first["train"] == ([10, 20], [3.0, 2.0]) and first["val"] == ([10], [2.5])
    append(run, log(30, 1.0))
    then = ask(run, first["at"])
    assert not then["fresh"] and then["train"] == ([30], [1.0]) and then["val"] == ([], [])
    assert ask(run, then["at"])["train"] == ([], [])


def test_the_first_look_at_a_long_run_is_a_thousand_points(new_run: Make) -> None:
    run = new_run("done", *(log(s, 1 / s) for s in range(1, 5001)), *(validated(s, 1 / s) for s in range(1, 5001, 5)))
    first = ask(run)
    assert len(first["train"][0]) + len(first["val"][0]) <= 1000
    assert (first["train"][0][0], first["train"][0][-1]) == (1, 5000)
    assert first["at"]["log"] == 5000


def test_a_tick_of_a_long_run_is_as_small_as_that_of_a_short_one(new_run: Make) -> None:
    run = new_run("running", *(log(s, 1.0) for s in range(1, 20_001)))
    first = ask(run, seen={"strip": "", "table": ""})
    seen = {name: version for name, (version, _) in first["slots"].items()}
    append(run, log(20_001, 0.5))
    tick = ask(run, first["at"], seen | {"table": seen["table"]})
    assert tick["train"] == ([20_001], [0.5])
    assert len(tick["slots"]["strip"][1]) < 2000


def test_after_a_resume_the_curve_comes_whole(new_run: Make) -> None:
    run = new_run("running", log(10, 3.0), log(20, 2.0))
    at = ask(run)["at"]
    append(run, {"kind": "resumed", "step": 10}, log(20, 2.5))
    then = ask(run, at)
    assert then["fresh"] and then["train"] == ([10, 20], [3.0, 2.5])


@pytest.mark.parametrize("at", [{"turns": 0, "log": 99, "val": 0}, {"turns": 0, "log": -5, "val": "x"}, {}])
def test_counts_that_make_no_sense_are_answered_with_all(new_run: Make, at: dict[str, Any]) -> None:
    run = new_run("running", log(10, 3.0))
    assert live.news({"run": run.id, **at})["train"] == ([10], [3.0])


def test_slots_come_only_when_they_changed(new_run: Make) -> None:
    run = new_run("running", log(10, 3.0), what="training")
    names = dict.fromkeys([*live.SLOTS, "table"], "")
    first = ask(run, seen=names)
    assert set(first["slots"]) == set(names)
    seen = {name: version for name, (version, _) in first["slots"].items()}
    assert ask(run, first["at"], seen)["slots"] == {}
    set_state(run, "running", what="validating")
    assert set(ask(run, first["at"], seen)["slots"]) == {"head"}
    assert ask(run, seen={"no such slot": ""})["slots"] == {}


def test_what_comes_from_files_is_escaped(new_run: Make) -> None:
    evil = "<img src=x onerror=alert(1)>"
    run = new_run(
        "failed", {"kind": "sample", "step": 0, "answer": evil, "prompt": evil, "want": evil}, error=evil, what=evil
    )
    (run.dir / "output.log").write_text(evil, encoding="utf-8")
    slots = ask(run, seen=dict.fromkeys(live.SLOTS, ""))["slots"]
    everything = "".join(html for _, html in slots.values())
    assert "<img" not in everything
    assert everything.count("&lt;img src=x onerror=alert(1)&gt;") == 5


@pytest.mark.parametrize("bad", ["", "..", "../../etc", "/etc/passwd", "nope", None, 7, {"a": 1}])
def test_only_runs_that_are_there_are_told_of(new_run: Make, bad: Any) -> None:
    new_run("done")
    assert set(live.news({"run": bad})) == {"gone"}
    assert live.job_news({"run": bad, "kind": "evaluation"})["live"] is False


@pytest.mark.parametrize("kind", ["", "other", "export/../..-x", "export/cpu-fp7", "evaluation/x", "export/"])
def test_only_jobs_that_can_be_are_told_of(new_run: Make, kind: str) -> None:
    assert live.job_news({"run": new_run("done").id, "kind": kind})["live"] is False


def test_how_far_a_job_is(new_run: Make) -> None:
    run = new_run("done")
    assert live.job_news({"run": run.id, "kind": "evaluation"}) == {"live": False, "html": ""}
    folder = run.dir / "evaluation"
    folder.mkdir()
    state = {"state": "running", "what": "answering <b>", "done": 30, "total": 120, "started": 1.0}
    write_json(folder / "state.json", state | {k: v for k, v in _me().items()})
    news = live.job_news({"run": run.id, "kind": "evaluation"})
    assert news["live"]
    assert "Answering &lt;b&gt; · 25%" in news["html"] and 'aria-valuenow="25"' in news["html"]


def _me() -> dict[str, Any]:
    import time

    import psutil

    me = psutil.Process()
    return {"pid": me.pid, "created": me.create_time(), "heartbeat": time.time()}


def test_forty_viewers_are_one_look(new_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has ended is looked at once; what is sent is the same for all."""
    run = new_run("done", log(10, 3.0), validated(10, 2.5))
    for path in run.dir.iterdir():
        os.utime(path, (time.time() - 10,) * 2)
    counts: Counter[str] = Counter()

    def counted(name: str, write: Any) -> Any:
        return lambda *args: counts.update([name]) or write(*args)

    monkeypatch.setattr(live, "SLOTS", {name: counted(name, write) for name, write in live.SLOTS.items()})
    monkeypatch.setattr(Run, "state", counted("state", Run.state))
    seen = dict.fromkeys(live.SLOTS, "")
    first = ask(run, seen=seen)
    assert all(ask(run, seen=seen) == first for _ in range(39))
    assert (
        set(counts) == {*live.SLOTS, "state"} and max(counts.values()) <= 2
    )  # once more when it is known to have ended
    append(run, log(20, 2.0))
    assert ask(run, first["at"])["train"] == ([20], [2.0])
