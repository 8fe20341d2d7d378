"""Rows that share a sequence must not see each other: models of which this is not true are found."""

import pytest
import torch
import transformers

from core.training.apart import leaks
from tests import factory

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 90}
LEAKING = {
    "falcon": SMALL | {"pad_token_id": 0},
    "opt": SMALL | {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "vocab_size": 90},
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 90},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4, "vocab_size": 90},
    "lfm2": SMALL | {"intermediate_size": 64, "num_key_value_heads": 2, "layer_types": ["conv", "full_attention"]},
}
ROWS = [{"input_ids": [*range(5, 25)]}, {"input_ids": [*range(40, 60)]}]


def small(kind, settings):
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(kind, **settings)).eval()


@pytest.mark.parametrize("kind", LEAKING)
def test_families_that_leak_are_refused(kind):
    with torch.no_grad():
        assert f"family {kind} do not keep rows apart" in leaks(small(kind, LEAKING[kind]), ROWS, "")


@pytest.mark.parametrize("family", factory.DECODERS)
def test_ours_do_not_leak(family):
    kind, settings = factory.FAMILIES[family]
    model = small(kind, settings | {"vocab_size": 90, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2})
    with torch.no_grad():
        assert leaks(model, ROWS, "") == leaks(model, ROWS[:1], "") == ""
        with torch.autocast("cpu", torch.bfloat16):
            assert leaks(model, ROWS, "bf16") == ""
