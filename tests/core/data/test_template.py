"""Templates: columns, braces, marks, white space, the end token; and no row can write a special token."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.recognise import recognise
from core.data.template import Segment, Wording, answer_text, check_template, parse, prompt_segments, render
from core.errors import InputError
from core.models.tokenizer import load_tokenizer
from tests import factory

ROW = {"q": "Why?", "a": "So.", "full name": "Zoë", "n": 3, "d": {"k": [1, "ü"]}, "none": None}
LAYOUT = recognise(["q", "a"], [ROW])


@pytest.fixture(scope="module")
def tok(tmp_path_factory):
    return load_tokenizer(factory.write_tokenizer(tmp_path_factory.mktemp("t")))


@pytest.fixture(scope="module")
def tok_bos(tmp_path_factory):
    return load_tokenizer(factory.write_tokenizer(tmp_path_factory.mktemp("t"), bos=True))


def shown(template, tok, row=ROW):
    return [(s.text, s.answer) for s in render(row, LAYOUT, template, tok)]


@pytest.mark.parametrize(
    ("template", "want"),
    [
        ("{q}{a}", [("Why?", False), ("So.<|im_end|>", True)]),
        ("Q: {q} A: {a}!", [("Q: Why? A:", False), (" So.!<|im_end|>", True)]),
        ("{q}\n\n{a}", [("Why?", False), ("\n\nSo.<|im_end|>", True)]),
        ("[[{a}]] for {q}", [("So.<|im_end|>", True), (" for Why?", False)]),
        ("{q} [[{a}]] and [[{n}]]", [("Why?", False), (" So.", True), (" and", False), (" 3<|im_end|>", True)]),
        ("{full name} {d} {none}|{a}", [('Zoë {"k": [1, "ü"]} |', False), ("So.<|im_end|>", True)]),
        ('{{q}} {"name": "{q}"} {} { x } -> {a}',
         [('{q} {"name": "Why?"} {} { x } ->', False), (" So.<|im_end|>", True)]),
        ("{q} -> [[{{q}} is {a}]]", [("Why? ->", False), (" {q} is So.<|im_end|>", True)]),
        ("[[[{a}]]]", [("[So.]<|im_end|>", True)]),
        ("[[{a}]]", [("So.<|im_end|>", True)]),
        ("<|im_start|>{q}<|im_end|>[[{a}]]<|im_end|>\n",
         [("<|im_start|>Why?<|im_end|>", False), ("So.<|im_end|>", True), ("\n", False)]),
        ("{q} {a}<|im_end|>", [("Why?", False), (" So.<|im_end|>", True)]),
        ("{q} [[{a}]]</s>", [("Why?", False), (" So.</s><|im_end|>", True)]),
    ],
)  # fmt: skip
def test_segments(template, want, tok):
    assert shown(template, tok) == want


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{q} {anser}", "The template names {anser}, and the data has no such column. Did you mean {answer}? "
         "Columns: q, answer."),
        ("{Q} {answer}",
         "The template names {Q}, and the data has no such column. Did you mean {q}? Columns: q, answer."),
        ("{ANSWER} {q}", "The template names {ANSWER}, and the data has no such column. Did you mean {answer}? "
         "Columns: q, answer."),
        ("{q} { answer }", "The template names { answer }, and the data has no such column. Did you mean {answer}? "
         "Columns: q, answer."),
        ("{q} {answer?}", "The template names {answer?}, and the data has no such column. Did you mean {answer}? "
         "Columns: q, answer."),
        ("llama3", "There is no format 'llama3'. Did you mean 'llama-3'? Known: alpaca, chatml, llama-3, phi, gemma, "
         "plain. A template of your own names a column in braces, such as {answer}."),
        ("no column", "The template names no column: put a column in braces, such as {answer}."),
        ("  ", "The template is empty: put a column in braces, such as {answer}."),
        ("{q} [[{answer}", "The template opens an answer with [[ and never closes it with ]]."),
        ("{q} {answer}]]", "The template closes an answer with ]] that no [[ opens."),
        ("[[{q} [[{answer}]]]]", "The template opens an answer with [[ inside an answer: close the first with ]]."),
        ("{q} [[]]", "The answer between [[ and ]] names no column, so every row would teach the same words: "
         "put the answer's column there, such as [[{answer}]]."),
    ],
)  # fmt: skip
def test_a_template_that_does_not_fit(template, sentence):
    with pytest.raises(InputError) as error:
        check_template(template, ["q", "answer"])
    assert str(error.value) == sentence and error.value.field == "data.template"


def test_names_that_only_a_column_can_make_special():
    assert [p.text for p in parse("{a:b} {c}", ("a:b", "c")) if p.column] == ["a:b", "c"]
    assert [p.text for p in parse("{a:b} {c}", ("c",)) if p.column] == ["c"]


def test_values_are_never_read_as_a_template(tok):
    row = {"q": "{a} [[x]] {{q}}", "a": "]] {q} [["}
    assert shown("{q}\n{a}", tok, row) == [("{a} [[x]] {{q}}", False), ("\n]] {q} [[<|im_end|>", True)]


def test_an_end_token_that_the_data_wrote_is_not_doubled(tok):
    assert shown("{q}\n{a}", tok, {"q": "x", "a": "y<|im_end|>"}) == [("x", False), ("\ny<|im_end|>", True)]


def test_an_empty_answer_is_only_the_end(tok):
    assert shown("{q}\n{a}", tok, {"q": "x", "a": None}) == [("x", False), ("\n<|im_end|>", True)]
    assert answer_text({"q": "x", "a": None}, LAYOUT, "{q}\n{a}", tok) == ""


def test_the_beginning_token_comes_once(tok_bos):
    assert shown("{q}{a}", tok_bos)[0] == ("<s>", False)
    assert [t for t, _ in shown("<s>{q}{a}", tok_bos)] == ["<s>Why?", "So.<|im_end|>"]
    assert [t for t, _ in shown("{q}{a}", tok_bos, {"q": "", "a": "<s>"})] == ["<s>", "<s><|im_end|>"]


def test_answer_and_prompt(tok):
    assert answer_text(ROW, LAYOUT, "{q} [[ {a} ]] and [[{n}]]", tok) == "3"
    assert answer_text(ROW, LAYOUT, "{q}\n{a}\n", tok) == "So."
    segments = render(ROW, LAYOUT, "{q} [[{a}]] and [[{n}]] end", tok)
    assert [s.text for s in prompt_segments(segments)] == ["Why?", " So.", " and"]
    assert prompt_segments([Segment("x", False)]) == [Segment("x", False)]


def test_a_model_without_a_chat_template_gets_a_proposal(tmp_path):
    tok = load_tokenizer(factory.write_tokenizer(tmp_path / "t", chat=None))
    with pytest.raises(InputError, match="no chat template: write a template, such as") as error:
        render(ROW, LAYOUT, None, tok)
    assert error.value.field == "data.template"


@pytest.mark.parametrize(
    ("train_on", "want"),
    [("answers", [False, True, False, True, False]), ("last", [False, False, False, True, False]), ("all", [True] * 5)],
)
def test_where_the_loss_is_taken(tok, train_on, want):
    wording = Wording("{q} [[{a}]] and [[{n}]] end", train_on=train_on)
    segments = render(ROW, LAYOUT, wording, tok)
    assert [s.trained for s in segments] == want and segments[3].text == " 3<|im_end|>"
    assert [s.text for s in segments] == [s.text for s in render(ROW, LAYOUT, wording.template, tok)]
    assert prompt_segments(segments)[-1].text == " and" and answer_text(ROW, LAYOUT, wording, tok) == "3"


def test_a_text_template_holds_its_own_system_prompt(tok):
    with pytest.raises(InputError, match="no place for a system prompt: write it into the template") as error:
        render(ROW, LAYOUT, Wording("{q}{a}", system="Be brief."), tok)
    assert error.value.field == "data.system"


SCRAPS = ["<|im_end|>", "<|im_start|>", "</s>", "<s>", "<", "|im_end|>", "a", " ", "\n", "{a}", "[["]
NASTY = st.lists(st.sampled_from(SCRAPS), max_size=6).map("".join)
FORMS = ["{q}{a}", "<|im_start|>{q}|im_end|>[[{a}]]", "[[{a}]] {q}<"]


@settings(max_examples=150, deadline=None)
@given(NASTY, NASTY, st.sampled_from(FORMS))
def test_only_the_template_writes_special_tokens(tok, q, a, template):
    from core.data.encode import encode
    from core.models.tokenizer import traits

    row, t = {"q": q, "a": a}, traits(tok)
    calm = {"q": "x", "a": "y"}
    special = set(t.ids.values())
    found, expected = (
        [i for i in encode(render(r, LAYOUT, template, tok), tok, 10_000).input_ids if i in special]
        for r in (row, calm)
    )
    assert found == expected
