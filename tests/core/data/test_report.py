"""Findings: each kind is found, counted and said plainly."""

from core.config import build
from core.data.report import findings
from core.data.sources import open_data
from core.data.split import Split
from tests.factory import tone_rows, write_jsonl


def found(path, tokenizer, split=None, **data):
    config = build({"data": {"path": str(path), **data}})
    return {f.kind: f for f in findings(open_data(str(path)), config, tokenizer, split)}


def test_good_rows_have_no_findings(tmp_path, tokenizer):
    assert found(write_jsonl(tmp_path / "a.jsonl", tone_rows(80)), tokenizer) == {}


def test_each_kind(tmp_path, tokenizer):
    rows = [
        {"phrase": "one", "tone": "sad"},
        {"phrase": "two", "tone": ""},
        {"phrase": "one", "tone": "sad"},
        {"phrase": "", "tone": "calm"},
        {"phrase": "long " * 100, "tone": "calm"},
        {"phrase": "three", "tone": "calm " * 100},
        {"phrase": " ONE", "tone": "angry"},
        {"phrase": "four", "tone": None},
    ]
    split = Split([0, 1, 2, 3, 4, 5, 7], [6])
    got = found(write_jsonl(tmp_path / "a.jsonl", rows), tokenizer, split, template="{phrase}\n{tone}", max_tokens=64)
    assert {k: (f.count, f.rows) for k, f in got.items()} == {
        "empty_answer": (2, [1, 7]), "unchanged_template": (1, [3]), "answer_cut": (1, [5]), "leakage": (1, [6]),
        "too_long": (1, [4]), "duplicate": (1, [2]), "few_rows": (7, []), "missing": (1, []),
    }  # fmt: skip
    assert (
        got["duplicate"].message == "1 row repeats an earlier row word for word, and so counts double in the training."
    )
    assert got["missing"].message == "'tone' has no value in 1 row of 8."
    assert list(got)[:2] == ["empty_answer", "unchanged_template"]


def test_conversations(tmp_path, tokenizer):
    def turn(who, text):
        return {"from": who, "value": text}

    talks = [
        [turn("human", "a"), turn("gpt", "b")],
        [turn("gpt", "a"), turn("human", "b")],
        [turn("human", "a"), turn("gpt", "b"), turn("human", "c")],
        [turn("human", "x")],
        [turn("narrator", "x")],
    ]
    got = found(write_jsonl(tmp_path / "a.jsonl", [{"conversations": t} for t in talks]), tokenizer, validation=0)
    assert {k: f.rows for k, f in got.items() if f.rows} == {
        "unreadable": [4], "no_answer": [3], "roles_swapped": [1], "ends_unanswered": [2],
    }  # fmt: skip
    assert "'narrator'" in got["unreadable"].message


def test_held_out_rows_that_were_trained_on(tmp_path, tokenizer):
    path = write_jsonl(tmp_path / "a.jsonl", tone_rows(80))
    held = write_jsonl(tmp_path / "h.jsonl", tone_rows(3))
    config = build({"data": {"path": str(path), "validation": 0}, "evaluation": {"data": str(held)}})
    assert [(f.kind, f.count) for f in findings(open_data(str(path)), config, tokenizer)] == [("heldout_leakage", 3)]
