"""The tiny models and tokenizers that the other tests stand on."""

import subprocess
import sys

import pytest

from tests import factory
from tests.conftest import ROOT, NetworkError


@pytest.mark.parametrize("family", factory.FAMILIES)
def test_every_family_loads_and_answers(tiny_models, family):
    import torch
    import transformers

    folder = tiny_models(family)
    assert {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    } <= {f.name for f in folder.iterdir()}
    auto = getattr(transformers, factory._AUTO.get(family, "AutoModelForCausalLM"))
    model = auto.from_pretrained(folder, use_safetensors=True, trust_remote_code=False).eval()
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    assert len(tokenizer) == model.config.vocab_size
    assert sum(p.numel() for p in model.parameters()) < 400_000
    batch = tokenizer("the lake lies still", return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        if family in ("bert", "distilbert"):
            assert model(**batch).logits.shape[-1] == len(tokenizer)
        else:
            out = model.generate(**batch, max_new_tokens=3, do_sample=False)
            assert out.shape[1] >= 2


def test_same_seed_same_weights(tmp_path):
    a, b, c = (
        factory.tiny_model("llama", tmp_path / n, seed=s) / "model.safetensors"
        for n, s in (("a", 1), ("b", 1), ("c", 2))
    )
    assert a.read_bytes() == b.read_bytes() != c.read_bytes()


@pytest.mark.parametrize("kind", ["bpe", "unigram", "unigram_no_prefix", "wordpiece"])
def test_tokenizers_need_no_torch_and_come_back(tmp_path, kind):
    code = (
        "import sys; from tests import factory; from transformers import PreTrainedTokenizerFast as T\n"
        f"t = T.from_pretrained(factory.write_tokenizer({str(tmp_path)!r}, {kind!r}))\n"
        "text = 'the quick fox walked slowly'\n"
        "assert t.decode(t(text, add_special_tokens=False)['input_ids']) == text\n"
        "assert t.pad_token_id != t.eos_token_id\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_bpe_keeps_any_text(tokenizer):
    text = "Zoë 東京 😀\t\r\n  x"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize("chat_file", [False, True])
def test_chat_templates_differ_in_the_mask_alone(tmp_path, chat_file):
    from transformers import PreTrainedTokenizerFast

    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    plain, masked = (
        PreTrainedTokenizerFast.from_pretrained(factory.write_tokenizer(tmp_path / c, chat=c, chat_file=chat_file))
        for c in ("plain", "masked")
    )
    want = "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
    assert (
        plain.apply_chat_template(messages, tokenize=False)
        == masked.apply_chat_template(messages, tokenize=False)
        == want
    )
    out = masked.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    trained = [i for i, m in zip(out["input_ids"], out["assistant_masks"], strict=True) if m]
    assert masked.decode(trained) == "b<|im_end|>"


def test_rows_are_all_different():
    rows = factory.tone_rows(200)
    assert len({r["phrase"] for r in rows}) == 200
    assert {r["tone"] for r in rows[:4]} == set(factory.TONES)
    assert rows == factory.tone_rows(200)


def test_network_is_refused(no_network):
    import socket

    with pytest.raises(NetworkError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(NetworkError):
        socket.getaddrinfo("example.invalid", 80)
    assert len(no_network) == 2
    no_network.clear()
