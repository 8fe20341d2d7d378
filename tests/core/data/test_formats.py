"""A row of every layout becomes messages, and each layout says what its roles are."""

import pytest

from core.data.formats import LAYOUTS, ROLES_OF, Layout, to_messages, unanswered
from core.data.formats import tools as tools_of_row
from core.data.recognise import recognise
from core.errors import InputError

SHAREGPT = {
    "conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]
}
MESSAGES = {
    "messages": [{"role": "user", "content": [{"type": "text", "text": "u"}]}, {"role": "assistant", "content": "a"}]
}
TALK = MESSAGES["messages"]
AGAIN = [{"role": "user", "content": "v"}, {"role": "assistant", "content": "b"}]
HH = "\n\nHuman: u\n\nAssistant: a\n\nHuman: more\n\nAssistant: b"


def said(row, layout=None):
    return [m["content"] for m in to_messages(row, layout or recognise(list(row), [row]))]


@pytest.mark.parametrize(
    ("row", "name", "want"),
    [
        (SHAREGPT, "sharegpt", ["s", "u", "a"]),
        (SHAREGPT | {"system": "S"}, "sharegpt", ["S\n\ns", "u", "a"]),
        ({"conversations": SHAREGPT["conversations"][1:], "system": "S"}, "sharegpt", ["S", "u", "a"]),
        (MESSAGES, "messages", ["u", "a"]),
        (MESSAGES | {"System Prompt": " "}, "messages", ["u", "a"]),
        ({"instruction": "i", "input": "x", "output": "o"}, "alpaca", ["i\n\nx", "o"]),
        ({"Instruction": "i", "input": "", "Output": "o"}, "alpaca", ["i", "o"]),
        ({"instruction": "i", "context": "c", "response": "r", "category": "k"}, "alpaca", ["i\n\nc", "r"]),
        ({"instruction": "i", "output": "o", "system": "s"}, "alpaca", ["s", "i", "o"]),
        ({"question": "q", "answer": 4}, "prompt_completion", ["q", "4"]),
        ({"question": "q", "answer": "a", "passage": "p"}, "prompt_completion", ["p\n\nq", "a"]),
        ({"id": "1", "system_prompt": "s", "question": "q", "response": "r"}, "prompt_completion", ["s", "q", "r"]),
        ({"source": "long", "summary": "short"}, "prompt_completion", ["long", "short"]),
        ({"note": "n", "fields": {"a": 1}, "names": "known"}, "prompt_completion", ["n", '{"a": 1}']),
        ({"phrase": "p", "tone": "t"}, "text_label", ["p", "t"]),
        ({"text": "p", "category": "c", "id": "1"}, "text_label", ["p", "c"]),
        ({"left": "l", "right": "r"}, "prompt_completion", ["l", "r"]),
        ({"tokens": ["Ada", "sings"], "ner_tags": ["B-PER", "O"], "text": "Ada sings", "entities": '{"PER": ["Ada"]}'},
         "tokens_tags", ["Ada sings", '{"PER": ["Ada"]}']),
        ({"sentence1": "x", "sentence2": "y", "score": 2.5, "split": "train"}, "pair",
         ["Sentence1: x\nSentence2: y", "2.5"]),
        ({"Premise": "x", "Hypothesis": "y", "label": "neutral"}, "pair", ["Premise: x\nHypothesis: y", "neutral"]),
        ({"prompt": "p", "chosen": "good", "rejected": "bad"}, "preference", ["p", "good"]),
        ({"prompt": "p", "chosen": TALK, "rejected": TALK}, "preference", ["u", "a"]),
        ({"prompt": TALK[:1], "chosen": TALK[1:], "rejected": TALK[1:]}, "preference", ["u", "a"]),
        ({"chosen": TALK, "rejected": TALK}, "preference", ["u", "a"]),
        ({"prompt": "p", "chosen": [TALK[1], *TALK], "rejected": TALK[1:]}, "preference", ["p", "a", "u", "a"]),
        ({"prompt": TALK[:1], "chosen": [TALK[1], *AGAIN], "rejected": TALK[1:]}, "preference", ["u", "a", "v", "b"]),
        ({"prompt": TALK, "chosen": AGAIN, "rejected": AGAIN}, "preference", ["u", "a", "v", "b"]),
        ({"prompt": "u", "chosen": [TALK[1], *TALK], "rejected": TALK}, "preference", ["a", "u", "a"]),
        (
            {"instruction": "do", "input": "this", "chosen": "good", "rejected": "bad"},
            "preference",
            ["do\n\nthis", "good"],
        ),
        (
            {"context": "c", "question": "q", "chosen": "good", "rejected": "bad"},
            "preference",
            ["c\n\nq", "good"],
        ),
        ({"chosen": HH, "rejected": HH}, "preference", ["u", "a", "more", "b"]),
        ({"prompt": "\n\nHuman: u\n\nAssistant:", "chosen": " a", "rejected": " b"}, "preference", ["u", " a"]),
        ({"system": "s", "question": "q", "chosen": "good", "rejected": "bad"}, "preference", ["s", "q", "good"]),
    ],
)  # fmt: skip
def test_layouts(row, name, want):
    layout = recognise(list(row), [row])
    assert layout.name == name and layout.evidence.endswith(".") and layout.evidence.count(". ") == 0
    assert said(row, layout) == want
    roles = [role.name for role in ROLES_OF[name]]
    assert set(layout.roles) <= set(roles)
    assert {role.name for role in ROLES_OF[name] if not role.optional} <= set(layout.roles)


