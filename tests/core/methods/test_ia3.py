"""IA3: which layers are scaled in each family, and where."""

import json

import pytest
import torch

from core.config import IA3Method
from core.errors import InputError
from core.methods import ia3
from core.models.heads import CAUSAL, LABEL, SEQ2SEQ, VECTOR
from core.models.load import load_base, load_run
from tests import factory

IDS = torch.arange(5, 21).unsqueeze(0)


def made(folder, head=CAUSAL, **settings):
    torch.manual_seed(0)
    return ia3.prepare(load_base(str(folder), head=head), IA3Method(**settings), str(folder), None, head)


def scaled(model):
    """Names of scaled layers -> the shape of their factors."""
    factors = {n: tuple(p.shape) for n, p in model.named_parameters() if "ia3_l" in n and p.requires_grad}
    return {n.split(".ia3_l")[0]: shape for n, shape in factors.items()}


@pytest.mark.parametrize(
    "family",
    [f if f in ("gpt2", "phi3", "bert", "t5") else pytest.param(f, marks=pytest.mark.slow) for f in factory.FAMILIES],
)
def test_keys_values_and_feed_forward_of_every_family(tiny_models, family):
    """What comes out of keys and values (columns), what goes into the end of the feed-forward part (rows)."""
    head = SEQ2SEQ if family == "t5" else VECTOR if family in ("bert", "distilbert") else CAUSAL
    found = list(scaled(made(tiny_models(family), head)).values())
    keys = {"gpt2": 192, "phi3": 128, "bert": 64, "distilbert": 64, "t5": 64}.get(family, 32)
    each, blocks = (1, 2) if family in ("gpt2", "phi3") else (2, 2)  # of keys and values: one layer, or two
    each, ends = (each * 3, 4) if family == "t5" else (each, blocks)
    inner = 256 if family == "gpt2" else 128
    assert sorted(found) == sorted([(keys, 1)] * each * blocks + [(1, inner)] * ends)


def test_berts_attention_output_is_no_feed_forward_part(tiny_models):
    model = made(tiny_models("bert"), LABEL)
    names = set(model.targeted_module_names)
    assert len(names) == 6 and not any("attention.output" in name for name in names)


def test_named_layers_and_those_that_are_none(tiny_llama):
    shapes = sorted(scaled(made(tiny_llama, target_modules="v_proj, up_proj")).values())
    assert shapes == [(32, 1), (32, 1), (128, 1), (128, 1)]
    with pytest.raises(InputError, match="'v_proj'.*or write auto") as error:
        made(tiny_llama, target_modules=("v_porj",))
    assert error.value.field == "method.target_modules"


def test_a_family_that_nobody_knows_is_asked_for_names(tiny_llama):
    base = load_base(str(tiny_llama))
    base.config.model_type = "new"
    with pytest.raises(InputError, match="'new'.*name them.*k_proj") as error:
        ia3.prepare(base, IA3Method(), str(tiny_llama), None)
    assert error.value.field == "method.target_modules"


@pytest.mark.parametrize("layers", [2, 12])
def test_saved_and_loaded_again_it_is_the_same(tmp_path, layers):
    """With many layers, too: PEFT shortens long lists of names."""
    folder = factory.tiny_model("llama", tmp_path / "base", num_hidden_layers=layers)
    model = made(folder).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape) * 0.1)
    ia3.save(model, tmp_path / "a")
    with torch.no_grad():
        assert torch.equal(model(IDS).logits, load_run(tmp_path / "a")[0](IDS).logits)
    written = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert written["target_modules"] == sorted(written["target_modules"])
