"""Every column and key is used, or named as unused with what it looks like."""

import pytest

from core.config import build
from core.data.checks.unused import glance, used
from core.data.dataset import open_examples
from core.data.formats import to_messages
from core.data.report import findings
from tests.factory import write_jsonl

TALK = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]


def opened(tmp_path, rows, **data):
    config = build({"data": {"path": str(write_jsonl(tmp_path / "rows.jsonl", rows)), "validation": 0, **data}})
    return open_examples(config), config


def unused(tmp_path, rows, **data):
    source, config = opened(tmp_path, rows, **data)
    return [f for f in findings(source, config, None) if f.kind == "unused"]


def pairs(column, values):
    return [{"prompt": f"ask {i}", "completion": f"say {i}", column: value} for i, value in enumerate(values)]


TELLING = [
    ("label", [0, 1, 1, 0], "is 1 or 0, which may mark good and bad answers: 2 are 0"),
    ("checked", [True, False, True, False], "is true or false: 2 are false"),
    ("is_bad", [True, False, False, False], "is true or false, which may mark good and bad answers: 1 is true"),
    ("flagged", [0, 1, 1, 0], "is 0 or 1, which may mark good and bad answers: 2 are 1"),
    ("helpful", [0, 1, 1, 0], "is 1 or 0, which may mark good and bad answers: 2 are 0"),
    (
        "label",
        ["fine", "fine", "good", "bad"],
        "holds 'fine', 'good' and 'bad', which may mark good and bad answers: 1 is a word for bad ones",
    ),
    (
        "feedback",
        ["positive", "negative"] * 2,
        "holds 'positive' and 'negative', which may mark good and bad answers: 2 are words for bad ones",
    ),
    ("toxic", ["True", "false", "true", "true"], "is true or false: 1 is false"),
    ("dialog", [[{"role": "user", "content": "x"}]] * 4, "holds turns of a conversation"),
    ("talk", ['[{"from": "human", "value": "x"}]'] * 4, "holds turns of a conversation"),
    ("history", ["User: a\nBot: b"] * 4, "holds earlier turns"),
    ("parent_id", [1, 2, 3, 9], "names the row that comes before"),
    ("options", ["a or b", "c or d"] * 2, "holds answers to choose from, which the model does not see"),
    ("speaks", ["user", "assistant"] * 2, "says who speaks"),
    ("conv_id", [1, 1, 2, 2], "says which rows are one conversation: each row is learned alone"),
    ("response_b", ["so it is", "so", "it is", "no"], "holds answers, which are not learned"),
    ("choices", [["a", "b"]] * 4, "holds answers to choose from, which the model does not see"),
    ("image", [f"photos/{i}.jpg" for i in range(4)], "holds images or their paths"),
    ("shot", ["data:image/png;base64,aaaa"] * 4, "holds images or their paths"),
    ("files", [["a.png", "b.png"]] * 4, "holds images or their paths"),
    ("picture", [{"bytes": None, "path": "x.png"}] * 4, "holds images or their paths"),
    ("audio", ["a.wav"] * 4, "holds sounds or their paths"),
    ("score", [1, 2.5, 3, 5], "holds numbers from 1 to 5, which may say how good the answers are"),
    ("answer_rating", ["1", "2", "3", "4"], "holds numbers from 1 to 4, which may say how good the answers are"),
    ("loss_weight", [0, 1, 1, 1], "holds numbers from 0 to 1, which may say how much a row counts"),
    ("split", ["train", "test", "train", "train"], "says which rows are for test and train"),
    ("reasoning", ["since so and so"] * 4, "holds reasoning, which is not learned"),
    ("Complex_CoT", ["since so and so"] * 4, "holds reasoning, which is not learned"),
    ("reasoning_details", [[{"text": "since"}]] * 4, "holds reasoning, which is not learned"),
    ("tools", ["[]", "[]", "[{}]", ""], "holds tools that may be called"),
    ("passage", ["a long text that tells of something " * 3] * 4, "holds texts that the questions may be about"),
]
QUIET = [
    ("is_classification", [True, False, True, False], "is true or false, which says of what kind a row is"),
    ("id", [3, 5, 7, 9], "numbers the rows"),
    ("uuid", ["a9f", "b8e", "c7d", "d6c"], "names the rows"),
    ("empty", [None, "", None, ""], "is empty"),
    ("lang", ["en", "en", "fr", "en"], "holds 'en' and 'fr'"),
    ("source", ["web"] * 4, "is always 'web'"),
    ("made", ["2024-01-02", "2024-01-03", "2023-01-01", "2022-02-02"], "holds dates"),
    ("year", [1990, 1991, 1990, 1988], "holds numbers from 1988 to 1991"),
    ("copy", [f"ask {i}" for i in range(4)], "repeats 'prompt'"),
    ("link", [f"https://example.org/{i}" for i in range(4)], "holds web addresses"),
    ("input_ids", [[1, 2, 3]] * 4, "holds token ids"),
    ("meta", [{"a": 1}] * 4, "holds objects"),
    ("keywords", [["a", "b"]] * 4, "holds lists"),
    ("notes", ["{'a': 1}", "{'a': 2}", "{'b': 3}", "{'b': 4}"], "holds lists or objects in Python's notation"),
    ("approved", [True] * 4, None),  # has a role: a mark that all have
]


