"""GGUF files: every family and every kind of tokenizer comes back as it was, and what a file cannot say is refused."""

import json
from pathlib import Path

import pytest

from core.errors import InputError
from core.export.gguf import around, families, read, tensors, vocab, write
from core.models.tokenizer import end_ids, load_tokenizer, pad_id
from tests import factory

# How far logits may be off, as a share of their span, on the random models of the factory.
LOSS = {"f32": 1e-6, "f16": 2e-3, "q8_0": 0.03, "q4_0": 0.4}
TEXTS = (
    "Hello world", "  two  spaces\n\nnew\tline 12345 3.14", "Zoë naïve café 東京 Привет 😀", " lead",
    "don't I'LL we've", "<|im_start|>user\nhi<|im_end|>\n  x", "a▁b Ġc <0x41>", "e\u0301", "", " ", "y" * 40,
)  # fmt: skip


def written(folder: Path, out: Path, precision: str = "f32", **more: str) -> Path:
    tokenizer = load_tokenizer(folder)
    out.mkdir(parents=True, exist_ok=True)
    write.write(
        folder,
        out / "model.gguf",
        precision,
        tokenizer,
        ends=sorted(end_ids(tokenizer, folder)),
        pad=pad_id(tokenizer),
        chat=tokenizer.chat_template,
        title="a title",
        **more,
    )
    return out / "model.gguf"


def logits(model, ids):
    import torch

    with torch.inference_mode():
        return model(torch.tensor([ids])).logits


def off(folder: Path, file: Path) -> tuple[float, float]:
    """(largest difference of a logit, what they span), over more tokens than a sliding window of the factory has."""
    from core.models.load import load_base

    ids = [(7 * i) % 290 + 5 for i in range(150)]
    model, _ = read.open_gguf(file)
    want, got = logits(load_base(str(folder)), ids), logits(model, ids)
    return (want - got).abs().max().item(), (want.max() - want.min()).item()


def cuts_alike(folder: Path, file: Path) -> None:
    ours, (_, theirs) = load_tokenizer(folder), read.open_gguf(file)
    for text in TEXTS:
        for begins in (True, False):
            want = ours.encode(text, add_special_tokens=begins)
            assert theirs.encode(text, add_special_tokens=begins) == want, repr(text)
    assert theirs.chat_template == ours.chat_template
    assert (theirs.eos_token, theirs.bos_token, theirs.pad_token) == (ours.eos_token, ours.bos_token, ours.pad_token)


@pytest.mark.parametrize("family", factory.DECODERS)
def test_every_family_comes_back_as_it_was(tiny_models, tmp_path, family):
    precisions = LOSS if family == "llama" else ("f32", "q8_0")
    for precision in precisions:
        file = written(tiny_models(family), tmp_path / precision, precision)
        gap, span = off(tiny_models(family), file)
        assert gap <= LOSS[precision] * span, f"{family} {precision}: {gap} of {span}"
        assert precision == "f32" or gap > 0, "it was rounded"
    cuts_alike(tiny_models(family), tmp_path / "f32" / "model.gguf")
    sizes = [(tmp_path / p / "model.gguf").stat().st_size for p in precisions]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == len(sizes)


def test_a_weight_in_the_wrong_place_is_seen(tiny_models, tmp_path, monkeypatch):
    monkeypatch.setattr(tensors, "_permuted", lambda value, heads: value)
    gap, span = off(tiny_models("llama"), written(tiny_models("llama"), tmp_path))
    assert gap > 1e-3 * span


@pytest.mark.parametrize(
    ("family", "more"),
    [
        ("llama", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
                                       "high_freq_factor": 4.0, "original_max_position_embeddings": 64}}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}}),
        ("llama", {"num_key_value_heads": 4, "rms_norm_eps": 1e-3, "head_dim": 32}),
        ("gemma2", {"attn_logit_softcapping": 5.0, "final_logit_softcapping": 0.5, "sliding_window": 12}),
        ("gemma3_text", {"num_hidden_layers": 7, "sliding_window": 12}),
        ("qwen3", {"head_dim": 32, "tie_word_embeddings": False}),
        ("gpt2", {"n_inner": 96, "layer_norm_epsilon": 1e-3}),
        ("phi3", {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}),
    ],
)  # fmt: skip
def test_settings_that_a_file_says(tmp_path, family, more):
    folder = factory.tiny_model(family, tmp_path / "m", **more)
    gap, span = off(folder, written(folder, tmp_path / "out"))
    assert gap <= 1e-5 * span


