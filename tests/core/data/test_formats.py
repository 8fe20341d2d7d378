"""Layouts are recognised from names and values, and each becomes messages."""

import pytest

from core.data.formats import recognise, suggest_task, suggest_template, to_messages
from core.errors import InputError

SHAREGPT = {
    "conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]
}
MESSAGES = {
    "messages": [{"role": "user", "content": [{"type": "text", "text": "u"}]}, {"role": "assistant", "content": "a"}]
}


@pytest.mark.parametrize(
    ("row", "name", "said"),
    [
        (SHAREGPT, "sharegpt", ["s", "u", "a"]),
        (MESSAGES, "messages", ["u", "a"]),
        ({"instruction": "i", "input": "x", "output": "o"}, "alpaca", ["i\n\nx", "o"]),
        ({"Instruction": "i", "input": "", "Output": "o"}, "alpaca", ["i", "o"]),
        ({"question": "q", "answer": 4}, "prompt_completion", ["q", "4"]),
        ({"note": "n", "fields": {"a": 1}, "names": "known"}, "prompt_completion", ["n", '{"a": 1}']),
        ({"phrase": "p", "tone": "t"}, "text_label", ["p", "t"]),
        ({"text": "p", "category": "c", "id": "1"}, "text_label", ["p", "c"]),
        ({"left": "l", "right": "r"}, "prompt_completion", ["l", "r"]),
    ],
)  # fmt: skip
def test_layouts(row, name, said):
    layout = recognise(list(row), [row])
    assert layout.name == name and layout.evidence.endswith(".")
    assert [m["content"] for m in to_messages(row, layout)] == said


def test_one_text_has_no_question():
    layout = recognise(["text"], [{"text": "x"}])
    assert suggest_template(layout) == "[[{text}]]"
    with pytest.raises(InputError, match="hold one text") as error:
        to_messages({"text": "x"}, layout)
    assert error.value.field == "data.template"


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([], "holds no list of turns"),
        ("text", "holds no list of turns"),
        ([{"from": "narrator", "value": "x"}], "turn 1 is by 'narrator', a role that is not known"),
        ([{"value": "x"}], "turn 1 has no 'from'"),
    ],
)
def test_conversations_that_are_none(turns, words):
    layout = recognise(["conversations"], [SHAREGPT])
    with pytest.raises(InputError, match=words):
        to_messages({"conversations": turns}, layout)


def test_a_block_that_is_no_text():
    layout = recognise(["messages"], [MESSAGES])
    with pytest.raises(InputError, match="a block of type 'image'"):
        to_messages({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, layout)


@pytest.mark.parametrize(
    ("row", "task"),
    [({"phrase": "p", "tone": "t"}, "classification"), ({"note": "n", "fields": '{"a": 1}'}, "extraction"),
     ({"text": "n", "summary": "s"}, "summarization"), ({"question": "q", "answer": "a"}, "generation"),
     (MESSAGES, "generation")],
)  # fmt: skip
def test_tasks(row, task):
    assert suggest_task(recognise(list(row), [row]), [row]) == task
