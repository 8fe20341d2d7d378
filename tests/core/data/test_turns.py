"""Conversations in many spellings: roles, blocks, tool calls and tools; and values of any kind as text."""

import json

import pytest

from core.data.turns import as_text, conversation, dialogue, is_answer, last_answer, role_of, said, tools_of, turns_of
from core.errors import InputError

CALL = {"type": "function", "function": {"name": "find", "arguments": {"what": "tea"}}}


def talk(turns, role="role", content="content"):
    return conversation(turns, "messages", role, content)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), ("x", "x"), (3, "3"), (True, "true"), ({"ü": [1, None]}, '{"ü": [1, null]}'), ("a\ud83db", "a\ufffdb"),
     ("\ud83d\ude00", "😀"), (["\udc00"], '["\ufffd"]'), ("\x00\x1b", "\x00\x1b")],
)  # fmt: skip
def test_values_as_text(value, text):
    assert as_text(value) == text


def test_roles_by_any_name():
    assert [role_of(n) for n in ("Human", " GPT ", "function_call", "Observation", "developer", "narrator", None)] == [
        "user", "assistant", "assistant", "tool", "system", None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([], "holds no list of turns"),
        ("text", "holds no list of turns"),
        ("[broken", "holds no list of turns"),
        (7, "holds no list of turns"),
        ([{"role": "narrator", "content": "x"}], "turn 1 is by 'narrator', a role that is not known"),
        ([{"content": "x"}], "turn 1 has no 'role'"),
        (["hello"], "turn 1 has no 'role'"),
        ([{"role": "user", "content": [{"type": "image"}]}], "a block of type 'image'"),
    ],
)
def test_conversations_that_are_none(turns, words):
    with pytest.raises(InputError, match=words):
        talk(turns)


def test_a_list_in_json_and_an_object_of_lists_are_conversations():
    want = [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
    assert talk(json.dumps(want)) == talk({"role": ["user", "assistant"], "content": ["u", "a"]}) == talk(want) == want
    assert turns_of({"role": ["user"], "content": []}) is None


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "tool_calls": [{"function": {"name": "find", "arguments": '{"what": "tea"}'}}]},
        {"role": "assistant", "content": "", "tool_calls": None,
         "function_call": {"name": "find", "arguments": '{"what": "tea"}'}},
        {"role": "function_call", "content": '{"name": "find", "arguments": {"what": "tea"}}'},
        {"role": "tool_call", "content": '[{"name": "find", "parameters": {"what": "tea"}}]'},
    ],
)  # fmt: skip
def test_calls_in_many_spellings(turn):
    [message] = talk([turn])
    assert message == {"role": "assistant", "content": "", "tool_calls": [CALL]}
    assert said(message) == '{"name": "find", "arguments": {"what": "tea"}}'


def test_calls_keep_their_ids():
    calls = [CALL | {"id": "c1"}, {"function": {"name": "stop", "arguments": ""}}]
    [message] = talk([{"role": "assistant", "content": "Wait.", "tool_calls": calls}])
    assert [call.get("id") for call in message["tool_calls"]] == ["c1", None]
    assert message["tool_calls"][1]["function"]["arguments"] == {}
    assert said(message).splitlines()[0] == "Wait." and said(message).count("\n") == 2


def test_answers_that_are_not_to_be_learned():
    turns = [{"role": "assistant", "content": "x", "weight": weight} for weight in (1, 0, None, 1.0, "0")]
    messages = talk(turns)
    assert [is_answer(m) for m in messages] == [True, False, True, True, False] and last_answer(messages) == 3
    assert last_answer(messages[1:2]) is None


def test_words_that_are_no_call_stay_words():
    assert talk([{"role": "function_call", "content": "find tea"}]) == [{"role": "assistant", "content": "find tea"}]


def test_results_of_tools():
    turn = {"role": "observation", "content": {"t": 1}, "name": "find", "tool_call_id": "c1", "more": 1}
    assert talk([turn]) == [{"role": "tool", "content": '{"t": 1}', "name": "find", "tool_call_id": "c1"}]


@pytest.mark.parametrize("value", [None, "", " ", [], "[]"])
def test_no_tools(value):
    assert tools_of(value, "tools") == []


def test_tools_are_a_list_or_its_json():
    tool = {"name": "find", "parameters": {}}
    want = [{"type": "function", "function": tool}]
    assert (
        tools_of([tool], "t") == tools_of(json.dumps([tool]), "t") == tools_of(tool, "t") == tools_of(want, "t") == want
    )
    with pytest.raises(InputError, match="'t' holds 'hammer' where a tool as a JSON object is expected"):
        tools_of("hammer", "t")


def test_dialogues_in_one_text():
    text = "\n\nHuman: Hi\n\nthere\n\nAssistant: Human: is a word\n\nHuman: x\n\nAssistant:"
    assert [(m["role"], m["content"]) for m in dialogue(text)] == [
        ("user", "Hi\n\nthere"), ("assistant", "Human: is a word"), ("user", "x"), ("assistant", ""),
    ]  # fmt: skip
    assert dialogue("A text about Human: rights") is None
