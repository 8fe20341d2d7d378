"""Conversations in many spellings: roles, blocks, tool calls and tools; and values of any kind as text."""

import json

import pytest

from core.data.turns import (
    as_text,
    before_answer,
    conversation,
    dialogue,
    is_answer,
    last_answer,
    learned,
    role_of,
    said,
    tools_of,
    turns_of,
    unused_keys,
)
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
        {"role": "tool_calls", "content": '\n{"name": "find", "args": {"what": "tea"}}\n'},
    ],
)  # fmt: skip
def test_calls_in_many_spellings(turn):
    [message] = talk([turn])
    assert message == {"role": "assistant", "content": "", "tool_calls": [CALL]}
    assert said(message) == '{"name": "find", "arguments": {"what": "tea"}}'


@pytest.mark.parametrize(
    "turn",
    [
        {"content": None, "tool_calls": [CALL | {"index": None}], "function_call": {"name": None, "arguments": None}},
        {"content": [{"type": "tool_use", "id": None, "name": "find", "input": {"what": "tea"}}]},
        {"content": [{"type": "tool_call", "value": '{"name": "find", "arguments": {"what": "tea"}}'}]},
        {"content": [{"type": "function_call", "name": "find", "arguments": '{"what": "tea"}', "text": None}]},
        {"content": [{"text": None, "functionCall": {"name": "find", "args": {"what": "tea"}}}]},
        {"tool_calls": [None, {"function": {"name": "find", "arguments": json.dumps(json.dumps({"what": "tea"}))}}]},
        {"tool_calls": json.dumps([CALL])},
    ],
)  # fmt: skip
def test_calls_in_blocks_and_among_nulls(turn):
    assert talk([{"role": "assistant", **turn}]) == [{"role": "assistant", "content": "", "tool_calls": [CALL]}]


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ([{"function": {"name": None, "arguments": "{}"}}], "turn 1: a call of a tool has no name"),
        ([CALL, {"id": "2", "function": {"name": " ", "arguments": {}}}], "has no name"),
        ([CALL, {"id": "2", "function": {"arguments": {"a": 1}}}], "has no name"),
        ([{"function": {"name": 5, "arguments": {}}}], "has no name"),
        (["find tea"], "a call of a tool is no JSON"),
        ("find tea", "a call of a tool is no JSON"),
        ('[{"name": "find"', "a call of a tool is no JSON: it ends too early"),
        ([{"function": {"name": "w", "arguments": '{"c": Oslo'}}], "'w' are no JSON: a value is missing before 'O'"),
        ([{"name": "w", "arguments": "{'c': 1}"}], "no JSON: there are single quotes, as Python writes them"),
        ([{"name": "w", "arguments": "Oslo"}], "no JSON"),
        ([{"name": "w", "arguments": 5}], "no object with named values: 5"),
        ([{"name": "w", "arguments": '"Oslo"'}], "no JSON"),
    ],
)
def test_calls_that_cannot_be_read_are_refused(calls, words):
    for turn in ({"tool_calls": calls}, {"content": "Wait.", "tool_calls": calls}):
        with pytest.raises(InputError, match=words):
            talk([{"role": "assistant", **turn}])
    if isinstance(calls, list) and len(calls) == 1 and isinstance(calls[0], dict):
        for turn in ({"function_call": calls[0]}, {"content": [{"type": "tool_call", **calls[0]}]}):
            with pytest.raises(InputError, match=words.partition(":")[2].strip() or words):
                talk([{"role": "assistant", **turn}])
        for text in (json.dumps(calls[0]), json.dumps(calls), json.dumps(calls[0])[:-2]):
            with pytest.raises(InputError):
                talk([{"role": "function_call", "content": text}])


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


