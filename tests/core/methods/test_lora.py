"""LoRA: which layers, what is trained, what is saved, merging."""

import json

import pytest
import torch

from core.config import LoraMethod
from core.errors import InputError
from core.methods import lora, method
from core.methods.merge import merge
from core.models.load import load_base, load_run, parameters

IDS = torch.arange(5, 21).unsqueeze(0)


def grown(folder, **settings):
    """A model with an adapter that does something: its B is not zero."""
    torch.manual_seed(0)
    model = lora.prepare(load_base(str(folder)), LoraMethod(**settings), str(folder), None)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def test_only_the_adapter_is_trained(tiny_llama):
    model = grown(tiny_llama)
    counted = parameters(model)
    assert 0 < counted["trained"] < counted["all"] / 2
    assert all("lora_" in n and p.dtype == torch.float32 for n, p in model.named_parameters() if p.requires_grad)


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3", "phi3", "gemma3_text"])
def test_all_linear_on_every_family(tiny_models, family):
    model = lora.prepare(load_base(str(tiny_models(family))), LoraMethod(r=2), "x", None)
    assert parameters(model)["trained"] > 0


def test_names_of_layers(tiny_llama):
    for wanted in (("q_proj", "v_proj"), "q_proj, v_proj"):
        model = grown(tiny_llama, target_modules=wanted)
        trained = {n.split(".lora_")[0].rsplit(".", 1)[-1] for n, p in model.named_parameters() if p.requires_grad}
        assert trained == {"q_proj", "v_proj"}


@pytest.mark.parametrize(("bad", "hint"), [("q_porj", "q_proj"), ("embed", "has"), (" ", "No layers are named")])
def test_layers_that_are_none(tiny_llama, bad, hint):
    with pytest.raises(InputError, match=hint) as error:
        grown(tiny_llama, target_modules=(bad,) if bad.strip() else bad)
    assert error.value.field == "method.target_modules"


def test_saved_and_loaded_again_it_is_the_same(tiny_llama, tmp_path):
    model = grown(tiny_llama)
    lora.save(model, tmp_path / "a")
    again, tokenizer = load_run(tmp_path / "a")
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, again(IDS).logits)
        with again.disable_adapter():
            assert torch.equal(load_base(str(tiny_llama))(IDS).logits, again(IDS).logits)
    assert len(tokenizer) > 10
    written = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert written["base_model_name_or_path"] == str(tiny_llama)
    assert written["task_type"] == "CAUSAL_LM"
    assert written["target_modules"] == sorted(written["target_modules"])


@pytest.mark.parametrize(
    ("settings", "scale"), [({}, 4 / 16), ({"use_rslora": True}, 4 / 4), ({"use_dora": True}, 4 / 16)]
)
def test_scales_are_those_of_the_papers_and_saved(tiny_llama, tmp_path, settings, scale):
    model = grown(tiny_llama, r=16, lora_alpha=4, **settings)
    assert model.base_model.model.model.layers[0].mlp.up_proj.scaling == {"default": scale}
    assert any("magnitude" in n for n, p in model.named_parameters() if p.requires_grad) == ("use_dora" in settings)
    lora.save(model, tmp_path / "a")
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, load_run(tmp_path / "a")[0](IDS).logits)


# Modules that are trained whole


@pytest.mark.parametrize(
    ("family", "settings", "whole"),
    [  # the first is the config that the source has for GPT-2 and its like
        ("gpt2", {"target_modules": ("c_attn", "c_proj"), "modules_to_save": ("ln_f", "lm_head")},
         {"lm_head", "transformer.ln_f", "transformer.wte"}),
        ("llama", {"modules_to_save": ("lm_head",)}, {"lm_head"}),
        ("smollm", {"modules_to_save": ("embed_tokens",)}, {"lm_head", "model.embed_tokens"}),
        ("llama", {"modules_to_save": ("norm",)}, {"model.norm"}),
    ],
)  # fmt: skip
def test_modules_trained_whole_are_saved_and_merged_exactly(tiny_models, tmp_path, family, settings, whole):
    model = grown(tiny_models(family), **settings)
    found = {
        n.split(".modules_to_save.")[0] for n, _ in model.named_parameters(remove_duplicate=False) if "_save." in n
    }
    assert {n.removeprefix("base_model.model.") for n in found} == whole
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape) * 0.05)
        want = model(IDS).logits
        lora.save(model, tmp_path / "a")
        assert torch.equal(load_run(tmp_path / "a")[0](IDS).logits, want)
        merged, _ = load_run(merge(tmp_path / "a", tmp_path / "merged"))
        torch.testing.assert_close(merged(IDS).logits, want, atol=1e-4, rtol=1e-4)
    assert merged.config.tie_word_embeddings == (len(whole) > 1)


@pytest.mark.parametrize(("bad", "hint"), [("lm_haed", "'lm_head'"), ("embed", "embed_tokens, ")])
def test_modules_that_are_none(tiny_llama, bad, hint):
    with pytest.raises(InputError, match=hint) as error:
        grown(tiny_llama, modules_to_save=(bad,))
    assert error.value.field == "method.modules_to_save"


def test_something_must_be_left_for_an_adapter(tiny_llama):
    with pytest.raises(InputError, match="Every layer that would get an adapter") as error:
        grown(tiny_llama, modules_to_save=("layers",))
    assert error.value.field == "method.modules_to_save"


def test_nothing_is_added_to_a_layer_that_is_the_embedding_too(tiny_models):
    with pytest.raises(InputError, match="shares its weights") as error:
        grown(tiny_models("smollm"), target_modules=("q_proj", "lm_head"))
    assert error.value.field == "method.target_modules"


def test_unknown_methods_get_a_hint():
    with pytest.raises(InputError, match="'lora'"):
        method("lorra")
