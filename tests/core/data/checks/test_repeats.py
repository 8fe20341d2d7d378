"""Exact repeats and contradictions, compared with what pandas groups."""

import random

import numpy as np
import pandas as pd
import pytest

from core.config import build
from core.data.checks.repeats import contradictions, in_order, keys, repeated, row_value
from core.data.dataset import open_examples
from core.data.report import findings
from tests.core.data.test_report import plain_rows
from tests.factory import write_jsonl


def crowded_rows(count=400, seed=0):
    rng = random.Random(seed)
    return [{"question": f"q{rng.randrange(150)}", "answer": rng.choice(["a", "b", "c", ""])} for _ in range(count)]


def found(path, task="generation", **data):
    config = build({"data": {"path": str(path), **data}, "task": task})
    return {f.kind: f for f in findings(open_examples(config), config, None)}


def test_duplicates_and_contradictions_are_those_of_pandas(tmp_path):
    rows = crowded_rows()
    frame = pd.DataFrame(rows)
    got = found(write_jsonl(tmp_path / "a.jsonl", rows), "classification", validation=0)
    twice = np.flatnonzero(frame.duplicated())
    assert (got["duplicate"].count, got["duplicate"].rows) == (len(twice), twice[:20].tolist())
    answered = frame[frame.answer != ""]
    mixed = answered[answered.groupby("question").answer.transform("nunique") > 1]
    assert (got["conflict"].count, got["conflict"].rows) == (len(mixed), sorted(mixed.index)[:20])
    assert got["conflict"].severity == "warning" and " → " in got["conflict"].examples[0]


def test_repeats_stand_for_the_first_of_them_in_order():
    hashes = np.array([5, 7, 5, 5, 7, 9], np.uint64)
    assert repeated(hashes, np.arange(6), None).tolist() == [-1, -1, 0, 0, 1, -1]
    held = np.array([3, 4])
    order = in_order(6, held)
    assert order.tolist() == [3, 4, 0, 1, 2, 5]
    assert repeated(hashes, order, held).tolist() == [3, 4, 3, -1, -1, -1]
    assert repeated(np.array([5, 5], np.uint64), in_order(2, np.array([0, 1])), np.array([0, 1])).tolist() == [-1, -1]
    assert len(repeated(np.zeros(0, np.uint64), np.arange(0), None)) == 0


def test_contradictions_need_a_question_and_two_answers():
    questions = np.array([0, 0, 1, 1, 2, 2, 3, 3, 3], np.uint64)
    answers = np.array([1, 2, 1, 1, 1, 0, 1, 1, 2], np.uint64)
    assert contradictions(questions, answers).tolist() == [6, 7, 8]
    assert len(contradictions(np.zeros(0, np.uint64), np.zeros(0, np.uint64))) == 0


def test_rows_with_other_values_are_told_apart():
    rows = [
        {"a": "x", "b": "y"}, {"a": "xy", "b": ""}, {"a": "x', 'y", "b": ""}, {"a": "x", "b": None}, {"a": "x", "b": 1},
        {"a": "x", "b": "1"}, {"a": "x", "b": [1]}, {"a": "x", "b": {"c": 1}}, {"a": "x", "b": 1.5},
        {"a": "x", "b": True},
    ]  # fmt: skip
    assert len({row_value(row) for row in rows}) == len(rows)
    assert row_value({"a": {"c": 1, "d": 2}}) == row_value({"a": {"d": 2, "c": 1}})
    hashes = keys(["", "a", "a", "half \ud800", ("a",)], 5).tolist()
    assert hashes[0] == 0 and hashes[1] == hashes[2] and len(set(hashes)) == 4


def test_leakage_counts_rows_kept_back_whose_question_is_trained_on(tmp_path):
    rows = [*plain_rows(100), {"phrase": plain_rows(1)[0]["phrase"].upper(), "tone": "sad"}]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    got = found(path, validation="[100:]")
    assert (got["leakage"].count, got["leakage"].rows) == (1, [100])
    assert got["leakage"].remedy.value == ["drop_leaked"]


def test_a_row_kept_back_that_nearly_repeats_a_training_row(tmp_path):
    near = {"phrase": plain_rows(1)[0]["phrase"] + "s", "tone": "glad"}
    path = write_jsonl(tmp_path / "a.jsonl", [*plain_rows(100), near, *plain_rows(1, seed=9)])
    got = found(path, validation="[100:]")
    assert (got["near_leakage"].count, got["near_leakage"].rows) == (1, [100])
    assert (got["near_duplicate"].count, got["near_duplicate"].rows) == (1, [0]), "the training row goes"
    assert "near_leakage" not in found(path, validation="[100:]", fixes=["drop_near_duplicates"])


@pytest.mark.parametrize("nested", [{"a": 1}, [1, 2], 3.5])
def test_values_of_any_kind_are_compared(tmp_path, nested):
    rows = [{"q": f"question {i}", "a": nested if i % 2 else str(i)} for i in range(60)]
    got = found(write_jsonl(tmp_path / "a.jsonl", [*rows, rows[1]]), validation=0)
    assert (got["duplicate"].count, got["duplicate"].rows) == (1, [60])