@pytest.mark.parametrize(
    ("family", "more", "said"),
    [
        ("llama", {"attention_bias": True}, "attention_bias: True"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act: 'gelu'"),
        ("llama", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0,
                                       "original_max_position_embeddings": 64}}, "rope_parameters: .*yarn"),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 16}, "use_sliding_window: True"),
        ("gemma2", {"query_pre_attn_scalar": 64}, "query_pre_attn_scalar: 64"),
        ("gemma3_text", {"layer_types": ["full_attention", "full_attention"]}, "layer_types: "),
        ("gpt2", {"activation_function": "relu"}, "activation_function: 'relu'"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx: True"),
    ],
)  # fmt: skip
def test_settings_that_no_file_can_say_are_refused(tmp_path, family, more, said):
    folder = factory.tiny_model(family, tmp_path / "m", **more)
    with pytest.raises(InputError, match=f"cannot say {said}.*merged safetensors") as caught:
        families.metadata(folder)
    assert caught.value.field == "export.format"


@pytest.mark.parametrize("family", ["bert", "t5"])
def test_other_families_are_refused(tiny_models, family):
    with pytest.raises(InputError, match="is not written as GGUF here; Llama, Mistral"):
        families.metadata(tiny_models(family))


@pytest.mark.parametrize("family", ["mistral", "phi3"])
def test_without_a_sliding_window_the_context_ends_where_it_does(tmp_path, family):
    folder = factory.tiny_model(family, tmp_path / "m", sliding_window=64)
    _, said = families.metadata(folder)
    assert said["context_length"] == 64
    model, _ = read.open_gguf(written(folder, tmp_path / "out"))
    assert model.config.max_position_embeddings == 64 and model.config.to_dict().get("sliding_window") is None


# Tokenizers


def retold(folder: Path, **parts: object) -> Path:
    """Change parts of a folder's tokenizer.json."""
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | parts), encoding="utf-8")
    return folder


def split_by(pattern: str, **more: object) -> dict[str, object]:
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False} | more
    return {"type": "Sequence", "pretokenizers": [split, level]}


@pytest.mark.parametrize("name", ["qwen2", "llama-bpe", "tekken", "gpt-4o"])
def test_ways_to_split_a_text_that_llama_cpp_knows(tmp_path, name):
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    folder = factory.tiny_model("qwen2", tmp_path / "m")
    retold(folder, pre_tokenizer=split_by(GGUF_PRE_TOKENIZER_SPLITS[name]))
    file = written(folder, tmp_path / "out")
    cuts_alike(folder, file)
    assert said_by(file, "tokenizer.ggml.pre") in {n for n, s in GGUF_PRE_TOKENIZER_SPLITS.items()
                                                   if s == GGUF_PRE_TOKENIZER_SPLITS[name]}  # fmt: skip


def said_by(file: Path, key: str):
    import gguf

    return gguf.GGUFReader(file).fields[key].contents()


def test_digits_one_by_one(tmp_path):
    folder = factory.tiny_model("smollm", tmp_path / "m")
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    retold(folder, pre_tokenizer={"type": "Sequence", "pretokenizers": [digits, level]})
    assert said_by(written(folder, tmp_path / "out"), "tokenizer.ggml.pre") == "smollm"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"pre_tokenizer": split_by("a|b")}, "cuts texts in a way that llama.cpp has no name for"),
        ({"pre_tokenizer": split_by("a|b", invert=True)}, "no name for"),
        ({"normalizer": {"type": "Lowercase"}}, "changes texts first \\(Lowercase\\)"),
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}},
         "puts a space in front"),
    ],
)  # fmt: skip
def test_tokenizers_that_llama_cpp_has_no_kind_for(tmp_path, parts, said):
    folder = retold(factory.write_tokenizer(tmp_path), **parts)
    with pytest.raises(InputError, match=said):
        vocab.fields(folder, load_tokenizer(folder), 500, [4], 0, None)


@pytest.mark.parametrize("kind", ["unigram", "wordpiece"])
def test_tokenizers_of_other_kinds(tmp_path, kind):
    folder = factory.write_tokenizer(tmp_path, kind)
    with pytest.raises(InputError, match="not BPE"):
        vocab.fields(folder, load_tokenizer(folder), 500, [4], 0, None)


def test_a_tokenizer_larger_than_the_embedding(tmp_path):
    folder = factory.write_tokenizer(tmp_path)
    with pytest.raises(InputError, match="more than the 10 rows"):
        vocab.fields(folder, load_tokenizer(folder), 10, [4], 0, None)


def test_a_special_token_beyond_the_embedding_is_left_out(tmp_path):
    """As Gemma 3's for images, in its models that read text alone."""
    folder = factory.tiny_model("gemma3_text", tmp_path / "m")
    whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    rows = len(whole["model"]["vocab"])
    image = {"id": rows, "content": "<image_soft_token>", "special": True, "normalized": False}
    image |= dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
    retold(folder, added_tokens=[*whole["added_tokens"], image])
    file = written(folder, tmp_path / "out")
    assert len(said_by(file, "tokenizer.ggml.tokens")) == rows and len(load_tokenizer(folder)) == rows + 1
    cuts_alike(folder, file)