@pytest.mark.parametrize("name", ["weight", "loss_weight", "train", "training", "trainable", "loss", "loss_mask"])
@pytest.mark.parametrize(
    ("value", "want"),
    [(0, False), (0.0, False), ("0", False), ("0.0", False), (False, False), ("false", False), ("No", False),
     (1, True), (1.0, True), (True, True), ("true", True), (None, True), ("", True), (0.5, True)],
)  # fmt: skip
def test_marks_of_what_is_not_learned_have_many_names(name, value, want):
    for turn in ({"content": "x", name: value}, {"content": [{"type": "text", "text": "x", name: value}]}):
        assert is_answer(talk([{"role": "assistant", **turn}])[0]) is want


@pytest.mark.parametrize(("value", "want"), [(True, False), (1, False), ("true", False), (False, True), (None, True)])
@pytest.mark.parametrize("name", ["mask", "masked", "ignore"])
def test_masks_hide(name, value, want):
    assert is_answer(talk([{"role": "gpt", "content": "x", name: value}])[0]) is want


def test_parts_of_a_turn_cannot_be_left_out():
    detail = [{"begin_offset": 0, "end_offset": 2, "train": False}]
    with pytest.raises(InputError, match="turn 1: 'train_detail' marks a part of a turn"):
        talk([{"role": "assistant", "content": "x", "train_detail": detail}])
    assert is_answer(talk([{"role": "assistant", "content": "x", "train_detail": [detail[0] | {"train": True}]}])[0])
    blocks = [{"type": "text", "text": "x", "loss_weight": 0.0}, {"type": "text", "text": "y", "loss_weight": 1.0}]
    with pytest.raises(InputError, match="some of its blocks are marked"):
        talk([{"role": "assistant", "content": blocks}])


@pytest.mark.parametrize(
    "turn",
    [
        {"reasoning_content": "why"}, {"reasoning": "why", "thinking": None}, {"thinking": "why"}, {"thought": "why"},
        {"reasoning": ["why"]}, {"reasoning": "", "reasoning_content": "why"},
        {"content": [{"type": "thinking", "thinking": "why"}, {"type": "text", "text": "so"}]},
        {"content": [{"type": "reasoning", "value": "why"}, {"type": "text", "value": "so"}]},
        {"content": [{"type": "reasoning", "summary": [{"type": "x", "text": "why"}]}, {"type": "text", "text": "so"}]},
        {"content": [{"thought": True, "text": "why"}, {"text": "so"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}, "so"]},
    ],
)  # fmt: skip
def test_reasoning_is_kept(turn):
    want = {"role": "assistant", "content": "so", "reasoning_content": "why"}
    assert talk([{"role": "assistant", "content": "so", **turn}]) == [want]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([{"type": "text", "value": "x"}], "x"),
        ([{"type": "output_text", "text": "x", "annotations": []}, {"type": "input_text", "text": "y"}], "x\ny"),
        ([{"type": "text", "text": {"value": "x"}}], "x"),
        ([{"type": "text", "text": "x", "image_url": None, "image": None}], "x"),
        ([{"type": "refusal", "refusal": "No."}], "No."),
        ({"type": "text", "text": "x"}, "x"),
        (["x", "y"], "x\ny"),
        ([{"text": "x"}, None, "y"], "x\ny"),
        ([], ""),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_blocks_of_text(content, words):
    assert talk([{"role": "user", "content": content}]) == [{"role": "user", "content": words}]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "text": None}, {"type": "image_url", "image_url": {"url": "x"}}, {"type": "IMAGE"},
        {"type": "input_image", "text": ""}, {"type": "image", "text": "a cat"}, {"image": "x.png"},
        {"type": None, "image": {"bytes": "(9 bytes)", "path": None}, "text": "x"}, {"type": "input_audio"},
        {"type": "video", "value": "x.mp4"}, {"type": "text", "text": "x", "audio": "x.wav"}, {"type": "file"},
        {"inlineData": {"mimeType": "image/png"}}, {"type": "audio_url", "audio_url": {"url": "x"}, "text": None},
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused_under_every_name(block):
    with pytest.raises(InputError, match="only text can be trained on"):
        talk([{"role": "user", "content": [{"type": "text", "text": "What is it?"}, block]}])


