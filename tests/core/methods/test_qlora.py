"""QLoRA: what is in 4 bits, what is trained, and that it computes the same in training and out of it."""

import pytest
import torch
from bitsandbytes.nn import Linear4bit

from core.config import QLoraMethod
from core.errors import InputError
from core.methods import qlora
from core.models.heads import CAUSAL, LABEL, TAGS
from core.models.load import Precision, load_base, parameters, precision

IDS = torch.arange(5, 21).unsqueeze(0)


def made(folder, head=CAUSAL, **settings):
    given = QLoraMethod(**settings)
    torch.manual_seed(0)
    base = load_base(str(folder), head=head, labels=("a", "b"), quantization=qlora.quantization(given, precision()))
    return qlora.prepare(base, given, str(folder), None, head)


def test_computed_in_what_the_device_does_best_unless_told_otherwise():
    card = Precision("cuda", torch.bfloat16, "bf16")
    kinds = [
        qlora.quantization(given, on)["bnb_4bit_compute_dtype"]
        for given, on in (
            (QLoraMethod(), precision()), (QLoraMethod(), card),
            (QLoraMethod(bnb_4bit_compute_dtype="float16"), precision()),
        )
    ]  # fmt: skip
    assert kinds == ["float32", "bfloat16", "float16"]


@pytest.mark.parametrize(
    ("family", "head", "kept"),
    [("gpt2", CAUSAL, {"lm_head"}), ("llama", TAGS, {"score"}), ("bert", LABEL, {"classifier", "pooler.dense"})],
)
def test_all_linear_layers_are_in_4_bits_but_what_the_model_ends_in(tiny_models, family, head, kept):
    model = made(tiny_models(family), head)
    base = model.get_base_model()
    plain = {n for n, m in base.named_modules() if isinstance(m, torch.nn.Linear) and not isinstance(m, Linear4bit)}
    plain = {n.split(".modules_to_save.")[0].split(".original_module")[0] for n in plain if ".lora_" not in n}
    assert {n for n in plain if not n.startswith("bert.")} | {n[5:] for n in plain if n.startswith("bert.")} == kept
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert all(".lora_" in n or ".modules_to_save." in n for n in trained) and parameters(model)["trained"] > 0
    assert model.to("cpu") is model and base.to("cpu") is base


def test_a_look_without_gradients_changes_nothing_in_training(tiny_llama):
    """On some processors bitsandbytes would pack the weights anew, and compute in bf16 from then on."""
    model = made(tiny_llama, lora_dropout=0)
    before = model.train()(IDS).logits
    with torch.no_grad():
        looked = model.eval()(IDS).logits
    assert torch.equal(looked, before) and torch.equal(model.train()(IDS).logits, before)


def test_what_is_in_4_bits_cannot_be_trained_whole(tiny_llama):
    with pytest.raises(InputError, match="held in 4 bits") as error:
        made(tiny_llama, modules_to_save=("q_proj",))
    assert error.value.field == "method.modules_to_save"
    assert parameters(made(tiny_llama, modules_to_save=("lm_head",)))["trained"] > 400 * 64
