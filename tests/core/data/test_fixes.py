"""Fixes of the rows: text is mended at any depth, then rows are left out, in one order and always the same ones."""

import json
import pickle

import numpy as np
import pytest

from core.config import build
from core.data.checks.case import FIXES
from core.data.dataset import open_examples
from core.data.fixes import apply, leaked
from core.data.sources import open_data
from core.settings import DataConfig
from tests.core.data.test_report import plain_rows
from tests.factory import write_jsonl

ROWS = [
    {"question": "write to ada@example.org\u200b now", "answer": "the caf\u00c3\u00a9"},
    {"question": "what is the capital of France, please tell me", "answer": "It is Paris, the city of light."},
    {"question": "what is the capital of France, please tell me", "answer": "It is Paris, the city of light."},
    {"question": "What is the capital of France, please tell us!", "answer": "it is Paris, the city of light"},
    {"question": "what is 3 plus 4 and then 5 more, all in all?", "answer": "12"},
    {"question": "what is 3 plus 4 and then 6 more, all in all?", "answer": "13"},
]


@pytest.fixture
def source(tmp_path):
    return open_data(str(write_jsonl(tmp_path / "rows.jsonl", ROWS)))


def kept(source):
    return [next(i for i in range(len(ROWS)) if ROWS[i] == row) for row in source.rows]


def test_every_fix_of_the_config_has_its_place():
    assert set(FIXES) == set(DataConfig.model_fields["fixes"].annotation.__args__[0].__args__)


def test_text_is_mended_when_it_is_read(source):
    mended = apply(source, ["mask_personal", "strip_control", "fix_encoding"])
    assert mended.rows[0] == {"question": "write to [EMAIL] now", "answer": "the café"}
    assert list(mended.rows[1:]) == ROWS[1:]
    assert mended.columns == source.columns and mended.notes == source.notes


def test_nested_text_is_mended_and_keys_stay(tmp_path):
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "mail ada@example.org"}], "ada@example.org": 3},
        {"role": "assistant", "content": "done", "weight": 0.5, "note": None},
    ]
    path = write_jsonl(tmp_path / "rows.jsonl", [{"messages": turns, "id": 7}])
    row = apply(open_data(str(path)), ["mask_personal"]).rows[0]
    turns[0]["content"][0]["text"] = "mail [EMAIL]"
    assert row == {"messages": turns, "id": 7}


def test_rows_that_repeat_are_left_out(source):
    once = apply(source, ["drop_duplicates"])
    assert kept(once) == [0, 1, 3, 4, 5]
    assert once.notes[-1] == "1 row left out that repeats another."


def test_rows_that_nearly_repeat_are_left_out_but_not_sums(source):
    assert kept(apply(source, ["drop_near_duplicates", "drop_duplicates"])) == [0, 1, 4, 5]
    near = apply(source, ["drop_near_duplicates"])
    assert list(near.rows) == [ROWS[i] for i in (0, 1, 2, 4, 5)], "word for word is another fix"
    assert near.notes[-1] == "1 row left out that nearly repeats another."


def test_text_is_mended_before_rows_are_compared(tmp_path):
    rows = [{"question": "a question" + "\u200b" * (i + 1) + " of somebody", "answer": "yes"} for i in range(3)]
    source = open_data(str(write_jsonl(tmp_path / "rows.jsonl", rows)))
    assert len(apply(source, ["drop_duplicates"]).rows) == 3
    assert list(apply(source, ["drop_duplicates", "strip_control"]).rows) == [
        {"question": "a question of somebody", "answer": "yes"}
    ]


def test_the_order_of_the_list_is_no_matter_and_the_fingerprint_tells_the_fixes(source):
    one, other = apply(source, FIXES), apply(source, [*reversed(FIXES)])
    assert one.fingerprint == other.fingerprint != source.fingerprint
    assert list(one.rows) == list(other.rows)
    assert apply(source, ["drop_duplicates"]).fingerprint != apply(source, ["drop_near_duplicates"]).fingerprint
    assert apply(source, []) is source and apply(source, ["drop_leaked", "drop_long"]) is source


