"""LoRA: which layers, what is trained, what is saved, merging."""

import json

import pytest
import torch

from core.config import LoraMethod
from core.errors import InputError
from core.methods import lora, method
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


def test_merged_into_one_folder_it_answers_the_same(tiny_llama, tmp_path):
    model = grown(tiny_llama)
    lora.save(model, tmp_path / "a")
    (tmp_path / "a" / "chat_template.jinja").write_text("{{ 'tuned in this' }}")
    out = lora.merge(tmp_path / "a", tmp_path / "out" / "merged")
    again, tokenizer = load_run(out)
    assert tokenizer.chat_template == "{{ 'tuned in this' }}"
    with torch.no_grad():
        torch.testing.assert_close(again(IDS).logits, model(IDS).logits, atol=1e-4, rtol=1e-4)
    assert (out / "tokenizer.json").read_bytes() == (tiny_llama / "tokenizer.json").read_bytes()
    assert [p.name for p in out.parent.iterdir()] == ["merged"]
    assert lora.merge(out, tmp_path / "unused") == out and not (tmp_path / "unused").exists()


def test_unknown_methods_get_a_hint():
    with pytest.raises(InputError, match="'lora'"):
        method("lorra")
