"""Learning rates by method and size."""

import pytest

from core.config import METHODS, build
from core.models.rates import RATES, SMALL, SMALL_RATES, default_rate, learning_rate


def test_every_method_has_a_rate():
    assert set(RATES) == set(SMALL_RATES) == set(METHODS)
    assert all(SMALL_RATES[name] > RATES[name] for name in METHODS)


@pytest.mark.parametrize(("parameters", "rate"), [(None, 2e-4), (SMALL, 2e-4), (SMALL - 1, 2e-3)])
def test_small_models_take_larger_steps(parameters, rate):
    assert default_rate("lora", parameters) == rate


def test_a_rate_that_is_set_counts(tiny_llama):
    model = {"path": str(tiny_llama)}
    assert learning_rate(build({"model": model, "training": {"learning_rate": 0.01}})) == 0.01
    assert learning_rate(build({"model": model, "method": {"name": "full"}})) == SMALL_RATES["full"]
    assert learning_rate(build({"model": {"path": "nowhere/at-all"}})) == RATES["lora"]
