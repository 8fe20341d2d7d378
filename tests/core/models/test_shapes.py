"""Shapes: counted from config.json alone as transformers counts the weights, for every family."""

import json

import pytest

from core.errors import InputError
from core.models.load import load_base
from core.models.shapes import FAMILIES, read_shape, shape_of
from tests import factory

# What is no multiple of anything else, so that two sizes that are mixed up are seen.
ODD = {"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3, "vocab_size": 410}


def odd(family):
    if family == "gpt2":
        return {"n_embd": 48, "n_layer": 3, "n_inner": 80, "vocab_size": 410}
    if family in ("distilbert", "t5", "bert"):
        return {}
    return ODD


@pytest.mark.parametrize("family", factory.FAMILIES)
def test_weights_are_counted_without_weights(family, tmp_path):
    folder = factory.tiny_model(family, tmp_path / "m", **odd(family))
    with_files = read_shape(folder)
    for file in folder.glob("*.safetensors"):
        file.unlink()
    alone = read_shape(folder)
    assert alone.parameters == with_files.parameters and alone.known
    assert alone.bytes is None and with_files.bytes > 4 * with_files.parameters


@pytest.mark.parametrize("family", factory.DECODERS)
def test_linear_layers_are_those_of_the_model(family, tmp_path):
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    folder = factory.tiny_model(family, tmp_path / "m", **odd(family))
    shape, found = read_shape(folder), {}
    for name, module in load_base(str(folder)).named_modules():
        if isinstance(module, (nn.Linear, Conv1D)) and "lm_head" not in name and ".0." in name:
            rows, columns = module.weight.shape
            found[name] = (rows, columns) if isinstance(module, Conv1D) else (columns, rows)
    ours = {
        name: (linear.inputs, linear.outputs)
        for linear in shape.linears
        for name in found
        if name.endswith(f".{linear.name}")
    }
    assert ours == found
    assert len(shape.targets("all-linear")) == len(found)


def test_layers_are_chosen_by_name(tmp_path):
    shape = read_shape("assets/demo-model")
    assert [a.name for a in shape.targets("q_proj, v_proj")] == ["q_proj", "v_proj"]
    assert [a.name for a in shape.targets(("down_proj",))] == ["down_proj"] and shape.targets("nothing") == []
    gpt2 = read_shape(factory.tiny_model("gpt2", tmp_path / "m"))
    assert [a.name for a in gpt2.targets("c_proj")] == ["attn.c_proj", "mlp.c_proj"]


def test_what_a_config_leaves_out_is_the_family_s_default():
    """As transformers writes it: what is a family's default is not there."""
    small = {"hidden_size": 640, "intermediate_size": 2048, "num_hidden_layers": 18, "num_attention_heads": 4,
             "num_key_value_heads": 1, "vocab_size": 262144}  # fmt: skip
    gemma = shape_of({"model_type": "gemma3_text", **small})
    assert gemma.tied and gemma.queries == 4 * 256 and round(gemma.parameters / 1e6) == 268
    seeing = {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", **small}}
    assert shape_of(seeing | seeing["text_config"]) == gemma


def test_a_family_that_is_not_known_is_taken_as_llama(tmp_path):
    folder = factory.tiny_model("llama", tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "new"}))
    assert not read_shape(folder).known and read_shape(folder).parameters == shape_of(config).parameters
    (folder / "config.json").write_text(json.dumps({"model_type": "new", "hidden_size": 64}))
    with pytest.raises(InputError, match="does not say 'intermediate_size'") as error:
        read_shape(folder)
    assert error.value.field == "model.path"


def test_every_family_of_the_factory_is_known():
    """The others are in the catalogue alone: tests/core/models/test_catalog_table.py counts their weights."""
    others = {"smollm3", "granite", "roberta", "modernbert"}
    assert {factory.FAMILIES[name][0] for name in factory.FAMILIES} | others == set(FAMILIES)
