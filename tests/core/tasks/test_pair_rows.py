"""What labels of pairs say: scores, classes in numbers and words, which of them means alike; and rows without one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.data.formats import Layout
from core.data.mapping import overrule
from core.data.sources import Source, open_data
from core.errors import InputError
from core.tasks.pair_rows import Meaning, columns, meaning_of
from core.tasks.similarity import unfit
from tests import factory


@pytest.fixture
def source(tmp_path: Path) -> Any:
    def make(labels: list[Any], column: str = "label") -> Source:
        rows = [{"sentence1": f"a {i}", "sentence2": f"b {i}", column: label} for i, label in enumerate(labels)]
        layout = Layout("pair", {"first": "sentence1", "second": "sentence2", "label": column}, "as set")
        return replace(open_data(str(factory.write_jsonl(tmp_path / "pairs.jsonl", rows))), layout=layout)

    return make


def read(source: Source) -> Meaning:
    return meaning_of(source, range(len(source.rows)))


@pytest.mark.parametrize(
    ("labels", "wanted", "alike"),
    [
        ([0.2, 4.8, 3.0], ["score", "0", "5"], [0.04, 0.96, 0.6]),
        ([1, 5, 3], ["score", "1", "5"], [0, 1, 0.5]),
        ([0.25, 0.5, 0.75], ["score", "0", "1"], [0.25, 0.5, 0.75]),
        ([-0.5, 0.5, 0.1], ["score", "-1", "1"], [-0.5, 0.5, 0.1]),
        ([0, 1, 1], ["classes", "0", "1"], [0, 1, 1]),
        (["1", "1.0", "0"], ["classes", "0", "1"], [1, 1, 0]),
        ([True, False], ["classes", "false", "true"], [1, 0]),
        (["not_duplicate", "duplicate"], ["classes", "not_duplicate", "duplicate"], [0, 1]),
        (["Same", "Other"], ["classes", "Other", "Same"], [1, 0]),
        (["no", "maybe"], ["classes", "no", "maybe"], [0, 1]),
        ([1, 1, None, 0], ["classes", "0", "1"], [1, 1, None, 0]),
    ],
)
def test_labels(source: Any, labels: list[Any], wanted: list[str], alike: list[float | None]) -> None:
    meaning = read(source(labels))
    assert meaning.labels == wanted and Meaning.of(wanted) == meaning
    assert [meaning.alike(label) for label in labels] == pytest.approx(alike)
    assert meaning.same in meaning.sentence()


def test_a_distance_is_turned_round(source: Any) -> None:
    meaning = read(source([0, 1], "is_different"))
    assert (meaning.differ, meaning.same, meaning.alike(1), meaning.alike(0)) == ("1", "0", 0, 1)
    assert read(source([0.5, 3, 2], "distance")).alike(3) == 0


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["entailment", "neutral", "contradiction"], "3 different labels, such as 'contradiction'"),
        (["red", "blue"], "Write 1 for pairs that are alike"),
        (["same", "alike"], "cannot be told"),
        ([1, 1, 1], "All rows have the label '1'"),
        ([None, None], "All rows have no label"),
    ],
)
def test_labels_that_cannot_be_read_are_said_in_one_sentence(source: Any, labels: list[Any], words: str) -> None:
    given = source(labels)
    with pytest.raises(InputError) as caught:
        read(given)
    assert words in str(caught.value) and caught.value.field == "task"
    assert unfit(given, range(len(labels))) == [str(caught.value)]


def test_a_prompt_and_its_answer_belong_together_and_other_rows_are_refused() -> None:
    rows = [{"q": "one", "a": "two", "c": "x"}]
    asked = overrule(["q", "a"], rows, "prompt_completion", {"prompt": "q", "completion": "a"})
    assert columns(asked) == ("q", "a", "")
    with pytest.raises(InputError, match="layout text_label. Choose the layout pair"):
        columns(overrule(["q", "a"], rows, "text_label", {"text": "q", "label": "a"}))


def test_rows_without_texts_are_refused(tmp_path: Path) -> None:
    rows = [{"sentence1": "", "sentence2": "b", "label": i} for i in range(2)]
    source = open_data(str(factory.write_jsonl(tmp_path / "pairs.jsonl", rows)))
    assert "nothing to compare" in unfit(source, [0, 1])[0]
