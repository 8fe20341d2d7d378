"""ui.curve: events become a curve, once each, and following costs only what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.runs import eventlog
from core.runs.store import Run
from tests.ui.conftest import append, log, validated
from ui.curve import Digest, Follower, thin


def digest(*events: dict[str, Any]) -> Digest:
    d = Digest()
    for event in events:
        d.add(event)
    return d


def test_logs_validations_and_the_best() -> None:
    d = digest(log(1, 3.0), validated(1, 2.5), log(2, 2.0), validated(2, 2.0), log(3, 1.0), validated(3, 2.2))
    assert (d.steps, d.losses) == ([1, 2, 3], [3.0, 2.0, 1.0])
    assert (d.val_steps, d.best, d.step) == ([1, 2, 3], (2, 2.0), 3)


def test_a_loss_that_is_no_number_is_left_out() -> None:
    d = digest(log(1, 3.0), log(2, None), log(3, float("nan")), validated(3, float("inf")))  # type: ignore[arg-type]
    assert d.steps == [1]
    assert d.val_steps == []


def test_time_left_follows_from_the_pace() -> None:
    d = digest(*(log(s, 1.0) for s in (10, 20, 30)))
    assert d.seconds_per_step() == pytest.approx(1.0)
    assert d.seconds_left() == pytest.approx(70.0)
    assert Digest().seconds_left() is None


def test_a_resume_forgets_what_came_after_its_checkpoint() -> None:
    d = digest(log(10, 3.0), validated(10, 3.0), log(20, 2.0), validated(20, 1.0), {"kind": "end", "reason": "stopped"})
    d.add({"kind": "resumed", "step": 10})
    assert (d.steps, d.val_steps, d.best, d.end, d.turns) == ([10], [10], (10, 3.0), {}, 1)
    d.add(log(20, 2.5))
    assert d.losses == [3.0, 2.5]


def test_a_step_that_comes_again_replaces_the_first() -> None:
    d = digest(log(10, 3.0), log(20, 2.0), log(20, 1.5))
    assert (d.steps, d.losses, d.turns) == ([10, 20], [3.0, 1.5], 1)
    d = digest(log(10, 3.0), validated(10, 3.0), validated(10, 2.0))
    assert (d.steps, d.val_losses, d.best) == ([10], [2.0], (10, 2.0))


def test_thinning_keeps_ends_and_peaks() -> None:
    ys = [1.0] * 5000
    ys[1234] = 9.0
    steps, losses = thin(list(range(5000)), ys, 100)
    assert len(steps) <= 100
    assert (steps[0], steps[-1]) == (0, 4999)
    assert 1234 in steps and max(losses) == 9.0


def test_following_reads_only_what_is_new(new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run("running", *(log(s, 1.0) for s in range(1, 2001)))
    asked: list[tuple[int, int]] = []
    real = eventlog.read

    def counted(path: Path, since_byte: int = 0) -> Iterator[tuple[list[dict[str, Any]], int]]:
        for events, at in real(path, since_byte):
            asked.append((since_byte, len(events)))
            yield events, at

    monkeypatch.setattr(eventlog, "read", counted)
    follower = Follower()
    assert len(follower.digest(run).steps) == 2000
    follower.digest(run)  # nothing new: the file is not even opened
    append(run, log(2001, 0.5))
    assert follower.digest(run).losses[-1] == 0.5
    assert [count for _, count in asked] == [2000, 1]
    assert asked[1][0] > 100_000


def test_a_file_that_was_written_anew_is_read_anew(new_run: Callable[..., Run]) -> None:
    run = new_run("running", *(log(s, 1.0) for s in range(1, 50)))
    follower = Follower()
    follower.digest(run)
    (run.dir / "events.jsonl").write_text("", encoding="utf-8")
    append(run, log(1, 7.0))
    assert follower.digest(run).losses == [7.0]


def test_only_so_many_runs_are_held(new_run: Callable[..., Run]) -> None:
    follower = Follower(kept=2)
    runs = [new_run("done", log(1, float(n))) for n in range(4)]
    assert [follower.digest(run).losses for run in runs] == [[0.0], [1.0], [2.0], [3.0]]
    assert len(follower._digests) == 2


def test_the_best_is_the_best_of_what_the_weights_are_chosen_by() -> None:
    d = Digest()
    for step, loss, accuracy in ((0, 3.0, 0.1), (10, 1.0, 0.5), (20, 2.0, 0.9), (30, 2.5, 0.9)):
        event = validated(step, loss) | {"metric": "accuracy", "metric_value": accuracy, "higher_is_better": True}
        d.add(event | {"accuracy": accuracy})
    assert d.best == (20, 2.0) and d.figures[20] == {"accuracy": 0.9}
    d.add({"kind": "resumed", "step": 10})
    assert d.best == (10, 1.0)
