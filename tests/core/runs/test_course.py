"""The log of a run, folded."""

import pytest

from core.runs.course import SHOWN, Course, Fold


def fold(*events):
    made = Fold()
    for event in events:
        made.add(event)
    return made.course()


def log(step, loss, **more):
    return {"kind": "log", "step": step, "loss": loss, "max_steps": 100} | more


def check(step, loss):
    return {"kind": "eval", "step": step, "validation_loss": loss}


def test_nothing_yet():
    assert fold() == fold({"kind": "note", "step": 3}) == Course()


def test_steps_losses_and_the_best():
    found = fold(check(0, 1.5), log(10, 3.0), check(10, 2.5), log(20, 2.0), check(20, 1.75), log(30, None), check(30, 2.0))
    assert (found.step, found.max_steps, found.loss) == (30, 100, None)
    assert found.losses == (1.5, 2.5, 1.75, 2.0)
    assert (found.best, found.best_step, found.tuned, found.tuned_step) == (1.5, 0, 1.75, 20)


def test_what_a_resume_repeats_counts_once():
    events = [log(10, 5.0), check(10, 4.0), log(20, 4.0), check(20, 1.0), {"kind": "resumed", "step": 10}]
    found = fold(*events)
    assert (found.step, found.loss, found.losses, found.best) == (10, 5.0, (4.0,), 4.0)
    assert fold(*events, log(20, 3.5), check(20, 3.0)).losses == (4.0, 3.0)
    assert fold(log(10, 5.0), log(20, 4.0), log(15, 4.5)).step == 15


def test_many_validations_become_few_with_both_ends():
    for count in (1, 2, SHOWN, SHOWN + 1, 119, 5000):
        losses = fold(*(check(step, 1 / step) for step in range(1, count + 1))).losses
        assert len(losses) <= SHOWN + 1 and (losses[0], losses[-1]) == (1.0, 1 / count)


@pytest.mark.parametrize("bad", [None, "y", 1.5, True, -1, 2**70, [], {}])
def test_what_is_no_step_or_no_number_does_no_harm(bad):
    assert fold({"kind": "log", "step": bad, "loss": 1.0}, {"kind": bad, "step": 1}) == Course()
    loss = None if not isinstance(bad, int | float) or isinstance(bad, bool) else bad
    assert fold(log(1, bad, max_steps=bad)).loss == loss
    assert fold({"kind": "resumed", "step": bad}, check(1, "x"), check(2, float("nan"))).losses == ()
