"""Ids, masks, the limit, the preview and whole sets: training sees what the preview shows and inference sends."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.encode import encode, encode_many, encode_prompt, preview
from core.data.recognise import recognise
from core.data.template import Segment, prompt_segments, render
from core.data.tokens import tokenise
from core.models.tokenizer import load_tokenizer, traits
from tests import factory

KINDS = ["bpe", "unigram", "unigram_no_prefix", "wordpiece"]
LAYOUT = recognise(["phrase", "tone"], [{"phrase": "a", "tone": "b"}])
TEMPLATES = ["### {phrase}\n{tone}", "Q: {phrase} A: {tone}", "{phrase} [[{tone}]] end", "{phrase}{tone}"]


@pytest.fixture(scope="module")
def toks(tmp_path_factory):
    made = {}
    for kind in KINDS:
        for bos in (False, True):
            made[kind, bos] = load_tokenizer(factory.write_tokenizer(tmp_path_factory.mktemp(kind), kind, bos=bos))
    return made


ALPHABET = st.characters(codec="utf-8", exclude_categories=("Cs", "Co"), exclude_characters="▁")
VALUE = st.text(st.sampled_from("aeimnorst ,.\n0189ßü😀東\t") | ALPHABET, min_size=1, max_size=30)


@settings(max_examples=80, deadline=None)
@given(phrase=VALUE, tone=VALUE, template=st.sampled_from(TEMPLATES), bos=st.booleans())
def test_byte_level_masks_are_exact(toks, phrase, tone, template, bos):
    tok, row = toks["bpe", bos], {"phrase": phrase, "tone": tone}
    segments = render(row, LAYOUT, template, tok)
    made = encode(segments, tok, 100_000)
    trained = [i for i, label in zip(made.input_ids, made.labels, strict=True) if label != -100]
    assert tok.decode(made.input_ids, skip_special_tokens=False) == "".join(s.text for s in segments)
    assert tok.decode(trained) == "".join(s.text for s in segments if s.trained)
    assert trained[-1] == tok.eos_token_id
    prompt = encode_prompt(prompt_segments(segments), tok, 100_000)
    if made.labels[0] == -100:
        assert made.input_ids[: len(prompt)] == prompt and made.labels[len(prompt)] != -100


@settings(max_examples=40, deadline=None)
@given(phrase=VALUE, tone=VALUE, template=st.sampled_from(TEMPLATES), kind=st.sampled_from(KINDS), bos=st.booleans())
def test_every_kind_preview_rows_and_inference_agree(toks, phrase, tone, template, kind, bos):
    tok, row = toks[kind, bos], {"phrase": phrase, "tone": tone}
    segments = render(row, LAYOUT, template, tok)
    made = encode(segments, tok, 100_000)
    seen = preview(row, LAYOUT, template, tok, 100_000)
    flat = [token for piece in seen.segments for token in piece["tokens"]]
    if flat:  # WordPiece makes nothing of white space alone
        assert "".join(token["text"] for token in flat) == "".join(s.text for s in segments) == seen.text
    assert [token["id"] for token in flat] == made.input_ids
    assert [p["trained"] for p in seen.segments for _ in p["tokens"]] == [label != -100 for label in made.labels]
    assert encode_many([segments, segments], tok, 100_000) == [made, made]
    prompt = prompt_segments(segments)
    ids = encode_prompt(prompt, tok, 100_000)
    if any(s.text for s in prompt):
        assert made.input_ids[: len(ids)] == ids
        text = "".join(s.text for s in prompt)
        if not any(s.cuts for s in prompt):  # the prompt is what the tokenizer itself makes of it
            text = text.removeprefix(traits(tok).bos)
            plain = tok(text, add_special_tokens=bool(traits(tok).bos))["input_ids"]
            assert ids == plain or template.endswith("end") and len(prompt) > 2


@pytest.mark.parametrize("kind", ["unigram", "unigram_no_prefix", "bpe"])
@pytest.mark.parametrize("tone", ["joyful", "sad and calm", " angry", "\nhappy", "a", "What a day"])
def test_an_answer_goes_on_without_a_new_space(toks, kind, tone):
    tok = toks[kind, False]
    made = encode(render({"phrase": "the dog", "tone": tone}, LAYOUT, "{phrase}:{tone}", tok), tok, 512)
    assert tok.decode(made.input_ids) == f"the dog:{tone}<|im_end|>"
    tokens = tok.convert_ids_to_tokens([i for i in made.labels if i != -100])
    assert tok.backend_tokenizer.decoder.decode(["x", *tokens]) == f"x{tone}<|im_end|>"


def test_normal_rows_are_tokenised_as_plain_text(toks):
    tok = toks["bpe", True]
    for row in factory.tone_rows(24):
        text = f"### {row['phrase']}\n### Tone:"
        segments = prompt_segments(render(row, LAYOUT, "### {phrase}\n### Tone: {tone}", tok))
        assert encode_prompt(segments, tok, 512) == tok(text)["input_ids"]


def test_cuts_keep_the_text_and_hide_the_token(toks):
    for kind in ("bpe", "unigram"):
        tok = toks[kind, False]
        row = {"phrase": "stop<|im_end|> now", "tone": "x</s>y"}
        segments = render(row, LAYOUT, "{phrase}\n{tone}", tok)
        ids = [i for tokens, _ in tokenise(segments, tok) for i in tokens]
        assert [i for i in ids if i in traits(tok).ids.values() and i != tok.unk_token_id] == [tok.eos_token_id]


# The limit


def row_of(n, answer=3):
    return [Segment("<s>", False), Segment("a b " * n, False), Segment("c " * answer + "<|im_end|>", True, (), 10)]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 60), st.integers(1, 40), st.integers(8, 64))
def test_over_the_limit(toks, n, answer, limit):
    tok = toks["bpe", True]
    whole, made = encode(row_of(n, answer), tok, 10**6), encode(row_of(n, answer), tok, limit)
    assert len(made.input_ids) == min(limit, len(whole.input_ids)) == len(made.labels)
    assert made.dropped == len(whole.input_ids) - len(made.input_ids)
    assert made.input_ids[0] == tok.bos_token_id
    assert made.trained == whole.trained - made.answer_dropped > 0
    if not made.answer_dropped:
        assert made.labels[-made.trained :] == whole.labels[-whole.trained :]
        head = next((i for i, (a, b) in enumerate(zip(made.input_ids, whole.input_ids, strict=False)) if a != b), None)
        assert head is None or made.input_ids[head:] == whole.input_ids[head + made.dropped :]


def test_the_preview_marks_what_is_dropped(toks):
    tok = toks["bpe", False]
    row = {"phrase": "the lake lies still tonight " * 8, "tone": "calm"}
    seen = preview(row, LAYOUT, "{phrase}\n{tone}", tok, 40)
    flat = [t for p in seen.segments for t in p["tokens"]]
    gone = [i for i, t in enumerate(flat) if t["dropped"]]
    assert seen.cut == gone[0] and gone == list(range(gone[0], gone[0] + seen.n_dropped)) and seen.n_tokens == 40
    kept = [t["id"] for t in flat if not t["dropped"]]
    assert kept == encode(render(row, LAYOUT, "{phrase}\n{tone}", tok), tok, 40).input_ids
    assert seen.warnings == [f"{seen.n_dropped} tokens in the middle of the prompt do not fit into 40 and are dropped."]


def test_a_long_answer_loses_its_end_and_says_so(toks):
    seen = preview({"phrase": "x", "tone": "calm " * 50}, LAYOUT, "{phrase}\n{tone}", toks["bpe", False], 20)
    assert seen.n_dropped and "cut off" in seen.warnings[0]


def test_characters_of_several_tokens_are_shown_once(toks):
    seen = preview({"phrase": "😀東", "tone": "x"}, LAYOUT, "{phrase}\n{tone}", toks["bpe", False], 99)
    texts = [t["text"] for t in seen.segments[0]["tokens"]]
    assert "".join(texts) == "😀東" and len(texts) > 2
    assert [t["special"] for t in seen.segments[1]["tokens"]][-1] and seen.segments[1]["tokens"][0]["newline"]


def test_a_prompt_of_nothing_begins_somewhere(toks):
    assert encode_prompt([], toks["bpe", False], 8) == [toks["bpe", False].bos_token_id]


def test_the_data_rooms_are_light():
    code = (
        "import sys, core.data.encode, core.data.report, core.data.sources, core.models.catalog\n"
        "from transformers import PreTrainedTokenizerFast\n"
        "heavy = {'torch', 'datasets', 'gradio', 'transformers.modeling_utils', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
