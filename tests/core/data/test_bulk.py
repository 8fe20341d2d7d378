"""Whole sets: the ids of `encode` row by row, what is left out is counted, and workers change nothing."""

import multiprocessing

import numpy as np
import pyarrow as pa
import pytest

from core.config import build
from core.data import bulk
from core.data.bulk import encode_rows
from core.data.encode import encode
from core.data.encoded import EncodedRows
from core.data.formats import Layout
from core.data.recognise import recognise
from core.data.rows import Rows
from core.data.template import Wording, render
from core.errors import InputError
from core.models.tokenizer import load_tokenizer
from tests import factory

KINDS = ["bpe", "unigram", "unigram_no_prefix", "wordpiece"]
LAYOUT = recognise(["phrase", "tone"], [{"phrase": "a", "tone": "b"}])
CHAT = Layout("messages", {"messages": "m", "role": "role", "content": "content"}, "")


@pytest.fixture(scope="module")
def toks(tmp_path_factory):
    return {k: load_tokenizer(factory.write_tokenizer(tmp_path_factory.mktemp(k), k, bos=True)) for k in KINDS}


def config(template=None, max_tokens=512, **data):
    return build({"data": {"template": template, "max_tokens": max_tokens, **data}})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("template", ["{phrase}\n{tone}", None])
@pytest.mark.parametrize("train_on", ["answers", "all"])
def test_encode_rows_equals_encode(toks, monkeypatch, kind, template, train_on):
    if kind == "wordpiece" and template is None:
        template = "[CLS] {phrase} [SEP] {tone}"
    monkeypatch.setattr(bulk, "BATCH", 5)
    tok, rows, seen = toks[kind], factory.tone_rows(24), []
    given = config(template, 24, train_on=train_on)
    examples, report = encode_rows(rows, LAYOUT, given, tok, seen.append)
    one_by_one = [encode(render(r, LAYOUT, Wording.of(given.data), tok), tok, 24) for r in rows]
    assert list(examples) == [{"input_ids": e.input_ids, "labels": e.labels} for e in one_by_one]
    assert report.kept == list(range(24)) and report.trained_tokens == sum(e.trained for e in one_by_one)
    assert report.tokens == len(examples.ids) and examples.lengths.tolist() == [len(e.input_ids) for e in one_by_one]
    assert seen == [5, 10, 15, 20, 24] and report.longest == max(examples.lengths)


def test_encoded_rows_are_a_sequence_that_takes_little_room():
    rows = EncodedRows(np.array([5, 6, 7, 8], np.int32), np.array([False, True, False, True]), np.array([0, 2, 2, 4]))
    assert len(rows) == 3 and rows.lengths.tolist() == [2, 0, 2]
    assert rows[-1] == {"input_ids": [7, 8], "labels": [-100, 8]} == rows[2] and rows[1:2] == [rows[1]]
    assert type(rows[0]["input_ids"][0]) is int
    with pytest.raises(IndexError):
        rows[3]
    assert len(EncodedRows.none()) == 0 and not EncodedRows.none()


MIXED = [{"phrase": "a", "tone": "x"}, {"phrase": "b", "tone": " "}, {"phrase": "c " * 99, "tone": "x"},
         {"phrase": "d", "tone": "long " * 99}]  # fmt: skip


def test_what_is_left_out_is_counted(toks, monkeypatch):
    monkeypatch.setattr(bulk, "BATCH", 2)  # positions are counted on from batch to batch
    examples, report = encode_rows(MIXED, LAYOUT, config("{phrase}\n{tone}", 32), toks["bpe"])
    assert report.kept == [0, 2, 3] and len(examples) == 3
    assert report.left_out == {"the answer is empty.": [1]}
    assert (report.truncated, report.answer_cut) == ([2], [3])
    assert report.sentences() == [
        "1 row is left out: the answer is empty.",
        "1 row is longer than the limit: the middle of the prompt was dropped.",
        "1 row is so long that the end of the answer was cut off.",
    ]


def test_long_rows_are_left_out_where_the_config_says_so(toks):
    given = config("{phrase}\n{tone}", 32, fixes=["drop_long"])
    examples, report = encode_rows(MIXED, LAYOUT, given, toks["bpe"])
    assert report.kept == [0] and len(examples) == 1 and not report.truncated and not report.answer_cut
    assert report.left_out == {"the answer is empty.": [1], "longer than 32 tokens.": [2, 3]}
    assert "2 rows are left out: longer than 32 tokens." in report.sentences()
    with pytest.raises(InputError, match="Every row is left out as longer than 32 tokens") as error:
        encode_rows(MIXED[2:], LAYOUT, given, toks["bpe"])
    assert error.value.field == "data.max_tokens"


NO_TURNS = ([{"m": []}], CHAT, "data.path", "The first of them: 'm' holds no list of turns")
TEACH_NOTHING = [
    ([], LAYOUT, "data.path", "There are no rows"),
    ([{"phrase": "a", "tone": ""}] * 3, LAYOUT, "data.template", "the answer is empty in all of them"),
    NO_TURNS,
]


@pytest.mark.parametrize(("rows", "layout", "field", "words"), TEACH_NOTHING)
def test_rows_that_teach_nothing_are_refused(toks, rows, layout, field, words):
    with pytest.raises(InputError, match=words) as error:
        encode_rows(rows, layout, config(None if layout is CHAT else "{phrase}\n{tone}"), toks["bpe"])
    assert error.value.field == field


# With workers


def table(rows):
    return Rows(pa.table({k: pa.array([r[k] for r in rows], pa.large_string()) for k in rows[0]}))


@pytest.fixture
def shared_out(monkeypatch):
    """Small sets go to two workers, whatever this machine has."""
    monkeypatch.setattr(bulk, "MANY", 10)
    monkeypatch.setattr(bulk, "BATCH", 3)
    monkeypatch.setattr(bulk, "cpus", lambda: 2)
    yield
    assert not multiprocessing.active_children()


def test_workers_make_the_same_in_the_same_order(toks, monkeypatch, shared_out):
    rows, given = MIXED * 5, config("{phrase}\n{tone}", 32)
    seen = []
    many, said = encode_rows(table(rows).take(range(19)), LAYOUT, given, toks["unigram"], seen.append)
    monkeypatch.setattr(bulk, "MANY", 99)
    one, want = encode_rows(rows[:19], LAYOUT, given, toks["unigram"])
    assert list(many) == list(one) and said == want
    assert seen == [3, 6, 9, 12, 15, 18, 19]


def test_what_progress_raises_ends_the_workers(toks, shared_out):
    def stop(done):
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_rows(MIXED * 5, LAYOUT, config("{phrase}\n{tone}", 32), toks["bpe"], stop)


def test_errors_of_workers_are_the_same_sentences(toks, shared_out):
    with pytest.raises(InputError, match="Did you mean {tone}") as error:
        encode_rows(MIXED * 5, LAYOUT, config("{phrase}\n{tome}"), toks["bpe"])
    assert error.value.field == "data.template"
    rows = [{"m": []}] * 12
    with pytest.raises(InputError, match="The first of them: 'm' holds no list of turns"):
        encode_rows(rows, CHAT, config(), toks["bpe"])
