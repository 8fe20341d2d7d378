"""ui.predictions: filters, search, pages, marked differences, files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from core.runs.store import Run
from ui import predictions


def row(number: int, base_ok: bool | None, tuned_ok: bool, **more: Any) -> dict[str, Any]:
    said = {True: "glad", False: "angry", None: None}
    found = {
        "row": number,
        "prompt": f"Phrase {number}",
        "want": "glad",
        "base": said[base_ok],
        "tuned": said[tuned_ok],
    }
    return found | {"base_ok": base_ok, "tuned_ok": tuned_ok} | more


ROWS = [row(0, False, True), row(1, True, False), row(2, True, True), row(3, False, False, group="Øre")]


def test_filters_count_what_they_let_through() -> None:
    assert predictions.counts(ROWS) == {"All": 4, "Wrong": 2, "Changed": 2, "Better": 1, "Worse": 1}
    assert predictions.counts([row(0, None, True)])["Changed"] == 0


@pytest.mark.parametrize(
    ("filtered", "words", "numbers"),
    [("All", "", [0, 1, 2, 3]), ("Wrong", None, [1, 3]), ("Better", "", [0]), ("All", "PHRASE 2", [2]),
     ("All", "øRE", [3]), ("nonsense", " ", [0, 1, 2, 3]), ("Worse", "nowhere", [])],
)  # fmt: skip
def test_rows_are_filtered_and_searched(filtered: str, words: str | None, numbers: list[int]) -> None:
    assert [r["row"] for r in predictions.chosen(ROWS, filtered, words)] == numbers


def test_a_page_holds_six_and_escapes_all() -> None:
    many = [row(n, True, False, prompt="<script>") for n in range(20)]
    html = predictions.page(many, 3, "classification")
    assert html.count("<tr>") == 1 + 2 and "row 19" in html and "row 20" in html
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert predictions.page([], 0, "classification") == '<p class="quiet none">No row is like that.</p>'


@pytest.mark.parametrize(
    ("want", "said", "right", "html"),
    [
        ("glad", "glad", True, "glad"),
        ("glad", "angry", False, "<del>angry</del>"),
        ("12 cups", "12 <b>", False, "12 <del>&lt;b&gt;</del>"),
        ("two red cups", "two red", False, 'two red<span class="quiet"> (incomplete)</span>'),
        ("glad", " ", False, '<span class="quiet">(nothing)</span>'),
        ("glad", None, None, '<span class="quiet">not asked</span>'),
        ('{"a": 1}', '{"a":1}', True, "{&quot;a&quot;:1}"),
    ],
)
def test_words_that_were_not_wanted_are_struck(want: str, said: str | None, right: bool | None, html: str) -> None:
    assert predictions.marked(want, said, right) == html


def test_a_very_long_answer_is_cut() -> None:
    assert len(predictions.marked("x", "wrong " * 5000, False)) < 1000


def test_how_an_answer_changed_is_said_in_words() -> None:
    words = [predictions.change(r) for r in [*ROWS, row(4, None, True), row(5, None, False)]]
    for html, word in zip(words, ["better", "worse", "right", "wrong", "right", "wrong"], strict=True):
        assert f"</i>{word}</span>" in html


def test_saved_files_hold_the_rows() -> None:
    ours = [row(0, False, True, prompt='A "quoted", line\nand å', group="new")]
    text = predictions.as_file(ours, "csv")
    assert text.startswith("\ufeff")
    assert next(csv.DictReader(io.StringIO(text[1:])))["prompt"] == 'A "quoted", line\nand å'
    assert json.loads(predictions.as_file(ours, "jsonl")) == ours[0]


def test_rows_are_read_again_when_the_file_changed(new_run: Callable[..., Run]) -> None:
    run = new_run("done")
    assert predictions.rows(run) == []
    path = run.dir / "predictions" / "heldout.jsonl"
    path.parent.mkdir()
    path.write_text(json.dumps(ROWS[0]) + "\n", encoding="utf-8")
    assert len(predictions.rows(run)) == 1
    path.write_text("".join(json.dumps(r) + "\n" for r in ROWS), encoding="utf-8")
    assert len(predictions.rows(run)) == 4


def test_an_answer_that_is_neither_right_nor_wrong_has_no_badge() -> None:
    row = {"base_ok": None, "tuned_ok": None}
    assert predictions.change(row) == ""
    assert predictions.marked("0.9", "0.4 alike", None) == "0.4 alike"