@pytest.mark.parametrize(("column", "values", "words"), TELLING, ids=[c for c, *_ in TELLING])
def test_what_may_change_what_is_learned_is_a_warning(tmp_path, column, values, words):
    [finding] = unused(tmp_path, pairs(column, values))
    assert finding.message.startswith(f"{column!r} is not used: it {words}"), finding.message
    assert finding.severity == "warning" and finding.why


def test_rows_that_are_marked_are_named(tmp_path):
    [finding] = unused(tmp_path, pairs("checked", [True, False, True, False]))
    assert (finding.count, finding.rows) == (2, [1, 3])


@pytest.mark.parametrize(("column", "values", "words"), QUIET, ids=[c for c, *_ in QUIET])
def test_what_is_of_no_concern_is_one_note(tmp_path, column, values, words):
    found = unused(tmp_path, pairs(column, values))
    if words is None:
        assert found == []
        return
    assert [f.message for f in found] == [f"1 column is not used: {column!r} ({words})."]
    assert found[0].severity == "note"


def test_a_hundred_columns_are_two_findings_that_can_be_read(tmp_path):
    rows = [{"prompt": f"ask {i}", "completion": f"say {i}"} | {f"x{n}": f"{n} {i} words" for n in range(100)}
            for i in range(4)]  # fmt: skip
    rows = [row | {f"image_{n}": "a.png" for n in range(9)} for row in rows]
    found = unused(tmp_path, rows)
    assert len(found) == 8 and all(len(f.message) < 900 for f in found)
    assert found[-2].message.startswith("More columns are not used: 'image_6' (holds images")
    assert found[-1].message.startswith("100 columns are not used: 'x0' (") and "62 more" in found[-1].message
    source, config = opened(tmp_path, rows)
    assert len(" ".join(glance(source, config))) < 1500


def test_keys_of_turns_are_named_too(tmp_path):
    turns = [TALK[0] | {"name": "Ada"}, TALK[1] | {"is_good": False}]
    found = unused(tmp_path, [{"messages": turns}, {"messages": [turns[0], TALK[1] | {"is_good": True}]}])
    assert found[0].message.startswith("'is_good' in the turns of 'messages' is not used: it is true or false")
    assert found[1].message == "1 column or key is not used: 'name' in the turns of 'messages' (is always 'Ada')."


def test_what_a_template_a_group_or_a_made_column_uses_is_used(tmp_path):
    rows = [{"question": "q", "answers": {"text": ["a"]}, "id": i, "topic": "t"} for i in range(4)]
    source, config = opened(tmp_path, rows, group_by="topic")
    assert used(source, config) == {"question", "answer", "answers", "topic"}
    source, config = opened(tmp_path, rows, template="{topic}\n{answer}")
    assert used(source, config) == {"topic", "answer", "answers"}
    assert glance(source, config) == ["Not used: 'question' and 'id'."]


def test_earlier_turns_are_named_where_a_text_template_leaves_them_out(tmp_path):
    rows = [{"instruction": "c", "output": f"d {i}", "history": [["a", "b"]]} for i in range(4)]
    assert unused(tmp_path, rows) == []
    [finding] = unused(tmp_path, rows, template="{instruction}\n{output}")
    assert finding.message == "'history' is not used: it holds earlier turns."


@pytest.mark.parametrize("turn", [
    {"question": "a", "answer": "b", "train": False, "cot": "why"}, {"user": "a", "bot": "b", "weight": 0, "cot": "y"},
    {"role": "assistant", "content": "b", "mask": True, "cot": "why"},
])  # fmt: skip
def test_marks_in_earlier_turns_are_kept_and_their_other_keys_named(tmp_path, turn):
    rows = [{"instruction": f"ask {i}", "output": f"say {i}", "history": [turn]} for i in range(4)]
    source, _ = opened(tmp_path, rows)
    assert [m.get("weight", 1) for m in to_messages(source.rows[0], source.layout) if m["role"] == "assistant"] == [
        0,
        1,
    ]
    [found] = unused(tmp_path, rows)
    assert found.message.startswith("'cot' in the turns of 'history' is not used: it holds reasoning")


@pytest.mark.parametrize(("key", "value"), [("skip", True), ("do_train", False), ("include_loss", 0)])
def test_marks_by_other_names_are_warned_of(tmp_path, key, value):
    [found] = unused(tmp_path, [{"messages": [TALK[0], TALK[1] | {key: value}]}] * 4)
    assert found.severity == "warning"
    assert found.message.startswith(f"{key!r} in the turns of 'messages' is not used: it may say which turns")
