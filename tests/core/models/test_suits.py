"""What does not suit a model is said at its field, before anything is loaded."""

import json
import shutil

import pytest

from core.config import build
from core.errors import ConfigError, InputError
from core.models.heads import CAUSAL
from core.models.suits import problems, require


def config(path, **values):
    return build(values | {"model": {"path": str(path), **values.get("model", {})}})


def test_what_suits_has_no_problems(tiny_llama):
    assert problems(config(tiny_llama)) == {} and require(config(tiny_llama)) is CAUSAL


def test_weights_that_are_quantised_already_are_not_tuned(tiny_llama, tmp_path):
    folder = shutil.copytree(tiny_llama, tmp_path / "m")
    known = json.loads((folder / "config.json").read_text())
    quantised = {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    (folder / "config.json").write_text(json.dumps(known | quantised))
    assert "quantised already" in problems(config(folder))["model.path"]


def test_every_problem_is_at_its_field_and_all_at_once(tiny_models):
    labels = {"task": "classification", "training": {"loss": "focla", "batching": "packed"}}
    found = problems(config(tiny_models("bert"), **labels))
    assert set(found) == {"training.loss", "training.batching"} and "'focal'" in found["training.loss"]
    assert set(problems(config(tiny_models("bert")))) == {"task"}
    assert set(problems(config("nowhere/at-all"))) == {"model.path"}
    tags = {"task": "extraction", "model": {"head": "task"}}
    assert "no head" in problems(config(tiny_models("gemma3_text"), **tags))["model.head"]
    labels_of_t5 = {"task": "classification", "model": {"head": "task"}, "method": {"name": "prompt"}}
    assert set(problems(config(tiny_models("t5"), **labels_of_t5))) == {"model.head"}
    with pytest.raises(ConfigError) as several:
        require(config(tiny_models("bert"), **labels))
    assert several.value.errors == found
    with pytest.raises(InputError) as one:
        require(config(tiny_models("bert")))
    assert one.value.field == "task"
