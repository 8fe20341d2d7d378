"""Merging: equal answers on several inputs, in the precision that they need; what cannot be merged says so."""

import json

import pytest
import torch
from safetensors import safe_open

from core.config import build
from core.errors import InputError
from core.methods import merge as merging
from core.methods import method
from core.methods.merge import merge
from core.models.heads import CAUSAL, LABEL, SEQ2SEQ, TAGS, VECTOR
from core.models.load import BASE_NOTE, load_base, load_run, precision
from tests import factory

IDS = torch.arange(5, 21).unsqueeze(0)
LABELS = ("joyful", "angry", "sad")


def tuned(folder, out, head=CAUSAL, by=0.05, **settings):
    """A folder as a run has it: an adapter that does something, and what it stands on; and the model itself."""
    way, given = method(settings["name"]), build({"model": {"path": str(folder)}, "method": settings}).method
    quantization = way.quantization(given, precision())
    torch.manual_seed(0)
    base = load_base(str(folder), head=head, labels=LABELS, quantization=quantization)
    model = way.prepare(base, given, str(folder), None, head).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape) * by)
    way.save(model, out)
    labels = list(LABELS) if head in (LABEL, TAGS) else []
    (out / BASE_NOTE).write_text(json.dumps({"head": head.name, "labels": labels, "quantization": quantization}))
    return model


def answer(model, head=CAUSAL):
    with torch.no_grad():
        return merging._answer(model, head, IDS)


def test_merged_into_one_folder_it_answers_the_same(tiny_llama, tmp_path):
    model = tuned(tiny_llama, tmp_path / "a", name="lora")
    (tmp_path / "a" / "chat_template.jinja").write_text("{{ 'tuned in this' }}")
    out = merge(tmp_path / "a", tmp_path / "out" / "merged")
    again, tokenizer = load_run(out)
    assert tokenizer.chat_template == "{{ 'tuned in this' }}"
    torch.testing.assert_close(answer(again), answer(model), atol=1e-4, rtol=1e-4)
    assert (out / "tokenizer.json").read_bytes() == (tiny_llama / "tokenizer.json").read_bytes()
    assert [p.name for p in out.parent.iterdir()] == ["merged"]
    assert merge(out, tmp_path / "unused") == out and not (tmp_path / "unused").exists()


@pytest.mark.parametrize(
    ("family", "settings", "head"),
    [
        ("gpt2", {"name": "qlora"}, CAUSAL),  # its weights lie the other way round when they are not in 4 bits
        pytest.param("llama", {"name": "qlora", "bnb_4bit_quant_type": "fp4"}, TAGS, marks=pytest.mark.slow),
        pytest.param("smollm", {"name": "lora", "use_rslora": True, "use_dora": True}, LABEL, marks=pytest.mark.slow),
        pytest.param("phi3", {"name": "ia3"}, CAUSAL, marks=pytest.mark.slow),
        ("t5", {"name": "lora"}, SEQ2SEQ),
        ("bert", {"name": "ia3"}, LABEL),
        pytest.param("distilbert", {"name": "lora"}, VECTOR, marks=pytest.mark.slow),
    ],
)
def test_every_method_and_head_that_merges(tiny_models, tmp_path, family, settings, head):
    model = tuned(tiny_models(family), tmp_path / "a", head, **settings)
    again, _ = load_run(merge(tmp_path / "a", tmp_path / "merged"))
    torch.testing.assert_close(answer(again, head), answer(model, head), atol=1e-4, rtol=1e-4)
    assert head not in (LABEL, TAGS) or list(again.config.id2label.values()) == list(LABELS)
    assert "quantization_config" not in json.loads((tmp_path / "merged" / "config.json").read_text())


@pytest.mark.parametrize(("by", "dtype"), [(0.0, torch.bfloat16), (0.05, torch.float32)])
def test_half_precision_only_where_the_answers_stay_the_same(tmp_path, by, dtype):
    """An adapter that does nothing leaves the weights as they were on the disk; one that does needs float32."""
    base = factory.tiny_model("llama", tmp_path / "base", dtype="bfloat16")
    model = tuned(base, tmp_path / "a", by=by, name="lora")
    out = merge(tmp_path / "a", tmp_path / "merged")
    with safe_open(out / "model.safetensors", "pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {dtype}  # noqa: SIM118 - no mapping
    torch.testing.assert_close(answer(load_run(out)[0]), answer(model), atol=1e-4, rtol=1e-4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "base", "merged"]


@pytest.mark.parametrize(("name", "why"), [("prompt", "nothing to merge"), ("adapter", "cannot be merged")])
def test_what_cannot_be_merged_says_so(tiny_llama, tmp_path, name, why):
    tuned(tiny_llama, tmp_path / "a", name=name)
    with pytest.raises(InputError, match=why) as error:
        merge(tmp_path / "a", tmp_path / "out")
    assert error.value.field == "method.name" and not (tmp_path / "out").exists()


def test_a_merged_model_that_answers_differently_is_not_written(tiny_llama, tmp_path, monkeypatch):
    tuned(tiny_llama, tmp_path / "a", name="lora")
    monkeypatch.setattr(merging, "_merged", lambda model: model.unload())
    with pytest.raises(InputError, match="off by"):
        merge(tmp_path / "a", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_nothing_to_merge(tmp_path):
    with pytest.raises(InputError, match="no tuned model"):
        merge(tmp_path, tmp_path / "out")
