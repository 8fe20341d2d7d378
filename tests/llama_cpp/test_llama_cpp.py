"""GGUF files in llama.cpp itself, as node-llama-cpp brings it: tokens of texts, and greedy answers beside PyTorch's.

Only where TUNESMITH_LLAMA_CPP=1 asks for it: npm then fetches 70 MB once, into a folder that is kept.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.export.gguf import read
from core.models.tokenizer import load_tokenizer
from tests import factory
from tests.core.export import test_gguf as files

HERE = Path(__file__).parent
MOST = 12  # tokens of an answer
NEAR = 0.01  # of the span of the logits: llama.cpp keeps keys and values in half precision, which tips such a tie
LOUD = {"initializer_range": 0.3}  # weights that make up their mind

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("TUNESMITH_LLAMA_CPP") != "1", reason="TUNESMITH_LLAMA_CPP=1 asks for it"),
]


@pytest.fixture(scope="module")
def llama() -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    """A function that asks llama.cpp, see ask.mjs."""
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tunesmith-tests" / "llama-cpp-3.22.1"
    if not (kept / "node_modules").is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(dir=kept.parent))
        shutil.copyfile(HERE / "package.json", half / "package.json")
        line = ["npm", "install", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--no-package-lock"]
        subprocess.run(line, cwd=half, check=True, timeout=600)
        half.rename(kept)
    shutil.copyfile(HERE / "ask.mjs", kept / "ask.mjs")
    process = subprocess.Popen(
        ["node", str(kept / "ask.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )

    def ask(question: dict[str, Any]) -> dict[str, Any]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        found: dict[str, Any] = json.loads(process.stdout.readline())
        assert "error" not in found, found["error"]
        return found

    yield ask
    process.communicate(timeout=60)


def answers_alike(llama: Callable[[dict[str, Any]], dict[str, Any]], folder: Path, out: Path) -> dict[str, Any]:
    """Write a float32 file, and compare llama.cpp with PyTorch on it: tokens of texts, and greedy answers."""
    import torch

    file, tokenizer = files.written(folder, out), load_tokenizer(folder)
    prompts = [[(7 * i * k) % 140 + 6 for i in range(5 + 23 * k)] for k in (1, 2, 3)]
    found = llama({"file": str(file), "texts": files.TEXTS, "prompts": prompts, "most": MOST})
    assert found["texts"] == [tokenizer.encode(text, add_special_tokens=False) for text in files.TEXTS]
    assert found["eos"] == tokenizer.eos_token_id
    model, _ = read.open_gguf(file)
    for prompt, answer in zip(prompts, found["answers"], strict=True):
        assert answer, "it said nothing"
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
        said = logits.gather(1, torch.tensor(answer)[:, None])[:, 0]
        short = (logits.max(-1).values - said).max().item()
        assert short <= NEAR * (logits.max() - logits.min()).item(), f"llama.cpp says other tokens: off by {short:.3g}"
    return found


@pytest.mark.parametrize("family", factory.DECODERS)
def test_every_family(llama, tmp_path, family):
    answers_alike(llama, factory.tiny_model(family, tmp_path / "m", **LOUD), tmp_path / "out")


@pytest.mark.parametrize(
    ("family", "more"),
    [
        ("llama", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
                                       "high_freq_factor": 4.0, "original_max_position_embeddings": 64}}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}}),
        ("gemma2", {"attn_logit_softcapping": 5.0, "final_logit_softcapping": 2.0, "sliding_window": 12}),
        ("gemma3_text", {"num_hidden_layers": 7, "sliding_window": 12}),
        ("qwen3", {"head_dim": 32, "tie_word_embeddings": False}),
    ],
)  # fmt: skip
def test_settings_that_only_the_file_says(llama, tmp_path, family, more):
    answers_alike(llama, factory.tiny_model(family, tmp_path / "m", **LOUD, **more), tmp_path / "out")


@pytest.mark.parametrize("family", ["llama", "phi3", "gemma2"])
def test_sentencepiece(llama, tmp_path, family):
    folder = files.sentencepiece(factory.tiny_model(family, tmp_path / "m", vocab_size=640, **LOUD), family)
    assert answers_alike(llama, folder, tmp_path / "out")["begins"] is True


@pytest.mark.parametrize("name", ["qwen2", "llama-bpe", "tekken", "gpt-4o"])
def test_ways_to_split(llama, tmp_path, name):
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    folder = factory.tiny_model("qwen2", tmp_path / "m", **LOUD)
    files.retold(folder, pre_tokenizer=files.split_by(GGUF_PRE_TOKENIZER_SPLITS[name]))
    answers_alike(llama, folder, tmp_path / "out")


def test_the_context_ends_where_the_window_does(llama, tmp_path):
    folder = factory.tiny_model("mistral", tmp_path / "m", sliding_window=128, **LOUD)
    assert answers_alike(llama, folder, tmp_path / "out")["context"] == 128


def test_a_weight_in_the_wrong_place_is_heard(llama, tmp_path, monkeypatch):
    from core.export.gguf import tensors

    folder = factory.tiny_model("llama", tmp_path / "m", **LOUD)
    right, _ = read.open_gguf(files.written(folder, tmp_path / "right"))
    monkeypatch.setattr(read, "open_gguf", lambda file: (right, None))
    monkeypatch.setattr(tensors, "_permuted", lambda value, heads: value)
    with pytest.raises(AssertionError, match="llama.cpp says other tokens"):
        answers_alike(llama, folder, tmp_path / "wrong")