@pytest.mark.parametrize("key", ["images", "image", "videos", "audio", "image_path"])
def test_a_turn_with_an_image_beside_its_words_is_refused(key):
    with pytest.raises(InputError, match=f"it holds '{key}'"):
        talk([{"role": "user", "content": "<image> What is it?", key: ["x.png"]}])
    assert talk([{"role": "user", "content": "What is <image>?", key: []}])[0]["content"] == "What is <image>?"


def test_results_of_tools_in_blocks_are_messages_of_their_own():
    blocks = [
        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "3"}]},
        {"type": "tool_result", "tool_use_id": "c2", "content": "4"},
        {"type": "text", "text": "And?"},
    ]
    turns = [
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": blocks},
        {"role": "assistant", "content": "b"},
    ]
    assert talk(turns)[1:4] == [
        {"role": "tool", "content": "3", "tool_call_id": "c1"},
        {"role": "tool", "content": "4", "tool_call_id": "c2"},
        {"role": "user", "content": "And?"},
    ]
    assert before_answer(turns, "messages", "role", "content") == turns[:2]
    assert (
        talk([{"role": "tool", "content": [{"name": "tea", "text": 3}]}])[0]["content"]
        == '[{"name": "tea", "text": 3}]'
    )


def test_an_empty_turn_is_not_learned_unless_all_are():
    said_and_not = [{"role": "assistant", "content": text} for text in ("x", " ", None, "")]
    messages = talk(said_and_not)
    assert learned(messages) == [0] and last_answer(messages) == 0
    assert learned(messages[1:]) == [0, 1, 2]


def test_keys_that_nobody_reads_are_named():
    turns = [
        {"role": "system", "content": "s", "name": "x", "weight": 1},
        {"role": "user", "content": [{"text": "u", "cache_control": {"ttl": 5}}], "id": 7, "note": None},
        {"role": "assistant", "content": "a", "reasoning": "r", "weight": 0.5, "logprobs": [], "channel": "final",
         "tool_calls": [CALL | {"index": 0}], "score": 3},
        {"role": "tool", "content": "t", "name": "find", "tool_call_id": "c", "is_error": True},
    ]  # fmt: skip
    want = {
        "name": "x", "content.cache_control": {"ttl": 5}, "id": 7, "weight": 0.5, "channel": "final", "score": 3,
        "tool_calls.index": 0, "is_error": True,
    }  # fmt: skip
    assert unused_keys(turns, "role", "content") == unused_keys(json.dumps(turns), "role", "content") == want
    assert unused_keys("no turns", "role", "content") == unused_keys(None, "role", "content") == {}


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


def test_null_members_of_a_tool_say_nothing():
    asked = {"type": "object", "properties": {"a": {"type": "integer", "enum": None, "default": None}, "city": None}}
    tool = {"name": "find", "description": None, "parameters": asked}
    [made] = tools_of([None, tool], "t")
    assert made["function"] == {
        "name": "find",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer", "default": None}}},
    }


def test_dialogues_in_one_text():
    text = "\n\nHuman: Hi\n\nthere\n\nAssistant: Human: is a word\n\nHuman: x\n\nAssistant:"
    assert [(m["role"], m["content"]) for m in dialogue(text)] == [
        ("user", "Hi\n\nthere"), ("assistant", "Human: is a word"), ("user", "x"), ("assistant", ""),
    ]  # fmt: skip
    assert dialogue("A text about Human: rights") is None


