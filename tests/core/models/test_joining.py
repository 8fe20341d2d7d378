"""Which models cannot have rows that share a sequence."""

import json

import pytest

from core.config import build
from core.models.joining import LEAKING, why_apart


def config(path, method="lora", task="generation"):
    return build({"task": task, "model": {"path": str(path)}, "method": {"name": method}})


@pytest.mark.parametrize("family", LEAKING)
def test_families_that_leak(tmp_path, family):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    assert f"family {family} do not keep rows apart" in why_apart(config(tmp_path))


def test_who_may(tiny_llama, tiny_models):
    assert why_apart(config(tiny_llama)) == why_apart(config(tiny_llama, task="classification")) == ""
    assert "in front of each row" in why_apart(config(tiny_llama, "prompt"))
    assert "this one chooses a label" in why_apart(config(tiny_models("bert"), task="classification"))
    assert "this one reads the whole" in why_apart(config(tiny_models("t5")))