def test_keys_of_a_config_that_no_code_reads_are_no_hindrance(tmp_path):
    """As the ones that are found in models on the Hub."""
    folder = factory.tiny_model("smollm", tmp_path / "m", sliding_window=None)
    file = folder / "config.json"
    more = {"is_llama_config": True, "rope_interleaved": False, "transformers.js_config": {"dtype": "q4"},
            "cache_implementation": "hybrid", "auto_map": {"AutoConfig": "x.Y"}}  # fmt: skip
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | more), encoding="utf-8")
    assert families.metadata(folder)[1]["block_count"] == 2


def sentencepiece(folder: Path, family: str) -> Path:
    """Give a model's folder a BPE as SentencePiece's is converted: of characters, with bytes, spaces as ▁."""
    from tokenizers import Tokenizer, models, normalizers, processors, trainers

    tok = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    mark = normalizers.Replace(" ", "▁")
    tok.normalizer = mark if family == "gemma2" else normalizers.Sequence([normalizers.Prepend("▁"), mark])
    names = [*factory.SPECIALS, "<unk>", *(f"<0x{i:02X}>" for i in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=620, special_tokens=names, show_progress=False)
    tok.train_from_iterator(factory.CORPUS * 2, trainer)
    tok.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    whole = json.loads(tok.to_str())
    whole["added_tokens"] = [added for added in whole["added_tokens"] if not added["content"].startswith("<0x")]
    (folder / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"unk_token": "<unk>"}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("family", ["llama", "phi3", "gemma2"])
def test_sentencepiece_comes_back_as_llama_cpp_reads_it(tmp_path, family):
    folder = sentencepiece(factory.tiny_model(family, tmp_path / "m", vocab_size=640), family)
    file = written(folder, tmp_path / "out")
    cuts_alike(folder, file)
    assert said_by(file, "tokenizer.ggml.model") == "llama"
    assert said_by(file, "tokenizer.ggml.add_space_prefix") is (family != "gemma2")
    assert said_by(file, "tokenizer.ggml.add_bos_token") is True
    types = said_by(file, "tokenizer.ggml.token_type")
    assert types[:6] == [3, 3, 3, 3, 3, 2] and types[6] == 6 and types[-1] == 5, "rows that no token has are unused"


# What lies around


def test_the_file_says_what_it_is_and_nothing_of_this_machine(tiny_models, tmp_path):
    file = written(tiny_models("llama"), tmp_path, "q8_0", base="owner/base", licence="apache-2.0")
    assert said_by(file, "general.name") == "a title" and said_by(file, "general.license") == "apache-2.0"
    assert said_by(file, "general.file_type") == 7 and said_by(file, "general.basename") == "owner/base"
    assert said_by(file, "tokenizer.ggml.eos_token_id") == 4 and said_by(file, "tokenizer.ggml.eot_token_id") == 2
    content = file.read_bytes()
    assert str(tmp_path).encode() not in content and str(Path.home()).encode() not in content


def test_names_of_files():
    assert around.file_name("tone · LoRA r 16", "q8_0") == "tone-LoRA-r-16-Q8_0.gguf"
    assert around.file_name("東京", "f16") == "model-F16.gguf"


FORM = {"template": "### {phrase}\n{tone}", "fields": ["phrase"], "columns": ["phrase", "tone"], "system": None,
        "layout": {"name": "columns", "roles": {}}}  # fmt: skip


def test_a_modelfile_writes_the_prompt_of_training(tokenizer):
    text = around.modelfile("m.gguf", tokenizer, FORM, [2, 4], 8, None)
    assert text.startswith('FROM ./m.gguf\nTEMPLATE """### {{ .Prompt }}{{ .Response }}"""\n')
    assert 'PARAMETER stop "</s>"\nPARAMETER stop "<|im_end|>"\n' in text and "PARAMETER num_predict 8" in text
    assert around.asked(tokenizer, FORM, None) == f"### {around.PROMPT}"
    several = FORM | {"fields": ["phrase", "tone"]}
    assert 'TEMPLATE """{{ .Prompt }}"""' in around.modelfile("m.gguf", tokenizer, several, [2], 8, None)


def test_a_modelfile_of_a_chat(tokenizer):
    form = FORM | {"template": None}
    said = around.template(tokenizer, form, tokenizer.chat_template)
    turn = "<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n{{ .Response }}"
    assert said == "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}" + turn
    own = around.template(tokenizer, form | {"system": "Be kind."}, tokenizer.chat_template)
    assert own == "<|im_start|>system\nBe kind.<|im_end|>\n" + turn


def test_commands(tokenizer, tmp_path):
    (tmp_path / "m-Q8_0.gguf").write_bytes(b"")
    chat = around.commands(tmp_path, tokenizer, FORM | {"template": None}, 8, tokenizer.chat_template)
    assert chat[0] == "llama-cli -m m-Q8_0.gguf --temp 0 -n 8"
    form = FORM | {"template": "It's {phrase}\n{tone}"}
    line = around.commands(tmp_path, tokenizer, form, 8, None)[0]
    assert line == "llama-completion -m m-Q8_0.gguf -no-cnv --temp 0 -n 8 -p 'It'\\''s your text'"