def test_an_instruction_keeps_its_input_apart():
    row = {"instruction": "i", "input": "x", "output": "o"}
    user = to_messages(row, recognise(list(row), [row]))[0]
    assert (user["instruction"], user["input"]) == ("i", "x")


def test_one_text_has_no_question():
    for row in ({"text": "x"}, {"chosen": "x", "rejected": "y"}):
        column = next(iter(row))
        with pytest.raises(InputError, match=f"hold one text \\('{column}'\\)") as error:
            said(row)
        assert error.value.field == "data.template"


def test_the_chosen_answers_are_said_to_be_trained_on():
    layout = recognise(["chosen", "rejected"], [])
    assert layout.evidence == (
        "'chosen' is preferred to 'rejected': the chosen answers are trained on, the rejected ones are not used."
    )


def test_a_conversation_without_its_last_answer():
    row = {"messages": [*TALK, {"role": "user", "content": "more"}, {"role": "assistant", "content": "b"}], "id": 1}
    layout = recognise(list(row), [row])
    assert unanswered(row, layout) == {"messages": row["messages"][:3], "id": 1}
    plain = {"prompt": "p", "completion": "c"}
    assert unanswered(plain, recognise(list(plain), [plain])) == plain


def test_the_tools_of_a_row():
    row = MESSAGES | {"tools": '[{"name": "find", "parameters": {}}]'}
    layout = recognise(list(row), [row])
    assert tools_of_row(row, layout) == [{"type": "function", "function": {"name": "find", "parameters": {}}}]
    assert tools_of_row(row | {"tools": None}, layout) == tools_of_row(MESSAGES, recognise(["messages"], [row])) == []


def test_every_layout_says_what_its_roles_are():
    assert len(LAYOUTS) == 9
    for roles in ROLES_OF.values():
        assert len({role.name for role in roles}) == len(roles)
        assert all(role.label and role.label[0].isupper() for role in roles)


@pytest.mark.parametrize(("column", "turn", "words"), [
    ("Be brief.", "Be kind.", "Be brief.\n\nBe kind."), ("Be kind.", "Be kind.", "Be kind."),
    ("Be kind.", "Be kind. Be brief.", "Be kind. Be brief."), ("Be kind.", "", "Be kind."),
    ("", "Be kind.", "Be kind."),
])  # fmt: skip
def test_a_system_prompt_beside_a_system_turn(column, turn, words):
    layout = Layout("messages", {"messages": "messages", "system": "system"}, "")
    turns = [{"role": role, "content": said} for role, said in (("system", turn), ("user", "hi"), ("assistant", "ho"))]
    made = to_messages({"messages": turns, "system": column}, layout)
    assert [m["role"] for m in made] == ["system", "user", "assistant"] and made[0]["content"] == words


def test_a_preference_has_earlier_turns():
    row = {"prompt": "q", "chosen": "good", "rejected": "bad", "history": [["x", "y"]]}
    layout = recognise(list(row), [row])
    assert layout.conversational and [m["content"] for m in to_messages(row, layout)] == ["x", "y", "q", "good"]
