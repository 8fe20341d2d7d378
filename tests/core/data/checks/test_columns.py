"""A header that looks like a row, lists in Python's notation, and lists or objects where a text is read."""

import csv

import pytest

from core.config import build
from core.data.checks.columns import like_a_row
from core.data.dataset import open_examples
from core.data.report import findings
from core.data.sources import open_data
from tests.factory import write_jsonl


def kinds(path, **more):
    config = build({"data": {"path": str(path), "validation": 0}, **more})
    return {f.kind: f for f in findings(open_examples(config), config, None)}


def table(tmp_path, *rows):
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


WITHOUT = {
    "a label": [["the film was bad", "neg"], *[[f"a film {i}", ("pos", "neg")[i % 2]] for i in range(9)]],
    "a sentence": [["the film was very bad today", "x"], *[[f"a film that was good {i}", f"{i}"] for i in range(9)]],
    "iris": [["150", "4", "setosa", "versicolor"], *[[f"5.{i}", f"3.{i}", f"1.{i}", "0"] for i in range(9)]],
    "numbers": [["5.1", "3.5", "Iris-a"], *[[f"5.{i}", f"3.{i}", f"Iris-{'ab'[i % 2]}"] for i in range(9)]],
    "dates": [["2024-01-02", "rain"], *[[f"2024-02-0{i}", f"weather {i}"] for i in range(1, 9)]],
}  # fmt: skip
WITH = {
    "names": [["text", "label"], *[[f"a film {i}", ("pos", "neg")[i % 2]] for i in range(9)]],
    "years": [["country", "1990", "1995", "2001"], *[[f"land {i}", f"{i}", "2", "3"] for i in range(9)]],
    "counted": [["0", "1", "2"], *[[f"{i}", "2", "3"] for i in range(9)]],
    "a long name": [["What do you think of the film?", "n"], *[["good", f"{i}"] for i in range(9)]],
    "few rows": [["a", "b"], ["a", "c"]],
}  # fmt: skip


@pytest.mark.parametrize("name", WITHOUT)
def test_a_first_line_that_is_a_row_is_asked_about(tmp_path, name):
    finding = kinds(table(tmp_path, *WITHOUT[name]))["header"]
    assert finding.severity == "warning" and "Write a line of names" in finding.message.replace("write a", "Write a")
    assert repr(WITHOUT[name][0][0]) in finding.message


@pytest.mark.parametrize("name", WITH)
def test_other_names_are_not(tmp_path, name):
    assert "header" not in kinds(table(tmp_path, *WITH[name]))
    assert like_a_row([], []) == ""


def test_lists_as_text_and_nested_values_are_said(tmp_path):
    rows = [{"prompt": f"list {i}", "completion": "['a', 'b']"} for i in range(4)]
    assert (
        "'completion' holds lists in Python's notation"
        in kinds(write_jsonl(tmp_path / "a.jsonl", rows))["notation"].message
    )
    rows = [{"question": f"q {i}", "target": {"choices": ["a"], "labels": [1]}} for i in range(4)]
    path = write_jsonl(tmp_path / "b.jsonl", rows)
    assert kinds(path)["notation"].message == "'target' holds objects, which are learned as JSON."
    assert "notation" not in kinds(path, task="extraction")


ONE = [
    ([1, 2, 3], "'completion' holds lists or objects among the texts"), ({"a": 1}, "'completion' holds lists or"),
    ("{'a': 1}", "'completion' holds lists or objects in Python's notation among its values"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "words"), ONE)
def test_one_row_that_is_no_text_is_listed(tmp_path, value, words):
    rows = [{"prompt": f"say {i}", "completion": value if i == 250 else f"word {i}"} for i in range(300)]
    finding = kinds(write_jsonl(tmp_path / "a.jsonl", rows))["notation"]
    assert finding.message.startswith(words) and (finding.severity, finding.rows) == ("warning", [250])


def test_ids_in_a_turn_are_listed(tmp_path):
    rows = [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [3, i]}]} for i in (4, 5)]
    finding = kinds(write_jsonl(tmp_path / "a.jsonl", rows))["notation"]
    assert "'messages' holds lists of numbers in their turns" in finding.message and finding.rows == [0, 1]


@pytest.mark.parametrize(
    ("answers", "right", "asked"),
    [([1] * 60 + [2] * 60 + [4] * 60, "A", False), ([1, 2, 3] * 4, "B", True), ([0, 1, 3] * 4, "A", False)],
)
def test_choices_of_which_the_right_one_is_a_guess_are_asked_about(tmp_path, answers, right, asked):
    rows = [{"question": f"q {i}", "choices": ["w", "x", "y", "z"], "answer": a} for i, a in enumerate(answers)]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    assert open_data(str(path)).rows[0]["right_choice"] == right
    assert ("choices" in kinds(path)) == asked
    if asked:
        assert "That is a guess" in kinds(path)["choices"].message and kinds(path)["choices"].severity == "warning"
