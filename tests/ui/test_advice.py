"""ui.advice: only what can be read off the curve is said."""

from __future__ import annotations

import pytest

from tests.ui.conftest import log, validated
from ui.advice import advice, moved
from ui.curve import Digest


def curve(training: list[float], validation: list[float]) -> Digest:
    """Ten logged steps to each validation."""
    d = Digest()
    for n, (loss, val) in enumerate(zip(training, validation, strict=True)):
        for step in range(n * 10 + 1, n * 10 + 11):
            d.add(log(step, loss))
        d.add(validated((n + 1) * 10, val))
    return d


@pytest.mark.parametrize(
    ("training", "validation", "running", "title"),
    [
        ([3.0, 2.0, 1.0], [3.0, 2.0, 1.5], True, "It is learning"),
        ([3.0, 2.0, 1.0], [3.0, 2.0, 1.5], False, "It was still learning at the end"),
        ([3.0, 2.0, 1.0, 0.5], [3.0, 2.0, 2.2, 2.5], False, "It began to memorise"),
        ([3.0, 2.0, 2.0, 2.1], [3.0, 2.0, 2.2, 2.5], False, "It got worse after its best"),
        ([3.0, 2.0, 1.9], [3.0, 2.0, 1.995], False, "It has levelled off"),
        ([3.0, 2.0, 1.9], [3.0, 2.0, 1.995], True, "Little moves just now"),
    ],
)
def test_what_is_said(training: list[float], validation: list[float], running: bool, title: str) -> None:
    found = advice(curve(training, validation), running)
    assert found is not None
    assert found[1] == title


def test_two_validations_say_nothing_yet() -> None:
    assert advice(curve([3.0, 2.0], [3.0, 2.0]), True) is None
    assert advice(Digest(), False) is None


def test_how_the_losses_moved() -> None:
    assert moved(curve([3.0, 2.0, 1.0, 0.5], [3.0, 2.0, 2.2, 2.5])) == (("0.50", "down 1.50"), ("2.50", "up 0.50"))
    assert moved(curve([3.0, 2.0], [3.0, 2.0])) == (("2.00", "down 1.00"), ("2.00", "down 1.00"))
    assert moved(Digest()) == (("–", ""), ("–", ""))
