"""Bottleneck adapters: where they go, what they compute, that they come back, and what PEFT must be for that."""

import json
import math
import re
import runpy
from pathlib import Path

import peft
import pytest
import torch
from peft import PeftModel, PeftType
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import relu, silu

from core.config import AdapterMethod
from core.errors import InputError
from core.methods import adapter, bottleneck, method
from core.methods.merge import merge
from core.methods.places import FAMILIES, places
from core.models.heads import CAUSAL, LABEL, SEQ2SEQ, TAGS, VECTOR
from core.models.load import load_base, load_run, parameters, patient_peft
from core.models.shapes import read_shape
from core.models.ways import WAYS
from tests import factory
from tests.conftest import ROOT

IDS = torch.arange(5, 21).unsqueeze(0)
LABELS = ("a", "b", "c")


def grow(model, name="default", seed=1):
    """Make an adapter do something: its `up` is not zero."""
    torch.manual_seed(seed)
    for key, parameter in model.named_parameters():
        if f".{name}." in key and "bottleneck_" in key:
            nn.init.normal_(parameter, std=0.2)
    return model.eval()


def head_of(family):
    return {"bert": LABEL, "distilbert": TAGS, "t5": SEQ2SEQ}.get(family, CAUSAL)


def grown(folder, head=CAUSAL, **settings):
    torch.manual_seed(0)
    base = load_base(str(folder), head=head, labels=() if head.writes else LABELS)
    return grow(adapter.prepare(base, AdapterMethod(**settings), str(folder), None, head))


def said(model, ids=IDS):
    inputs = {"input_ids": ids}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    with torch.no_grad():
        return model(**inputs).logits


def targets(model):
    return [name for name, module in model.named_modules() if isinstance(module, bottleneck.BottleneckLayer)]


# Where they go

ENDS = {  # of each family: what attention ends in, what the feed-forward part ends in
    "gpt2": ("attn.c_proj", "mlp.c_proj"),
    "bert": ("attention.output.dense", "output.dense"),
    "distilbert": ("attention.out_lin", "ffn.lin2"),
    "t5": ("Attention.o", "DenseReluDense.wo"),
}


@pytest.mark.parametrize("family", factory.FAMILIES)
def test_where_they_go_in_each_family(tiny_models, family):
    """One for each part of each block (T5: 2 of the encoder and 3 of the decoder), each as wide as the model."""
    attention, feed_forward = ENDS.get(family, ("self_attn.o_proj", "mlp.down_proj"))
    model = grown(tiny_models(family), head_of(family), placement="houlsby")
    found = targets(model)
    assert len([name for name in found if name.endswith(attention)]) == (6 if family == "t5" else 2)
    rest = [name for name in found if not name.endswith(attention)]
    assert len(rest) == (4 if family == "t5" else 2) and all(name.endswith(feed_forward) for name in rest)
    assert all(model.get_submodule(name).out_features == 64 for name in found)
    after_feed_forward = targets(grown(tiny_models(family), head_of(family), placement="pfeiffer"))
    assert after_feed_forward == rest


def test_a_family_that_is_not_known(tiny_llama):
    model = load_base(str(tiny_llama))
    model.config.model_type = "unheard"
    assert places(model, "pfeiffer") == r".*\.(mlp\.down_proj)"  # found by its names
    for block in model.model.layers:
        block.mlp.squeeze = block.mlp.down_proj
        del block.mlp.down_proj
    with pytest.raises(InputError, match=r"unheard.*o_proj.*squeeze.*LoRA") as error:
        places(model, "pfeiffer")
    assert error.value.field == "method.placement"


def test_patterns_are_patterns():
    for ends in FAMILIES.values():
        re.compile(ends.attention), re.compile(ends.feed_forward)


# What they compute


@pytest.mark.parametrize("family", factory.FAMILIES)
def test_a_new_adapter_changes_nothing_and_is_all_that_is_trained(tiny_models, family):
    head = head_of(family)
    torch.manual_seed(0)
    base = load_base(str(tiny_models(family)), head=head, labels=() if head.writes else LABELS)
    before = said(base)
    model = adapter.prepare(base, AdapterMethod(placement="houlsby"), "x", None, head).eval()
    assert torch.equal(said(model), before)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained and all("bottleneck_" in name or "modules_to_save" in name for name in trained)
    assert any("modules_to_save" in name for name in trained) != head.writes
    assert all(p.dtype == torch.float32 for p in model.parameters())


