"""ui.telling: what a run says of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.config import build
from core.runs.state import State
from core.runs.store import Run
from tests.ui.conftest import log, validated
from ui import telling
from ui.curve import Digest


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, ("0:00", "min")), (65.4, ("1:05", "min")), (3725, ("1:02:05", "h")), (-3, ("0:00", "min"))],
)
def test_durations(seconds: float, words: tuple[str, str]) -> None:
    assert telling.clock(seconds) == words


@pytest.mark.parametrize(
    ("count", "base", "words"),
    [(8_358_839, 1000, ("8.4", "MB")), (4_000_000, 1000, ("4", "MB")), (598 * 2**20, 1024, ("598", "MB")),
     (12, 1000, ("12", "bytes")), (2.5e9, 1000, ("2.5", "GB"))],
)  # fmt: skip
def test_sizes(count: float, base: int, words: tuple[str, str]) -> None:
    assert telling.size(count, base) == words


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "LoRA r 16 on demo-model, 3 epochs"),
        (
            {"method": {"name": "full"}, "training": {"max_steps": 60}},
            "Full fine-tuning on demo-model, at most 60 steps",
        ),
        (
            {"training": {"num_train_epochs": 1, "early_stopping_patience": 2}},
            "LoRA r 16 on demo-model, at most 1 epoch",
        ),
        ({"model": {"path": "/a/<b>/"}}, "LoRA r 16 on &lt;b&gt;, 3 epochs"),
    ],
)
def test_a_run_in_one_line(settings: dict[str, Any], words: str) -> None:
    assert telling.about(build(settings)) == words


@pytest.mark.parametrize("name", ["queued", "running", "stopping", "stopped", "done", "failed"])
def test_every_state_has_words(name: str) -> None:
    state = State(name)
    assert telling.doing(state) and telling.BADGES[name][1] in telling.head(Digest(), state)
    assert ("The run failed" in telling.trouble(state)) == (name == "failed")


def test_what_is_being_done_is_said() -> None:
    assert telling.doing(State("running", what="loading the model")) == "Loading the model"
    assert "silent" in telling.doing(State("running", what="training", hung=True))
    assert telling.note(Digest(), State("running", what="reading the data")) == "Reading the data"


def test_a_failure_leads_to_the_tab_that_mends_it() -> None:
    state = State("failed", error="There is no column <x>.", field="data.template")
    html = telling.trouble(state)
    assert "There is no column &lt;x&gt;." in html and 'data-tab="data"' in html
    assert "data-tab" not in telling.trouble(State("failed", error="Killed.", reason="killed"))


def test_the_strip_before_and_after_the_first_step() -> None:
    empty = telling.strip(Digest(), State("running"))
    assert "none yet" in empty and "not known yet" in empty
    d = Digest()
    for event in (log(10, 2.0), validated(10, 1.5), log(20, 1.0)):
        d.add(event)
    d.add({"kind": "resources", "memory_bytes": 2**29, "memory_total": 24 * 2**30})
    html = telling.strip(d, State("running", started=1.0))
    for words in ("of 100", "1.500", "best, step 10", "900", "1:20", "512", "MB of 24 GB"):
        assert words in html


def test_why_a_curve_ends(new_run: Callable[..., Run]) -> None:
    run = new_run("done", settings={"training": {"early_stopping_patience": 3}})
    d = Digest(end={"reason": "early_stopped"})
    assert "no better in 3 checks" in telling.why(run, d, State("done"))
    assert "by hand" in telling.why(run, Digest(end={"reason": "stopped"}), State("stopped"))
    assert "failed" in telling.why(run, Digest(), State("failed"))
    assert telling.why(run, Digest(end={"reason": "finished"}), State("done")) == ""
    assert telling.why(run, d, State("running")) == ""
