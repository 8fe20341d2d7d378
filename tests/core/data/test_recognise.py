"""Layouts are found whatever the rows hold: odd names, missing and mixed values, no rows at all."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.formats import LAYOUTS, ROLES_OF, to_messages
from core.data.recognise import folded, recognise
from core.data.suggest import suggest_task, suggest_template
from core.errors import InputError
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("row", "name", "roles"),
    [
        ({"Chosen": "a", "REJECTED": "b"}, "preference", {"chosen": "Chosen", "rejected": "REJECTED"}),
        ({"Sentence 1": "x", "sentence-2": "y", "Similarity Score": 0.5}, "pair",
         {"first": "Sentence 1", "second": "sentence-2", "label": "Similarity Score"}),
        ({"ＱＵＥＳＴＩＯＮ": "q", " answer ": "a"}, "prompt_completion",
         {"prompt": "ＱＵＥＳＴＩＯＮ", "completion": " answer "}),
        ({"talk": [{"role": "user", "content": "u"}]}, "messages",
         {"messages": "talk", "role": "role", "content": "content"}),
        ({"talk": [{"speaker": "Human", "text": "u"}]}, "messages",
         {"messages": "talk", "role": "speaker", "content": "text"}),
        ({"dialog": '[{"from": "human", "value": "u"}]', "tools": "[]"}, "sharegpt",
         {"messages": "dialog", "role": "from", "content": "value", "tools": "tools"}),
        ({"messages": [{"role": "assistant", "tool_calls": []}, {"role": "user", "content": "u"}]}, "messages",
         {"messages": "messages", "role": "role", "content": "content"}),
        ({"text": "x", "spans": [{"role": "agent of change", "text": "y"}], "label": "z"}, "text_label",
         {"text": "text", "label": "label"}),
        ({"prompt": "p", "chosen": [{"from": "human", "value": "u"}], "rejected": [], "messages": []}, "preference",
         {"chosen": "chosen", "rejected": "rejected", "prompt": "prompt", "role": "from", "content": "value"}),
        ({"words": ["a"], "tags": [0]}, "tokens_tags",
         {"tokens": "words", "tags": "tags", "text": "text", "entities": "entities"}),
        ({"query": "q", "passage": "p"}, "prompt_completion", {"prompt": "query", "completion": "passage"}),
        ({"text": "x", "target": "long " * 40}, "prompt_completion", {"prompt": "text", "completion": "target"}),
    ],
)  # fmt: skip
def test_what_is_found(row, name, roles):
    layout = recognise(list(row), [row])
    assert (layout.name, layout.roles) == (name, roles)


def test_a_column_that_is_always_the_same_is_no_label():
    rows = [{"words": f"some words {i}", "reply": f"an answer {i}", "source": "web", "lang": None} for i in range(20)]
    assert recognise(list(rows[0]), rows).name == "prompt_completion"
    for i, row in enumerate(rows):
        row["lang"] = ("en", "nl")[i % 2]
    assert recognise(list(rows[0]), rows).roles["label"] == "lang"


def test_rows_without_columns():
    with pytest.raises(InputError, match="The rows have no columns"):
        recognise([], [{}])


NAMES = st.sampled_from(
    ["text", "label", "messages", "conversations", "chosen", "rejected", "prompt", "tokens", "ner_tags", "sentence1",
     "sentence2", "score", "instruction", "output", "input", "question", "answer", "tools", "system", "a b", "ünï",
     "{x}"]
) | st.text(min_size=1, max_size=6)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
TURNS = st.dictionaries(st.sampled_from(["role", "content", "from", "value", "tool_calls"]), SCALARS | st.just("user"))
VALUES = SCALARS | st.lists(SCALARS | TURNS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


@settings(max_examples=200)
@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.data())
def test_odd_rows_always_have_some_layout(columns, data):
    rows = data.draw(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(columns, VALUES)), max_size=9))
    layout = recognise(columns, rows)
    wanted = {role.name: role for role in ROLES_OF[layout.name]}
    assert all(role.optional or role.name in layout.roles for role in wanted.values())
    derived = ("text", "entities") if layout.name == "tokens_tags" else ()
    assert all(c in columns for r, c in layout.roles.items() if not wanted[r].key and r not in derived)
    suggest_template(layout), suggest_task(layout, rows)
    for row in rows:
        try:
            messages = to_messages(row, layout)
        except InputError as error:
            assert str(error).endswith(".")
        else:
            assert all(isinstance(m["content"], str) for m in messages)


def test_the_rows_in_the_docs_have_the_layouts_that_they_stand_for():
    table = re.findall(r"^\| `(\w+)` \| `(\{.*\})` \|", (ROOT / "docs" / "data.md").read_text("utf-8"), re.MULTILINE)
    rows = {name: json.loads(row) for name, row in table}
    assert set(rows) == set(LAYOUTS)
    assert {name: recognise(list(row), [row]).name for name, row in rows.items()} == {name: name for name in rows}


def test_names_that_differ_in_spelling_only():
    assert len({folded(n) for n in ("Full Name", "full_name", " full-name ", "ＦＵＬＬ ｎａｍｅ", "full.NAME")}) == 1


EARLIER = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]


@pytest.mark.parametrize(
    ("column", "question", "name"),
    [("conversation", "who?", "prompt_completion"), ("previous_messages", "who?", "prompt_completion"),
     ("conversation", "HI ", "messages")],
)  # fmt: skip
def test_turns_beside_a_question_that_is_not_in_them_come_before_it(column, question, name):
    rows = [{column: EARLIER, "question": question, "answer": "he"}] * 3
    layout = recognise(list(rows[0]), rows)
    assert layout.name == name and layout.roles.get("history") == (column if name == "prompt_completion" else None)


@pytest.mark.parametrize(
    ("column", "values"), [("conversation_id", "0011"), ("target_lang", ["en", "de"] * 2), ("by", ["user", "bot"] * 2)]
)
def test_speakers_languages_and_conversations_are_no_labels(column, values):
    rows = [{"words": f"some words {i}", "more": f"other words {i}", column: v} for i, v in enumerate([*values] * 4)]
    assert column not in recognise(list(rows[0]), rows).roles.values()


def test_two_texts_by_their_languages_are_a_pair():
    rows = [{"source_lang": "en", "source_text": "hi", "target_text": "ho", "target_lang": "de"}] * 9
    assert recognise(list(rows[0]), rows).roles == {"prompt": "source_text", "completion": "target_text"}