@pytest.mark.parametrize("family", factory.FAMILIES)
def test_as_many_weights_as_the_estimate_says(tiny_models, family):
    shape = read_shape(str(tiny_models(family)))
    for settings in (AdapterMethod(), AdapterMethod(placement="houlsby", reduction_factor=4)):
        head = SEQ2SEQ if family == "t5" else CAUSAL if head_of(family).writes else VECTOR
        model = adapter.prepare(load_base(str(tiny_models(family)), head=head), settings, "x", None, head)
        assert parameters(model)["trained"] == sum(map(math.prod, WAYS["adapter"].added(shape, settings)))


def test_a_block_as_written_by_hand(tiny_llama):
    """One block of Llama in plain torch: an adapter after each part, before the sum with what came in."""
    model = grown(tiny_llama, placement="houlsby", reduction_factor=4)
    plain, config = model.get_base_model(), model.config
    layers = {name.split("model.layers.")[1]: module for name, module in model.named_modules() if ".layers." in name}

    def weight(name):
        return layers[name].weight

    def adapted(name, h):
        down, up = layers[name].bottleneck_down["default"], layers[name].bottleneck_up["default"]
        return h + relu(h @ down.weight.T + down.bias) @ up.weight.T + up.bias

    def norm(x, name):
        return weight(name) * x / (x.pow(2).mean(-1, keepdim=True) + config.rms_norm_eps).sqrt()

    def turned(x, angle):
        half = x.shape[-1] // 2
        return x * angle.cos() + torch.cat([-x[..., half:], x[..., :half]], -1) * angle.sin()

    heads, width, length = config.num_attention_heads, config.head_dim, IDS.shape[1]
    shared = heads // config.num_key_value_heads
    theta = config.rope_parameters["rope_theta"]
    frequency = theta ** (-torch.arange(0, width, 2).float() / width)
    angle = torch.outer(torch.arange(length).float(), frequency).repeat(1, 2)
    unseen = torch.full((length, length), float("-inf")).triu(1)
    with torch.no_grad():
        x = plain.model.embed_tokens(IDS)[0]
        for n in range(config.num_hidden_layers):
            part = f"{n}.self_attn"
            y = norm(x, f"{n}.input_layernorm")
            q, k, v = (
                (y @ weight(f"{part}.{p}_proj").T).view(length, -1, width).transpose(0, 1) for p in ("q", "k", "v")
            )
            k, v = (turned(k, angle)).repeat_interleave(shared, 0), v.repeat_interleave(shared, 0)
            share = (turned(q, angle) @ k.transpose(1, 2) / width**0.5 + unseen).softmax(-1)
            mixed = (share @ v).transpose(0, 1).reshape(length, -1)
            x = x + adapted(f"{part}.o_proj", mixed @ layers[f"{part}.o_proj"].base_layer.weight.T)
            y = norm(x, f"{n}.post_attention_layernorm")
            inner = silu(y @ weight(f"{n}.mlp.gate_proj").T) * (y @ weight(f"{n}.mlp.up_proj").T)
            x = x + adapted(f"{n}.mlp.down_proj", inner @ layers[f"{n}.mlp.down_proj"].base_layer.weight.T)
        by_hand = plain.lm_head(plain.model.norm(x))
        torch.testing.assert_close(said(model)[0], by_hand, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", bottleneck.FUNCTIONS)
def test_the_function_in_the_middle(tiny_llama, name):
    model = grown(tiny_llama, non_linearity=name, dropout=0.5)
    layer = model.get_submodule(targets(model)[0])
    h = torch.randn(3, 64)
    down, up = layer.bottleneck_down["default"], layer.bottleneck_up["default"]
    assert layer.dropout["default"].p == 0.5
    with torch.no_grad():
        want = h + up(getattr(torch.nn.functional, name)(down(h)))
        assert torch.equal(layer._after("default", h), want)


# Saved, loaded, several


@pytest.mark.parametrize("family", factory.FAMILIES)
def test_saved_and_loaded_again_it_is_the_same(tiny_models, tmp_path, family):
    head = head_of(family)
    model = grown(tiny_models(family), head, placement="houlsby", non_linearity="gelu", reduction_factor=8)
    adapter.save(model, tmp_path)
    names = load_file(tmp_path / "adapter_model.safetensors")
    assert not any("default" in name for name in names), "an adapter of another name would not find its weights"
    assert {p.name for p in tmp_path.iterdir()} >= {"adapter_config.json", "adapter_model.safetensors"}
    assert not list(tmp_path.glob("*.bin"))
    written = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (written["peft_type"], written["task_type"]) == ("BOTTLENECK", head.task_type)
    (tmp_path / "base.json").write_text(json.dumps({"labels": [] if head.writes else LABELS}))
    torch.manual_seed(99)  # a head that was not saved would come out otherwise
    again, _ = load_run(tmp_path)
    assert torch.equal(said(again), said(model))
    if head.writes:
        with again.disable_adapter():
            assert torch.equal(said(again), said(load_base(str(tiny_models(family)), head=head)))


@pytest.mark.parametrize("family", ["llama", "gpt2", "t5"])
def test_two_on_one_base_and_a_mixed_batch(tiny_models, tmp_path, family):
    """One after both parts, one after the feed-forward part: each answers as it does alone."""
    folder, head = tiny_models(family), head_of(family)
    alone = {"both": grown(folder, head, placement="houlsby"), "one": grown(folder, head, reduction_factor=4)}
    for name, model in alone.items():
        adapter.save(model, tmp_path / name)
    with patient_peft():
        together = PeftModel.from_pretrained(load_base(str(folder), head=head), str(tmp_path / "both"), "both")
    together.load_adapter(str(tmp_path / "one"), "one")
    together.eval()
    for name, model in alone.items():
        together.set_adapter(name)
        assert torch.equal(said(together), said(model))
    with together.disable_adapter():
        base = said(together)
    ids = torch.cat([IDS, IDS.flip(1), IDS + 3, IDS])
    names = ["one", "__base__", "both", "both"]
    inputs = {"input_ids": ids} | ({"decoder_input_ids": ids} if family == "t5" else {})
    with torch.no_grad():
        mixed = together(**inputs, adapter_names=names).logits
    torch.testing.assert_close(mixed[0:1], said(alone["one"]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mixed[3:4], said(alone["both"]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mixed[2:3], said(alone["both"], IDS + 3), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(mixed[0:1], base, atol=1e-3)
    with pytest.raises(ValueError, match="no adapter other"):
        together(**inputs, adapter_names=["other"] * 4)
    with pytest.raises(ValueError, match="eval"):
        together.train()(**inputs, adapter_names=names)
    together.delete_adapter("one")
    assert list(together.peft_config) == ["both"]


def test_it_cannot_be_merged(tiny_llama, tmp_path):
    model = grown(tiny_llama)
    adapter.save(model, tmp_path / "a")
    with pytest.raises(InputError, match="function in their middle.*cannot be merged.*LoRA"):
        merge(tmp_path / "a", tmp_path / "merged")
    with pytest.raises(ValueError, match="cannot be merged"):
        model.merge_and_unload()


def test_gradients_are_the_same_with_checkpointing(tiny_llama):
    def gradients(checkpointing):
        model = grown(tiny_llama, placement="houlsby")
        if checkpointing:
            model.enable_input_require_grads()
            model.activation_checkpointing_enable({"use_reentrant": False})
        model.train()
        model(input_ids=IDS, labels=IDS, use_cache=False).loss.backward()
        return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}

    plain, saving = gradients(False), gradients(True)
    assert len(plain) == 2 * 2 * 4 and plain.keys() == saving.keys()
    assert all(torch.equal(plain[name], saving[name]) for name in plain)


def test_on_a_base_in_four_bits(tiny_llama, tmp_path):
    four = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": "float32"}
    base = load_base(str(tiny_llama), quantization=four)
    model = grow(adapter.prepare(base, AdapterMethod(placement="houlsby"), str(tiny_llama), None))
    assert all("bottleneck_" in name for name, p in model.named_parameters() if p.requires_grad)
    adapter.save(model, tmp_path)
    (tmp_path / "base.json").write_text(json.dumps({"quantization": four}))
    again, _ = load_run(tmp_path)
    assert torch.equal(said(again), said(model))


# What must hold of PEFT


def test_peft_knows_the_type_once():
    assert bottleneck._type() is PeftType("BOTTLENECK") is PeftType.BOTTLENECK
    assert [t for t in PeftType if t == "BOTTLENECK"] == [PeftType.BOTTLENECK]
    assert PEFT_TYPE_TO_CONFIG_MAPPING[PeftType.BOTTLENECK].__name__ == "BottleneckConfig"
    members = list(PeftType)
    runpy.run_path(bottleneck.__file__)  # the module once more, as if by another name
    assert list(PeftType) == members and bottleneck._type() is PeftType.BOTTLENECK


def test_the_private_parts_of_peft_are_those_of_the_pinned_version():
    """Whoever moves PEFT looks at core/methods/bottleneck.py again: the enum's privates, the calls into the tuner."""
    assert peft.__version__.startswith("0.21.")
    assert "peft==0.21." in (Path(ROOT) / "requirements.txt").read_text()
    for name in ("_member_names_", "_member_map_", "_value2member_map_"):
        assert name in vars(PeftType)


def test_the_registry_has_it():
    assert method("adapter") is adapter
