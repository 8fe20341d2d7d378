"""The layout that a person sets: gaps are filled, and every slip is a sentence that names the nearest."""

import pytest

from core.data.formats import LAYOUTS
from core.data.mapping import overrule
from core.errors import InputError

ROWS = [{"Frage": f"What is {i} and {i}, my dear?", "Antwort": str(2 * i), "kind": "ab"[i % 2]} for i in range(12)]
COLUMNS = list(ROWS[0])
TALK = [{"chat": [{"who": "human", "says": "u"}, {"who": "gpt", "says": "a"}], "note": "x"}]


@pytest.mark.parametrize(
    ("layout", "roles", "want"),
    [
        ("text", None, {"text": "Frage"}),
        ("text", {"text": "Antwort"}, {"text": "Antwort"}),
        ("text_label", None, {"text": "Frage", "label": "kind"}),
        ("text_label", {"text": "Frage", "label": "Antwort"}, {"text": "Frage", "label": "Antwort"}),
        ("prompt_completion", {"completion": "Antwort"}, {"prompt": "Frage", "completion": "Antwort"}),
        ("prompt_completion", {"prompt": "Antwort", "completion": "Frage"},
         {"prompt": "Antwort", "completion": "Frage"}),
        ("alpaca", {"output": "Antwort"}, {"instruction": "Frage", "output": "Antwort"}),
        ("alpaca", {"output": "Antwort", "input": "kind"},
         {"instruction": "Frage", "input": "kind", "output": "Antwort"}),
        ("pair", {"first": "Frage", "second": "Antwort"}, {"first": "Frage", "second": "Antwort", "label": "kind"}),
        ("preference", {"chosen": "Antwort", "prompt": "Frage"}, {"chosen": "Antwort", "prompt": "Frage"}),
    ],
)  # fmt: skip
def test_gaps_are_filled(layout, roles, want):
    found = overrule(COLUMNS, ROWS, layout, roles)
    assert (found.name, found.roles) == (layout, want)
    assert found.evidence.startswith("Set by hand: ") and all(repr(c) in found.evidence for c in want.values())


def test_nothing_set_is_what_was_recognised():
    assert overrule(COLUMNS, ROWS, None, None).name == "text_label"


def test_keys_of_turns_are_roles_too():
    found = overrule(["chat", "note"], TALK, "messages", {"messages": "chat", "role": "who", "content": "says"})
    assert found.roles == {"messages": "chat", "role": "who", "content": "says"}
    assert overrule(["c"], [{"c": [{"from": "human", "value": "u"}]}], "messages", None).roles["role"] == "from"
    assert overrule(["c"], [], "sharegpt", None).roles == {"messages": "c", "role": "from", "content": "value"}


def test_an_optional_role_can_be_left_out():
    rows = [{"instruction": "i", "input": "x", "output": "o", "system": "s"}]
    assert overrule(list(rows[0]), rows, "alpaca", {"input": "", "system": ""}).roles == {
        "instruction": "instruction", "output": "output",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("layout", "roles", "field", "sentence"),
    [
        (None, {"text": "Frage"}, "data.layout", "Roles belong to a layout: set the layout as well."),
        ("pairs", None, "data.layout",
         f"There is no layout 'pairs'. Did you mean 'pair'? Known: {', '.join(LAYOUTS)}."),
        ("text_label", {"lable": "kind"}, "data.roles",
         "There is no role in the layout text_label 'lable'. Did you mean 'label'? Known: text, label."),
        ("text_label", {"text": "frage"}, "data.roles",
         "The role text names the column 'frage', and the data has no such "
         "column. Did you mean 'Frage'? Columns: Frage, Antwort, kind."),
        ("text_label", {"text": "kind", "label": "kind"}, "data.roles",
         "The column 'kind' cannot be both text and label: choose another."),
        ("preference", None, "data.layout",
         "The layout preference needs a column for 'chosen answer' (chosen): choose one of Frage, Antwort, kind."),
        ("messages", {"messages": "Frage"}, "data.roles",
         "The column 'Frage' holds no lists of turns, so it is no conversation."),
    ],
)  # fmt: skip
def test_slips(layout, roles, field, sentence):
    with pytest.raises(InputError) as error:
        overrule(COLUMNS, ROWS, layout, roles)
    assert (str(error.value), error.value.field) == (sentence, field)


def test_more_roles_than_columns():
    with pytest.raises(InputError, match=r"needs a column for 'score or label' \(label\): the data has no column left"):
        overrule(["a", "b"], [{"a": "x", "b": "y"}], "pair", None)


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ({"role": "says", "content": "who"}, "The roles are swapped: in the turns of 'chat' it is 'who' that says who "
         "speaks, and 'says' what is said."),
        ({"role": "whom"}, "There is no key in the turns of 'chat' 'whom'. Did you mean 'who'? Known: who, says."),
    ],
)  # fmt: skip
def test_slips_in_the_keys_of_turns(roles, words):
    with pytest.raises(InputError) as error:
        overrule(["chat", "note"], TALK, "messages", {"messages": "chat"} | roles)
    assert (str(error.value), error.value.field) == (words, "data.roles")
