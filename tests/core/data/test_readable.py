"""What is no text is refused with its remedy: token ids, Python's notation in cells, finished segments."""

import json

import numpy as np
import pandas as pd
import pytest

from core.config import build
from core.data.dataset import open_examples
from core.errors import InputError
from tests.factory import write_jsonl

TALK = [{"role": "user", "content": "it's"}, {"role": "assistant", "content": 'a "b"'}]


def opened(path, **data):
    return open_examples(build({"data": {"path": str(path), **data}}))


def from_csv(tmp_path, **columns):
    pd.DataFrame(columns).to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path / "rows.csv"


PYTHON = {
    "turns": {"messages": [TALK] * 8},
    "turns beside an id": {"id": range(8), "conversations": [TALK] * 8},
    "an array of turns": {"messages": [np.array(TALK, dtype=object)] * 8},
    "words and tags": {"tokens": [["Ada", "it's"]] * 8, "ner_tags": [["B-PER", "O"]] * 8},
    "arrays of words": {"tokens": [np.array(["Ada", "sings"])] * 8, "tags": [np.array([1, 0])] * 8},
    "objects": {"prompt": ["note"] * 8, "completion": [{"a": i} for i in range(8)]},
    "answers": {"question": ["q"] * 8, "answers": [{"text": ["x"], "answer_start": [1]}] * 8},
    "languages": {"translation": [{"en": "a", "fr": None}] * 8},
    "a preference": {"prompt": ["p"] * 8, "chosen": [TALK] * 8, "rejected": [TALK] * 8},
}


@pytest.mark.parametrize("name", PYTHON)
def test_pythons_notation_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="in Python's notation.*Save the rows as JSON Lines") as error:
        opened(from_csv(tmp_path, **PYTHON[name]))
    assert error.value.field == "data.path"


@pytest.mark.parametrize("columns", [
    {"text": ["good film", "bad film"] * 4, "label": ["pos", "neg"] * 4, "meta": [{"a": 1}] * 8},
    {"prompt": ["list them"] * 8, "completion": [["a", "b"]] * 8},
    {"prompt": ["code"] * 8, "completion": ["{'a': 1}"] * 3 + ["x = 1"] * 5},
    {"prompt": ["json"] * 8, "completion": ['{"a": "it\'s"}'] * 8},
])  # fmt: skip
def test_what_is_not_read_or_may_be_meant_is_not(tmp_path, columns):
    assert len(opened(from_csv(tmp_path, **columns)).rows) == 8


IDS = [
    {"input_ids": [1, 2, 3], "attention_mask": [1, 1, 1], "labels": [-100, 2, 3]}, {"input_ids": [1, 2, 3]},
    {"input_ids": "[1, 2, 3]", "labels": "[1, 2, 3]"}, {"input_ids": "1 2 3"}, {"tokens": [1, 2], "mask": [1, 1]},
    {"prompt_ids": [1, 2], "completion_ids": [3]},
]  # fmt: skip


@pytest.mark.parametrize("row", IDS)
def test_token_ids_are_refused(tmp_path, row):
    with pytest.raises(InputError, match="holds token ids, such as .*, and no text") as error:
        opened(write_jsonl(tmp_path / "rows.jsonl", [row] * 8))
    assert error.value.field == "data.path"


def test_ids_beside_a_text_are_passed_over(tmp_path):
    row = {"input_ids": [1, 2], "attention_mask": [1, 1], "labels": [1, 2], "text": "Once upon a time"}
    assert opened(write_jsonl(tmp_path / "a.jsonl", [row] * 3)).layout.roles == {"text": "text"}
    row = {"prompt": "count", "completion": [1, 2, 3]}
    assert opened(write_jsonl(tmp_path / "b.jsonl", [row] * 3)).layout.name == "prompt_completion"


def test_who_names_another_column_is_not_refused(tmp_path):
    path = write_jsonl(tmp_path / "rows.jsonl", [{"tokens": [1, 2], "mask": [1, 1], "raw": None}] * 3 + [{"raw": "x"}])
    assert opened(path, layout="text", roles={"text": "raw"}).layout.roles == {"text": "raw"}


@pytest.mark.parametrize("row", [
    {"input_ids": [1, 2], "loss_mask": [0, 1]}, {"input_ids": "[1, 2]", "attention_mask": "[1, 1]", "labels": "[0, 2]"},
])  # fmt: skip
def test_the_ids_are_named_and_no_mask(tmp_path, row):
    with pytest.raises(InputError, match="'input_ids' holds token ids.*as numbers: give the text, and"):
        opened(write_jsonl(tmp_path / "rows.jsonl", [row] * 8))


MIXED = {
    "half": ["[{'role': 'user', 'content': 'a'}]", '[{"role": "user", "content": "b"}]'] * 4,
    "tuples": ["[('hi', 'GREET')]"] * 4,
    "sets": ["{'a', 'b'}"] * 4,
    "ordered": ["OrderedDict([('a', 1)])"] * 4,
}


@pytest.mark.parametrize("name", MIXED)
def test_more_of_pythons_notation_is_refused(tmp_path, name):
    rows = [{"prompt": f"hi {i}", "completion": value} for i, value in enumerate(MIXED[name])]
    with pytest.raises(InputError, match="'completion' holds lists or objects in Python's notation"):
        opened(write_jsonl(tmp_path / "rows.jsonl", rows))


def test_json_within_json_is_refused(tmp_path):
    value = json.dumps(json.dumps([{"role": "user", "content": "hi"}]))
    with pytest.raises(InputError, match="'messages' holds JSON text within JSON text.*json.loads"):
        opened(write_jsonl(tmp_path / "rows.jsonl", [{"messages": value}] * 4))


MARKED = [(c, m) for c in ("segments", "input_output", "parts") for m in ((False, True), (0, 1), ("false", "true"))]


@pytest.mark.parametrize(("column", "mark"), MARKED[:-2] + MARKED[-1:])
def test_segments_are_refused(tmp_path, column, mark):
    row = {column: [{"label": mark[0], "text": "<s>q\n"}, {"label": mark[1], "text": "a</s>"}]}
    with pytest.raises(InputError, match="segments of finished text.*Give the rows as turns"):
        opened(write_jsonl(tmp_path / "rows.jsonl", [row] * 3))
