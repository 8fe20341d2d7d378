"""Rows that name the row before them become conversations; each answer is learned once."""

import pandas as pd
import pytest

from core.data.formats import to_messages
from core.data.sources import open_data
from core.errors import InputError
from tests.factory import write_jsonl


def talks(path):
    source = open_data(str(path))
    return source, [
        " ".join(m["content"] + ("!" if m["role"] == "assistant" and m.get("weight") != 0 else "") for m in messages)
        for messages in (to_messages(row, source.layout) for row in source.rows)
    ]


H2O = pd.DataFrame({
    "instruction": ["a", "c", "e", "x", "z"], "output": ["b", "d", "f", "y", "w"], "id": [1, 2, 3, 10, 11],
    "parent_id": [None, 1, 2, None, 10], "lang": ["en", "en", "fr", "en", "en"],
})  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "csv of whole numbers", "jsonl", "parquet"])
def test_rows_of_questions_and_answers(tmp_path, kind):
    path = tmp_path / f"rows.{kind.split()[0]}"
    frame = H2O.astype({"parent_id": "Int64"}) if "whole" in kind else H2O
    if kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path) if kind == "parquet" else frame.to_csv(path, index=False)
    source, said = talks(path)
    assert said == ["a b! c d! e f!", "x y! z w!"]
    assert source.columns == ["messages", "lang"] and source.rows[0]["lang"] == "fr"
    assert source.notes[-1].startswith("5 rows are linked by 'parent_id' to 2 conversations")


@pytest.mark.parametrize("names", [
    ("message_id", "parent_id", "role", "text"), ("id", "parent_message_id", "author", "content"),
    ("uid", "parent_uid", "role", "text"), ("turn", "previous_turn", "role", "content"),
    ("uuid", "reply_to", "sender", "body"), ("id", "parent", "from", "value"),
])  # fmt: skip
def test_a_tree_of_messages(tmp_path, names):
    tree = [
        ("m1", None, "prompter", "hi"), ("m2", "m1", "assistant", "ho"), ("m3", "m1", "assistant", "hey"),
        ("m4", "m2", "prompter", "more"), ("m5", "m4", "assistant", "ok"), ("m6", "m4", "assistant", "no"),
        ("m7", "m5", "prompter", "nobody answers"), ("m8", None, "prompter", "nor here"),
    ]  # fmt: skip
    path = write_jsonl(tmp_path / "tree.jsonl", [dict(zip(names, row, strict=True)) for row in reversed(tree)])
    assert sorted(talks(path)[1]) == ["hi hey!", "hi ho more ok!", "hi ho! more no!"]


def test_parents_that_are_not_there_and_circles_are_said(tmp_path):
    parents = [1, 0, None, 2, 2, 9, 0]
    rows = [{"prompt": f"p{i}", "completion": f"c{i}", "id": i, "parent_id": p} for i, p in enumerate(parents)]
    source, said = talks(write_jsonl(tmp_path / "rows.jsonl", rows))
    assert said == ["p2 c2! p3 c3!", "p2 c2 p4 c4!", "p5 c5!"]
    assert source.notes[1:] == [
        "1 row names a parent that is not there: a conversation begins with it.",
        "Left out: 3 rows whose parents lead round in a circle.",
    ]


def test_circles_only_leave_no_rows_and_say_why(tmp_path):
    rows = [{"prompt": f"p{i}", "completion": "c", "id": i, "parent_id": (i + 1) % 4} for i in range(4)]
    with pytest.raises(InputError, match="no rows that can be used.*Left out: 4 rows whose parents lead round"):
        open_data(str(write_jsonl(tmp_path / "rows.jsonl", rows)))


@pytest.mark.parametrize("ids", [[1, 1, 2, 3], [5, 6, 7, 8], [None] * 4])
def test_rows_that_are_not_linked_stay_as_they_are(tmp_path, ids):
    rows = [{"prompt": f"p{i}", "completion": "c", "id": n, "parent_id": (None, 1, 1, 2)[i]} for i, n in enumerate(ids)]
    source = open_data(str(write_jsonl(tmp_path / "rows.jsonl", rows)))
    assert list(source.rows) == rows and source.layout.name == "prompt_completion"


def test_trees_with_the_replies_inside(tmp_path):
    def message(role, text, *replies):
        return {"role": role, "text": text, "replies": list(replies)}

    answers = (
        message("assistant", "ho", message("prompter", "more", message("assistant", "ok"))),
        message("assistant", "hey"),
    )
    rows = [{"message_tree_id": "a", "prompt": message("prompter", "hi", *answers)}] * 2
    source, said = talks(write_jsonl(tmp_path / "trees.jsonl", rows))
    assert said == ["hi ho! more ok!", "hi hey!"] * 2
    assert source.columns == ["messages", "message_tree_id"]


@pytest.mark.parametrize(("column", "values"), [
    ("kto_tag", [True, False, True]), ("weight", [1, 0, 1]), ("train", [True, False, None]),
    ("label", ["good", "bad", "good"]),
])  # fmt: skip
def test_each_answer_keeps_its_own_mark(tmp_path, column, values):
    rows = [{"id": i, "parent_id": i - 1 if i else None, "instruction": f"q{i}", "output": f"a{i}", column: value}
            for i, value in enumerate(values)]  # fmt: skip
    source, said = talks(write_jsonl(tmp_path / "rows.jsonl", rows))
    assert said == ["q0 a0! q1 a1 q2 a2!"] and source.columns == ["messages"]


def test_each_message_keeps_its_calls_and_its_reasoning(tmp_path):
    call = {"name": "f", "arguments": {"a": 1}}
    said = [("user", "hi", None, None), ("assistant", None, [call], "since"), ("tool", "r", None, None),
            ("assistant", "ho", None, None)]  # fmt: skip
    rows = [{"id": i, "parent_id": i - 1 if i else None, "role": role, "content": words, "tool_calls": calls,
             "thinking": why} for i, (role, words, calls, why) in enumerate(said)]  # fmt: skip
    source, _ = talks(write_jsonl(tmp_path / "rows.jsonl", rows))
    turn = to_messages(source.rows[0], source.layout)[1]
    assert turn["tool_calls"][0]["function"] == call and turn["reasoning_content"] == "since"


def test_replies_of_a_tree_that_are_deleted_or_rejected_are_not_learned(tmp_path):
    replies = [
        {"role": "assistant", "text": text, "replies": [], **more}
        for text, more in (
            ("a", {}),
            ("b", {"deleted": True}),
            ("c", {"review_result": False}),
            ("d", {"rank": 3, "deleted": False}),
        )
    ]
    tree = {"prompt": {"role": "prompter", "text": "hi", "replies": replies}}
    source, said = talks(write_jsonl(tmp_path / "rows.jsonl", [tree]))
    assert said == ["hi a!", "hi b", "hi c", "hi d!"]
    assert source.rows[3]["messages"][1]["rank"] == 3  # and so it is named as not used
