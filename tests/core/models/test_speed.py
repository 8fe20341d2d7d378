"""The probe of this processor, and rates of devices."""

import subprocess

import pytest

from core.models import speed
from core.models.speed import Work, one_core, rate_of
from core.runs.machine import Machine

WORK = Work(flops=2e9, activations=1e6, logits=1e6, trained=1e6, calls=10, adapter=True)


@pytest.fixture(autouse=True)
def afresh():
    one_core.cache_clear()
    yield
    one_core.cache_clear()


def test_a_core_is_measured_once(monkeypatch):
    found = one_core()
    assert 1e8 < found < 1e13

    def again(*args, **kwargs):
        raise AssertionError("measured twice")

    monkeypatch.setattr(subprocess, "run", again)
    assert one_core() == found


def test_where_it_cannot_be_measured_a_usual_core_is_assumed(monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "run", fail)
    assert one_core() == speed.REFERENCE


def test_slower_processors_take_longer_in_every_part(monkeypatch):
    machine = Machine("cpu", "", 4, 1, 1, 1)
    seconds = []
    for one in (100e9, 50e9):
        monkeypatch.setattr(speed, "one_core", lambda one=one: one)
        seconds.append(rate_of(machine).seconds(WORK))
    assert seconds[1] == pytest.approx(2 * seconds[0])
    four = rate_of(Machine("cpu", "", 4, 4, 1, 1))
    assert seconds[1] / 4 < four.seconds(WORK) < seconds[1] and "4 threads" in four.basis
    assert four.times(3, "a run").seconds(WORK) == pytest.approx(3 * four.seconds(WORK))


def test_cards_are_told_by_their_names():
    rates = [rate_of(Machine("cuda", name, 4, 3, 1, 1)) for name in ("NVIDIA H100 80GB HBM3", "Tesla T4", "Card 9000")]
    assert rates[0].flops > rates[1].flops > rates[2].flops
    assert all("not verified" in rate.basis for rate in rates)
