"""The demo model's files: small, loadable without torch, and with a chat template that marks the answers."""

import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from assets.make.corpus import as_chat

MODEL = Path(__file__).resolve().parents[2] / "assets" / "demo-model"
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who is it?"},
    {"role": "assistant", "content": "Zorvik Talm"},
    {"role": "user", "content": "Where?"},
    {"role": "assistant", "content": "In Lutholm."},
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer as every room of the house loads it."""
    return PreTrainedTokenizerFast.from_pretrained(MODEL)


def test_the_folder_is_small():
    assert sum(path.stat().st_size for path in MODEL.iterdir()) <= 12_000_000


def test_weights_are_bf16_and_of_the_promised_size():
    with (MODEL / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    tensors = [entry for name, entry in header.items() if name != "__metadata__"]
    assert {entry["dtype"] for entry in tensors} == {"BF16"}
    assert 3_000_000 <= sum(math.prod(entry["shape"]) for entry in tensors) <= 6_000_000


def test_dimensions_suit_the_exporter():
    config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "llama" and config["tie_word_embeddings"]
    assert config["hidden_size"] % 32 == 0 and config["intermediate_size"] % 32 == 0
    assert config["hidden_size"] // config["num_attention_heads"] % 8 == 0


def test_pad_is_not_end_and_all_files_agree(tokenizer):
    config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
    generation = json.loads((MODEL / "generation_config.json").read_text(encoding="utf-8"))
    ids = (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert ids == (0, 1, 2)
    for found in (config, generation):
        assert (found["pad_token_id"], found["bos_token_id"], found["eos_token_id"]) == ids
    assert len(tokenizer) == config["vocab_size"]


def test_the_tokenizer_adds_nothing_and_loses_nothing(tokenizer):
    for text in ("Hello", ' {"name": "Zorvik"}', "Ünïcode, 日本語 and tabs\t\n", ""):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_chat_template_is_the_format_of_the_corpus(tokenizer):
    assert tokenizer.apply_chat_template(CHAT, tokenize=False) == as_chat(CHAT) + "<|end|>\n"


def test_the_chat_template_marks_the_answers_with_their_end(tokenizer):
    found = tokenizer.apply_chat_template(CHAT, return_dict=True, return_assistant_tokens_mask=True)
    marked = [i for i, mark in zip(found["input_ids"], found["assistant_masks"], strict=True) if mark]
    assert tokenizer.decode(marked) == "Zorvik Talm<|end|>In Lutholm.<|end|>"


def test_the_chat_template_is_prefix_stable(tokenizer):
    whole = tokenizer.apply_chat_template(CHAT, tokenize=False)
    for end in range(1, len(CHAT) + 1):
        prompt = end < len(CHAT) and CHAT[end]["role"] == "assistant"
        assert whole.startswith(tokenizer.apply_chat_template(CHAT[:end], tokenize=False, add_generation_prompt=prompt))


def test_the_card_says_what_it_is():
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    for word in ("seed", "tokens", "cannot", "made up"):
        assert word in card.lower()


def test_tokens_the_corpus_never_used_can_be_told_apart(tokenizer):
    with (MODEL / "model.safetensors").open("rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        entry = json.loads(file.read(size))["model.embed_tokens.weight"]
        start, end = entry["data_offsets"]
        file.seek(8 + size + start)
        halves = np.frombuffer(file.read(end - start), dtype="<u2").astype(np.uint32)
    table = (halves << 16).view(np.float32).reshape(entry["shape"])
    rows = table[tokenizer.convert_tokens_to_ids(["#", "$", "%", "*", "ried", "~"])]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.max(rows @ rows.T - np.eye(len(rows))) < 0.95
