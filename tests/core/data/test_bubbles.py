"""A row as bubbles: the turns as they were given, what is trained on, and what a person should know."""

import json

import pytest

from core.data.encode import preview
from core.data.recognise import recognise
from core.data.template import Wording
from core.models.tokenizer import load_tokenizer
from tests import factory
from tests.core.data.test_chat import QWEN

TALK = [
    {"role": "user", "content": "Find tea"},
    {"role": "assistant", "tool_calls": [{"function": {"name": "find", "arguments": '{"what": "tea"}'}}]},
    {"role": "tool", "content": "3"},
    {"role": "assistant", "content": "Three."},
    {"role": "user", "content": "Thanks"},
]  # fmt: skip
TOOLS = [{"name": "find", "parameters": {}}]


@pytest.fixture(scope="module")
def tok(tmp_path_factory):
    return load_tokenizer(factory.write_tokenizer(tmp_path_factory.mktemp("t"), bos=True))


def seen(row, wording, tok, limit=999):
    return preview(row, recognise(list(row), [row]), wording, tok, limit)


@pytest.mark.parametrize(
    ("train_on", "trained"),
    [("answers", [False, False, False, True, False, True, False]), ("last", [False] * 5 + [True, False]),
     ("all", [True] * 6 + [False])],
)  # fmt: skip
def test_a_conversation_as_it_was_given(tok, train_on, trained):
    shown = seen({"messages": TALK, "tools": TOOLS}, Wording(None, "Be brief.", train_on), tok)
    assert [(m["role"], m["content"]) for m in shown.messages] == [
        ("system", "Be brief."),
        ("tools", json.dumps({"type": "function", "function": TOOLS[0]})),
        ("user", "Find tea"),
        ("assistant", '{"name": "find", "arguments": {"what": "tea"}}'),
        ("tool", "3"),
        ("assistant", "Three."),
        ("user", "Thanks"),
    ]
    assert [m["trained"] for m in shown.messages] == trained
    assert shown.warnings == ["What follows the last answer is left out."]


@pytest.mark.parametrize(
    ("train_on", "trained"), [("answers", [0, 1, 0, 1, 0]), ("last", [0, 0, 0, 1, 0]), ("all", [1] * 5)]
)
def test_a_text_template(tok, train_on, trained):
    shown = seen({"q": "Why?", "a": "So."}, Wording("{q} [[{a}]] and [[{a}]] end", None, train_on), tok)
    assert [(m["role"], m["content"]) for m in shown.messages] == [
        ("user", "Why?"), ("assistant", "So."), ("user", "and"), ("assistant", "So."), ("user", "end"),
    ]  # fmt: skip
    assert [m["trained"] for m in shown.messages] == trained and shown.warnings == []


def test_one_text_is_all_answer(tok):
    shown = seen({"text": "Once upon a time"}, "[[{text}]]", tok)
    assert shown.messages == [{"role": "assistant", "content": "Once upon a time", "trained": True}]


def test_the_beginning_token_is_not_trained_on(tok):
    shown = seen({"q": "Why?", "a": "So."}, Wording("chatml", None, "all"), tok)
    first, rest = shown.segments
    assert (first["trained"], [t["text"] for t in first["tokens"]]) == (False, ["<s>"]) and rest["trained"]
    assert shown.n_trained == shown.n_tokens - 1


def test_markers_that_the_model_does_not_know(tok):
    shown = seen({"q": "Why?", "a": "So."}, "llama-3", tok)
    assert shown.warnings == [
        "This model does not know <|start_header_id|>, <|end_header_id|>, <|eot_id|> as special tokens and reads "
        "them as plain text: choose a model made for Llama 3, or the format alpaca or plain."
    ]
    assert seen({"q": "Why?", "a": "So."}, "chatml", tok).warnings == []


def test_answers_that_cannot_be_told_apart(tmp_path):
    folder = factory.write_tokenizer(tmp_path, chat=None)
    (folder / "chat_template.jinja").write_text(QWEN)
    talk = [TALK[0], TALK[3], TALK[4], TALK[3]]
    shown = seen({"messages": talk}, None, load_tokenizer(folder))
    assert [m["trained"] for m in shown.messages] == [False, False, False, True]
    assert shown.warnings == [
        "The chat template writes earlier answers otherwise once more follow, so only the last one is trained on."
    ]
