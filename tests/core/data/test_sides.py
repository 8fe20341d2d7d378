"""What an encoder-decoder reads and what it answers: two texts with their ends, under one limit."""

import pytest
from transformers import PreTrainedTokenizerFast

from core.config import build
from core.data.bulk import encode_rows
from core.data.encoded import Sides, lengths_of
from core.data.recognise import recognise
from core.data.sides import encode_question, encode_sides, parted
from core.data.template import prompt_segments, render
from tests import factory

ROW = {"article": "The lake lies still tonight", "summary": "Tea first"}
LAYOUT = recognise(list(ROW), [ROW])
TEMPLATE = "summarize: {article} [[{summary}]]"


@pytest.fixture(params=["bpe", "unigram"])
def tokenizer(request, tmp_path):
    return PreTrainedTokenizerFast.from_pretrained(factory.write_tokenizer(tmp_path, request.param, None, eos="</s>"))


def plain(tokenizer, text):
    return tokenizer(text, add_special_tokens=False).input_ids


@pytest.mark.parametrize(
    "template", [TEMPLATE, "summarize: {article}[[{summary}]]", "summarize: {article}\n[[ {summary}]]"]
)
def test_both_are_texts_of_their_own_and_end(tokenizer, template):
    segments = render(ROW, LAYOUT, template, tokenizer)
    row = parted(encode_sides(segments, tokenizer, 64))
    end = tokenizer.eos_token_id
    assert row == {
        "input_ids": [*plain(tokenizer, "summarize: The lake lies still tonight"), end],
        "labels": [*plain(tokenizer, "Tea first"), end],
    }
    assert encode_question(prompt_segments(segments), tokenizer, 64) == row["input_ids"]


def test_the_limit_is_on_both_together_and_the_middle_of_what_is_read_goes(tokenizer):
    segments = render(ROW | {"article": ROW["article"] * 20}, LAYOUT, TEMPLATE, tokenizer)
    whole = parted(encode_sides(segments, tokenizer, 10_000))
    encoded = encode_sides(segments, tokenizer, 40)
    row = parted(encoded)
    assert len(row["input_ids"]) + len(row["labels"]) == 40 and row["labels"] == whole["labels"]
    assert row["input_ids"][-1] == tokenizer.eos_token_id and row["input_ids"][:5] == whole["input_ids"][:5]
    assert encoded.dropped == len(whole["input_ids"]) - len(row["input_ids"]) and not encoded.answer_dropped


def test_a_row_cannot_end_what_is_read_or_said(tokenizer):
    row = {"article": "one </s> two", "summary": " three </s> four"}
    made = parted(encode_sides(render(row, LAYOUT, TEMPLATE, tokenizer), tokenizer, 64))
    assert [ids.count(tokenizer.eos_token_id) for ids in made.values()] == [1, 1]


def test_what_stands_after_the_answer_is_not_used_and_what_stands_before_it_is_read(tokenizer):
    rows = [{"a": "one", "b": "two", "c": "three"}]
    made = parted(encode_sides(render(rows[0], LAYOUT, "{a}[[{b}]]{a}[[{c}]] end", tokenizer), tokenizer, 64))
    assert made["labels"] == [*plain(tokenizer, "three"), tokenizer.eos_token_id]
    read = tokenizer.decode(made["input_ids"])
    assert "two" in read and "end" not in read
    alone = parted(encode_sides(render(rows[0], LAYOUT, "[[{c}]]", tokenizer), tokenizer, 64))
    assert alone["input_ids"] == [tokenizer.eos_token_id]


def test_many_rows_are_those_of_one(tokenizer):
    rows = [{"article": f"{i} " * i, "summary": f"number {i}" if i != 3 else " "} for i in range(1, 9)]
    config = build({"data": {"path": "x", "template": TEMPLATE, "max_tokens": 24}})
    encoded, report = encode_rows(rows, LAYOUT, config, tokenizer, apart=True)
    made = Sides(encoded)
    kept = [rows[i] for i in report.kept]
    assert len(made) == 7 == len(kept) and "empty" in report.sentences()[0]
    want = [parted(encode_sides(render(r, LAYOUT, TEMPLATE, tokenizer), tokenizer, 24)) for r in kept]
    assert [made[i] for i in range(7)] == want == made[:7]
    assert made[-1] == want[-1]
    assert lengths_of(made) == [len(r["input_ids"]) + len(r["labels"]) for r in want] and max(lengths_of(made)) == 24
