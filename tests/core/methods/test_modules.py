"""The names of modules, from files alone: those that the loaded model has."""

import shutil

import pytest
from torch import nn
from transformers.pytorch_utils import Conv1D

from core.config import build
from core.methods.modules import modules_of, wrong_names
from core.models.heads import CAUSAL, SEQ2SEQ, VECTOR
from core.models.load import load_base
from tests import factory


@pytest.mark.parametrize(
    "family",
    [f if f in ("gpt2", "phi3", "bert", "t5") else pytest.param(f, marks=pytest.mark.slow) for f in factory.FAMILIES],
)
def test_they_are_those_of_the_loaded_model(tiny_models, family):
    folder = tiny_models(family)
    head = SEQ2SEQ if family == "t5" else VECTOR if family in ("bert", "distilbert") else CAUSAL
    layers = dict(load_base(str(folder), head=head).named_modules())
    found = {module.name: module for module in modules_of(folder)}
    linear = set()
    for module in found.values():
        here = [n for n in layers if n == module.name or n.endswith("." + module.name)]
        assert len(here) == module.count, module
        if module.kind == "linear":
            linear.update(here)
        for layer in (layers[n] for n in here if module.name != "output.dense"):
            if module.kind in ("linear", "output"):
                assert isinstance(layer, (nn.Linear, Conv1D))
                sides = (layer.nx, layer.nf) if isinstance(layer, Conv1D) else (layer.in_features, layer.out_features)
                assert sides == (module.inputs, module.outputs)
            elif module.kind == "embedding":
                assert (layer.num_embeddings, layer.embedding_dim) == (module.inputs, module.outputs)
    real = {n for n, m in layers.items() if isinstance(m, (nn.Linear, Conv1D))}
    assert real - linear <= {"lm_head", "pooler.dense"}  # BERT's pooler is no part of what these files hold
    assert ("lm_head" in found) == (head is not VECTOR)


def test_names_are_as_short_as_they_can_be(tiny_models):
    assert {"c_attn", "attn.c_proj", "mlp.c_proj"} <= {m.name for m in modules_of(tiny_models("gpt2"))}
    assert {"q", "k", "v", "o", "wi", "wo"} <= {m.name for m in modules_of(tiny_models("t5"))}


def test_without_weights_the_config_tells_of_the_linear_layers(tiny_models, tmp_path):
    for family in ("llama", "t5", "gpt2"):
        folder = shutil.copytree(tiny_models(family), tmp_path / family)
        (folder / "model.safetensors").unlink()
        whole = {m.name: m for m in modules_of(tiny_models(family)) if m.kind in ("linear", "output")}
        alone = {m.name.removeprefix("attn.") if m.name == "attn.c_attn" else m.name: m for m in modules_of(folder)}
        assert {(m.inputs, m.outputs, m.count) for m in alone.values()} == {
            (m.inputs, m.outputs, m.count) for m in whole.values()
        }


def config(folder, **method):
    return build({"model": {"path": str(folder)}, "method": {"name": "lora", **method}})


def test_wrong_names_are_told_with_the_nearest(tiny_models):
    llama = tiny_models("llama")
    said = wrong_names(config(llama, target_modules="q_porj, v_proj", modules_to_save=["lm_haed"]))
    assert list(said) == ["method.target_modules", "method.modules_to_save"]
    assert "'q_proj'" in said["method.target_modules"] and "'lm_head'" in said["method.modules_to_save"]
    assert wrong_names(config(llama, target_modules=["embed_tokens"]))  # it is no linear layer
    for right in (
        {}, {"target_modules": ["self_attn.q_proj"], "modules_to_save": ["norm", "score", "mlp"]},
        {"target_modules": ["lm_head"]},
    ):  # fmt: skip
        assert wrong_names(config(llama, **right)) == {}
    source = {"target_modules": ["c_attn", "c_proj"], "modules_to_save": ["ln_f", "lm_head"]}
    assert wrong_names(config(tiny_models("gpt2"), **source)) == {}
    assert wrong_names(build({"model": {"path": str(llama)}, "method": {"name": "full"}})) == {}


def test_a_folder_without_weights_is_not_judged(tiny_models, tmp_path):
    folder = shutil.copytree(tiny_models("llama"), tmp_path / "m")
    (folder / "model.safetensors").unlink()
    assert wrong_names(config(folder, target_modules=["anything"])) == {}