def test_fixes_made_twice_change_nothing_more(source):
    once = apply(source, FIXES)
    assert list(apply(once, FIXES).rows) == list(once.rows)


@pytest.mark.parametrize("fixes", [["drop_duplicates"], ["drop_duplicates", "drop_near_duplicates"]])
def test_rows_kept_back_by_name_stay_and_training_rows_that_repeat_them_go(tmp_path, fixes):
    extra = plain_rows(3, seed=5)
    train = write_jsonl(tmp_path / "rows.jsonl", [*plain_rows(20), extra[0], extra[0]])
    held = write_jsonl(tmp_path / "held.jsonl", [extra[1], extra[1], extra[0], extra[2]])
    config = build({"data": {"path": str(train), "validation": str(held), "fixes": fixes}})
    source = open_examples(config)
    assert list(source.rows.take(source.held)) == [extra[1], extra[1], extra[0], extra[2]]
    rest = np.setdiff1d(np.arange(len(source.rows)), source.held)
    assert list(source.rows.take(rest)) == plain_rows(20)


def test_what_is_left_out_is_what_the_report_counts(tmp_path):
    from core.data.report import findings

    rows = [*plain_rows(200), *plain_rows(30), *({**r, "phrase": r["phrase"] + "s"} for r in plain_rows(17))]
    config = build({"data": {"path": str(write_jsonl(tmp_path / "rows.jsonl", rows)), "validation": 0}})
    source = open_examples(config)
    counts = {f.kind: f.count for f in findings(source, config, None)}
    assert counts["duplicate"] == 30 == len(source.rows) - len(apply(source, ["drop_duplicates"]).rows)
    assert counts["near_duplicate"] == 17 == len(source.rows) - len(apply(source, ["drop_near_duplicates"]).rows)
    assert len(apply(source, ["drop_duplicates", "drop_near_duplicates"]).rows) == 200


def test_the_template_says_what_is_compared(tmp_path):
    rows = [
        {"id": f"row {i} of {w}", "text": f"{w} is a word that stands here", "label": "noun"}
        for i, w in enumerate("ab")
    ]
    source = open_data(str(write_jsonl(tmp_path / "rows.jsonl", [*rows, *rows[:1]])))
    assert len(apply(source, ["drop_near_duplicates"], "{text} {label}").rows) == 2
    assert len(apply(source, ["drop_near_duplicates"], "{id} {text} {label}").rows) == 3
    assert len(apply(source, ["drop_near_duplicates"], "{tekst} {label}").rows) == 2, "as the layout says"


def test_leaked_rows_are_training_rows_whose_question_is_asked_elsewhere(tmp_path):
    rows = [
        {"prompt": p, "completion": c}
        for p, c in [("a b", "1"), ("A  b", "2"), ("c", "3"), ("d", "4"), ("", "5"), ("", "6")]
    ]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    held = write_jsonl(tmp_path / "held.jsonl", [{"prompt": "D", "completion": "9"}])
    config = build({"data": {"path": str(path)}})
    source = open_examples(config)
    assert leaked(source, [1, 2, 3, 4], [0, 5], config) == {1}
    config = build({"data": {"path": str(path)}, "evaluation": {"data": str(held)}})
    assert leaked(source, [1, 2, 3, 4], [0, 5], config) == {1, 3}
    assert leaked(source, [0, 1, 2, 3], [], config) == {3}


def test_masked_rows_in_json_columns_of_a_table(tmp_path):
    rows = [{"prompt": "who", "completion": {"mail": "ada@example.org", "age": 36}}]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    assert apply(open_data(str(path)), ["mask_personal"]).rows[0]["completion"] == {"mail": "[EMAIL]", "age": 36}


def test_mended_rows_can_be_sent_to_another_process(source):
    """Big sets are encoded by workers, which get the rows of a view with all that mends them."""
    mended = apply(source, ["strip_control", "fix_encoding", "mask_personal", "mask_secrets"]).rows[:5]
    assert list(pickle.loads(pickle.dumps(mended))) == list(mended)