@pytest.mark.parametrize(("held", "read", "unread"), [
    ({"reasoning": [{"type": "text", "text": "why"}]}, "why", []),
    ({"thinking": ["why", None, {"text": "so"}]}, "why\nso", []),
    ({"reasoning": {"content": "why"}}, "why", []),
    ({"reasoning": {"text": "why"}, "thinking": "why"}, "why", []),
    ({"reasoning_details": [{"type": "reasoning.text", "text": "why"}, {"type": "reasoning.encrypted", "data": "x"}]},
     "why", ["reasoning_details.data"]),
    ({"reasoning_content": "why", "thinking": "else"}, "why", ["thinking"]),
    ({"reasoning": [{"step": 1, "said": "why"}]}, None, ["reasoning"]),
    ({"thought": 7}, None, ["thought"]),
    ({"thinking": "one", "content": [{"type": "thinking", "thinking": "two"}, {"type": "text", "text": "ho"}]},
     "one\ntwo", []),
])  # fmt: skip
def test_reasoning_under_a_key_is_read_or_named(held, read, unread):
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho", **held}]
    assert talk(turns)[1].get("reasoning_content") == read
    assert list(unused_keys(turns, "role", "content")) == unread


F, G = {"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}


@pytest.mark.parametrize("held", [
    {"tool_calls": [F], "function_call": {"name": "f", "arguments": '{"a": 1}'}},
    {"toolCalls": [F]}, {"functionCall": F}, {"tool_call": json.dumps(F)},
    {"tool_calls": [{"name": "f", "arguments": {}, "parameters": {"a": 1}}]},
    {"tool_calls": [{"type": "function", "function": {"name": "f"}, "arguments": {"a": 1}}]},
])  # fmt: skip
def test_calls_in_any_place_are_read(held):
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "", **held}]
    assert [call["function"] for call in talk(turns)[1]["tool_calls"]] == [F]
    assert unused_keys(turns, "role", "content") == {}


@pytest.mark.parametrize(("held", "words"), [
    ({"tool_calls": [F], "function_call": G}, "calls of tools in two places"),
    ({"tool_calls": [F], "content": [{"type": "tool_use", "name": "g", "input": {"z": 1}}]}, "in two places"),
    ({"tool_calls": [{"name": "f", "arguments": {"a": 1}, "parameters": {"a": 2}}]}, "two sets of arguments"),
    ({"content": [{"type": "text", "text": "a", "value": "b"}]}, "two texts that differ"),
])  # fmt: skip
def test_what_is_said_twice_and_differs_is_refused(held, words):
    with pytest.raises(InputError, match=words):
        talk([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "", **held}])


@pytest.mark.parametrize(("content", "words"), [
    ({"text": "ho"}, "ho"), ({"content": "ho"}, "ho"), ({"content_type": "text", "parts": ["ho", "hey"]}, "ho\nhey"),
    ({"parts": [{"text": "ho"}]}, "ho"), ({"text": 3}, '{"text": 3}'), ({}, "{}"),
    ({"text": "ho", "city": "Rome"}, '{"text": "ho", "city": "Rome"}'),
])  # fmt: skip
def test_a_content_that_is_an_object(content, words):
    assert talk([{"role": "user", "content": "hi"}, {"role": "assistant", "content": content}])[1]["content"] == words


def test_tools_that_gemini_declares():
    find = {"name": "find", "parameters": {"type": "OBJECT", "properties": {"what": {"type": "STRING"}}}}
    made = tools_of([{"functionDeclarations": [find, {"name": "add"}]}], "tools")
    assert [tool["function"]["name"] for tool in made] == ["find", "add"]
    assert made[0]["function"]["parameters"] == {"type": "object", "properties": {"what": {"type": "string"}}}


@pytest.mark.parametrize("tool", [
    {"description": "finds"}, {"googleSearch": {}}, {"type": "function", "function": {"parameters": {}}}, {"name": " "},
])  # fmt: skip
def test_a_tool_without_a_name(tool):
    with pytest.raises(InputError, match="'tools' holds a tool without a name"):
        tools_of([{"name": "find"}, tool], "tools")


def test_a_turn_of_gemini_without_a_role_is_the_users():
    turns = [{"parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": "ho"}]}]
    assert [m["role"] for m in talk(turns, content="parts")] == ["user", "assistant"]
    assert before_answer(turns, "contents", "role", "parts") == turns[:1]
    with pytest.raises(InputError, match="turn 1 has no 'role'"):
        talk([{"content": "hi"}, {"role": "assistant", "content": "ho"}])
