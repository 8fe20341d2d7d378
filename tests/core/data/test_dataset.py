"""The examples of a config: which rows are kept back, by a slice, a split or a file of its own."""

import json

import numpy as np
import pytest

from core.config import build
from core.data.dataset import open_examples, open_heldout
from core.data.split import split_source
from core.errors import InputError


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"q": f"question {i}", "a": str(i)}) + "\n" for i in range(20)), "utf-8")
    return path


def opened(path, **data):
    config = build({"data": {"path": str(path), **data}})
    source = open_examples(config)
    return source, split_source(source, config)


def numbers(source, places):
    return [int(source.rows[i]["a"]) for i in places]


@pytest.mark.parametrize(
    ("validation", "kept"),
    [
        ("[90%:]", [18, 19]), ("[:3]", [0, 1, 2]), ("[-2:]", [18, 19]), ("train[5:7]", [5, 6]), (" [0:1] ", [0]),
    ],
)  # fmt: skip
def test_a_slice_is_kept_back(rows, validation, kept):
    source, parts = opened(rows, validation=validation)
    assert numbers(source, parts.validation) == kept
    assert numbers(source, parts.train) == [i for i in range(20) if i not in kept]
    assert source.held is not None and source.held.dtype == np.int64


def test_the_splits_of_the_source_document_are_taken_side_by_side(rows):
    source, parts = opened(rows, split="train[:8]", validation="train[8:10]")
    assert numbers(source, parts.train) == list(range(8))
    assert numbers(source, parts.validation) == [8, 9]


def test_a_slice_of_a_slice_is_of_its_rows(rows):
    source, parts = opened(f"{rows}[:10]", validation="[80%:]")
    assert numbers(source, parts.validation) == [8, 9]
    assert numbers(source, parts.train) == list(range(8))


def test_rows_in_both_parts_are_kept_back_only(rows):
    source, parts = opened(rows, split="train[:8]", validation="train[6:10]")
    assert numbers(source, parts.train) == list(range(6))
    assert numbers(source, parts.validation) == [6, 7, 8, 9]
    assert any("2 rows are in both parts" in note for note in source.notes)


def test_a_file_of_its_own_is_kept_back(rows, tmp_path):
    other = tmp_path / "check.csv"
    other.write_text("q,a,more\nhello,100,x\nthere,101,y\n", "utf-8")
    source, parts = opened(rows, validation=str(other))
    assert numbers(source, parts.train) == list(range(20))
    assert numbers(source, parts.validation) == [100, 101]
    assert source.columns == ["q", "a", "more"]
    assert source.rows[0]["more"] is None
    assert "The 2 rows of check are kept back to check with." in source.notes


def test_rows_of_other_types_keep_their_values(tmp_path):
    train, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    train.write_text('{"q": "one", "a": {"n": 1}}\n{"q": "two", "a": {"n": 2}}\n', "utf-8")
    other.write_text('{"q": "three", "a": "plain"}\n', "utf-8")
    source, parts = opened(train, validation=str(other), template="{q} {a}")
    assert [source.rows[i]["a"] for i in parts.train] == [{"n": 1}, {"n": 2}]
    assert [source.rows[i]["a"] for i in parts.validation] == ["plain"]


def test_the_fingerprint_tells_other_rows_kept_back_apart(rows, tmp_path):
    other = tmp_path / "check.jsonl"
    other.write_text('{"q": "hello", "a": "100"}\n', "utf-8")
    marks = [opened(rows, **data)[0].fingerprint for data in ({}, {"validation": str(other)}, {"split": "train[:8]"})]
    assert len(set(marks)) == 3


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ({"validation": "[20:]"}, "data.validation", "holds no rows"),
        ({"validation": "[:]"}, "data.validation", "none is left to train on"),
        ({"validation": "[a:b]"}, "data.validation", "is no slice of rows"),
        ({"validation": "nothing.jsonl"}, "data.validation", "There is no file"),
        ({"validation": "holdout"}, "data.validation", "no split 'holdout'"),
    ],
)
def test_what_cannot_be_kept_back_is_said_at_its_field(rows, data, field, words):
    with pytest.raises(InputError, match=words.replace("[", r"\[")) as caught:
        opened(rows, **data)
    assert caught.value.field == field


def test_a_file_without_the_columns_names_the_nearest(rows, tmp_path):
    other = tmp_path / "check.csv"
    other.write_text("q,aa\nhello,100\n", "utf-8")
    with pytest.raises(InputError, match="no column 'a'.*rename 'aa'") as caught:
        opened(rows, validation=str(other), layout="prompt_completion", roles={"prompt": "q", "completion": "a"})
    assert caught.value.field == "data.validation"


def test_held_out_rows_are_read_in_the_layout_of_the_config(rows):
    config = build({"data": {"path": str(rows), "layout": "text_label", "roles": {"text": "q", "label": "a"}}})
    assert open_heldout(config, str(rows)).layout.name == "text_label"
    assert open_examples(config).layout.roles == {"text": "q", "label": "a"}
