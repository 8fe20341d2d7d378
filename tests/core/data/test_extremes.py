"""The longest row and the first that does not fit are those that reading every row would find."""

import json
import random

import pytest

from core.data.extremes import BATCH, CANDIDATES, byte_sizes, first_over, longest, tokens_of
from core.data.sources import open_data
from core.data.template import Wording
from core.models.tokenizer import load_tokenizer

WORDS = Wording("{q}\n{a}")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    draw = random.Random(7)
    rows = [{"q": "word " * draw.randint(1, 30), "a": str(i)} for i in range(CANDIDATES * 3)]
    rows[500] = {"q": "word " * 90, "a": "the longest"}
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return open_data(str(path))


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("assets/demo-model")


def test_the_longest_row_is_found(source, tokenizer, count):
    counts = tokens_of(source.rows, source.layout, WORDS, tokenizer)
    assert longest(source.rows, count) == 500 == counts.index(max(counts))
    some = source.rows.take([3, 500, 7])
    assert longest(some, count) == 1


@pytest.fixture(scope="module")
def count(source, tokenizer):
    return lambda rows: tokens_of(rows, source.layout, WORDS, tokenizer)


@pytest.mark.parametrize("limit", [20, 60, 89])
def test_the_first_row_over_a_limit_is_found(source, tokenizer, count, limit):
    counts = tokens_of(source.rows, source.layout, WORDS, tokenizer)
    wanted = next(i for i, n in enumerate(counts) if n > limit)
    known = max(i for i, n in enumerate(counts) if n > limit)
    assert first_over(source.rows, count, limit, known) == wanted


def test_a_row_that_is_known_is_found_behind_the_first_batch(source, count):
    assert first_over(source.rows, count, 10**6, BATCH + 3) == BATCH + 3


def test_bytes_are_those_of_the_text(source):
    row = source.rows[4]
    assert byte_sizes(source.rows)[4] == len(row["q"]) + len(row["a"])
