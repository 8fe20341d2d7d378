"""What holds for any row, template and tokenizer: the text comes back, masks fall on borders, answers end."""

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.chat import render_chat
from core.data.dialect import dialect, put, write
from core.data.encode import encode, encode_many, encode_prompt, preview
from core.data.formats import Layout
from core.data.named import NAMED, chat_template
from core.data.segments import Segment
from core.data.template import Wording, prompt_segments, render
from core.data.tokens import tokenise
from core.data.turns import as_text
from core.errors import InputError
from core.models.tokenizer import pad_id, traits
from tests.core.data import families
from tests.core.data.families import END, KINDS, LOSSLESS
from tests.core.data.test_dialect import CALL, KNOWING
from tests.factory import CHATS

LAYOUT = Layout("prompt_completion", {"prompt": "q", "completion": "a"}, "")
TEXTS = ["{q}{a}", "Q: {q}\nA: {a}", "### {q}\n### {a}\n", "{q} [[{a}]] and [[{q}]] end", "[[{a}]] {q}"]
PLAIN = ["alpaca", "plain"]  # formats without special tokens in them
MARKED = [name for name in NAMED if name not in PLAIN]
MARKERS = tuple(dict.fromkeys(marker for named in NAMED.values() for marker in named.markers if marker != END))
# Families that put no space behind a special token in the middle of a text.
TIGHT = ("bpe", "first", "never", "gemma")
SCRAPS = [
    END, "<|im_start|>", "<s>", "</s>", "<|im_", "end|>", "<", "<end_of_turn>", "{a}", "{{q}}", "[[", "]]", "}", "{",
    "{% for m in messages %}", "{{ messages }}", "{%- generation %}", "\\n", "###", "😀", "👩‍👩‍👧", "e\u0301", "東京",
    "שלום", "مرحبا", "\u202e", "\u200f", "\x00", "\x07", "\x1b[0m", "\x7f", "\ufeff", "\u2028", "\ue000", "\uf8ff",
    "\ud83d", "\udc00", "\ud83d\ude00", "\r\n", "\n", "\t", " ", "  ", "a", "Zoë", "12", "hello there",
]  # fmt: skip
VALUE = st.lists(st.sampled_from(SCRAPS), max_size=6).map("".join) | st.text(
    st.characters(exclude_characters="▁"), max_size=20
)
WORDS = st.lists(
    st.sampled_from(["the", "lake", "lies", "still", "tonight", "joyful", "Zoë", "24", "dog,"]), min_size=1, max_size=8
).map(" ".join)
tok_of = functools.cache(lambda kind, bos=False, pad=families.PAD: families.make(kind, bos, pad, MARKERS))


def rendered(row, template, tok, **more):
    return render(row, LAYOUT, Wording(template, **more), tok)


def whole(segments):
    return "".join(s.text for s in segments)


def body(tok, ids):
    """The text of tokens, without the beginning token."""
    return families.text_of(tok, ids[1:] if ids[:1] == [tok.bos_token_id] else ids)


def formats(kind):
    return [*TEXTS, *PLAIN, *(MARKED if kind in TIGHT else [])]


KIND_AND_FORMAT = st.sampled_from([(kind, form) for kind in LOSSLESS for form in formats(kind)])


@settings(max_examples=250)
@given(VALUE, VALUE, KIND_AND_FORMAT, st.booleans())
def test_decoding_gives_the_text_back_up_to_every_border(q, a, kind_and_format, bos):
    kind, template = kind_and_format
    tok = tok_of(kind, bos)
    segments = rendered({"q": q, "a": a}, template, tok)
    text, ids, at = "", [], 0
    start = traits(tok).bos
    for segment, (made, _) in zip(segments, tokenise(segments, tok), strict=True):
        text, ids = text + segment.text, ids + made  # some families put a space in front, or take one away there
        said = text.removeprefix(start)
        assert body(tok, ids) in (said, said.removeprefix(" "), f" {said}")
    made = encode(segments, tok, 10**6)
    assert made.input_ids == ids
    for segment, (own, _) in zip(segments, tokenise(segments, tok), strict=True):  # the mask: whole segments
        labels = made.labels[at : at + len(own)]
        assert labels == (own if segment.answer else [-100] * len(own))
        at += len(own)


@settings(max_examples=150)
@given(VALUE, VALUE, st.sampled_from(LOSSLESS), st.sampled_from([*TEXTS, *NAMED]), st.booleans())
def test_values_stay_plain_text(q, a, kind, template, bos):
    tok = tok_of(kind, bos)
    segments = rendered({"q": q, "a": a}, template, tok)
    text = whole(segments)
    for value in (as_text(q), as_text(a).removesuffix(END)):
        assert value.strip() in text
    text.encode("utf-8")
    special = set(traits(tok).ids.values())
    found, calm = (
        [i for i in encode(s, tok, 10**6).input_ids if i in special]
        for s in (segments, rendered({"q": "x", "a": "y"}, template, tok))
    )
    assert found == calm


@settings(max_examples=150)
@given(VALUE, VALUE, st.sampled_from(KINDS), st.sampled_from([*TEXTS, *NAMED]), st.booleans())
def test_prompts_are_those_that_inference_sends(q, a, kind, template, bos):
    tok = tok_of(kind, bos and kind != "wordpiece")
    segments = rendered({"q": q, "a": a}, template, tok)
    made, prompt = encode(segments, tok, 10**6), prompt_segments(segments)
    ids = encode_prompt(prompt, tok, 10**6)
    if any(own for own, _ in tokenise(prompt, tok)):
        assert made.input_ids[: len(ids)] == ids
    other = rendered({"q": q, "a": "something else"}, template, tok)
    if template in NAMED or template in TEXTS[:3]:  # one answer, at the end: the prompt does not hang on it
        assert encode_prompt(prompt_segments(other), tok, 10**6) == ids
    if traits(tok).eos:
        last = [label for label in made.labels if label >= 0][-1]
        end = [s for s in segments if s.answer][-1]
        assert end.end and tok.convert_tokens_to_ids(end.text[-end.end :]) == last
        assert pad_id(tok, Wording(template).chat_template(tok)) != last


@settings(max_examples=100)
@given(VALUE, VALUE, st.sampled_from(KINDS), st.sampled_from([*TEXTS, *NAMED]), st.booleans())
def test_what_is_trained_on_changes_no_id(q, a, kind, template, bos):
    tok, row = tok_of(kind, bos and kind != "wordpiece"), {"q": q, "a": a}
    answers, last, everything = (
        encode(rendered(row, template, tok, train_on=on), tok, 10**6) for on in ("answers", "last", "all")
    )
    assert answers.input_ids == last.input_ids == everything.input_ids
    begin = answers.input_ids[:1] == [tok.bos_token_id] and bos
    assert everything.labels[begin:] == everything.input_ids[begin:] and (not begin or everything.labels[0] == -100)
    assert [label for label in last.labels if label >= 0] == [
        label for label in answers.labels[len(answers.labels) - _tail(last.labels) :] if label >= 0
    ]
    assert all(a == b or b == -100 for a, b in zip(answers.labels, last.labels, strict=True))


def _tail(labels):
    """How many labels there are from the first trained one on."""
    return len(labels) - next(i for i, label in enumerate([*labels, 0]) if label >= 0)


@settings(max_examples=100)
@given(WORDS, WORDS, st.sampled_from(["bpe", "never", "gemma", "first"]), st.sampled_from(list(NAMED)), st.booleans())
def test_masks_are_those_of_transformers(q, a, kind, name, bos):
    tok = tok_of(kind, bos)
    talk = [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
    theirs = tok.apply_chat_template(
        talk, chat_template=chat_template(name, tok), return_dict=True, return_assistant_tokens_mask=True
    )
    ours = encode(rendered({"q": q, "a": a}, name, tok), tok, 10**6)
    assert ours.input_ids == theirs["input_ids"]
    assert [int(label >= 0) for label in ours.labels] == theirs["assistant_masks"]


@settings(max_examples=60)
@given(WORDS, WORDS, st.sampled_from(TEXTS[1:3]), st.sampled_from(LOSSLESS), st.booleans())
def test_a_prompt_is_what_the_tokenizer_itself_makes_of_its_text(q, a, template, kind, bos):
    tok = tok_of(kind, bos)
    prompt = prompt_segments(rendered({"q": q, "a": a}, template, tok))
    text = whole(prompt).removeprefix(traits(tok).bos)
    assert encode_prompt(prompt, tok, 10**6) == tok(text, add_special_tokens=bos)["input_ids"]


@settings(max_examples=60)
@given(WORDS, WORDS, st.sampled_from([*TEXTS, "alpaca", "plain"]))
def test_word_pieces_are_those_of_the_normalised_text(q, a, template):
    tok = tok_of("wordpiece")
    segments = rendered({"q": q, "a": a}, template, tok)
    pieces = tok.convert_ids_to_tokens(encode(segments, tok, 10**6).input_ids)
    words = tok.convert_ids_to_tokens(tok(whole(segments).replace("\n", " "), add_special_tokens=False)["input_ids"])
    if "[UNK]" not in pieces + words:
        assert "".join(p.removeprefix("##") for p in pieces) == "".join(w.removeprefix("##") for w in words)


# Conversations


CALLED = st.fixed_dictionaries({"name": WORDS, "arguments": st.dictionaries(VALUE.map(as_text), VALUE.map(as_text))})
SAID = VALUE.map(as_text)
TALKS = st.builds(
    lambda system, rounds: [m for some in (*system, *rounds) for m in some],
    st.lists(SAID.map(lambda text: [{"role": "system", "content": text}]), max_size=1),
    st.lists(
        st.builds(
            lambda asked, call, result, words: [
                {"role": "user", "content": asked},
                *([{"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": call}]},
                   {"role": "tool", "name": "x", "content": result}] if call else []),
                {"role": "assistant", "content": words},
            ],
            SAID, st.none() | CALLED, SAID, SAID.map(lambda text: text if text.strip() else "x"),
        ),
        min_size=1, max_size=3,
    ),
)  # fmt: skip


@settings(max_examples=120)
@given(TALKS, st.sampled_from([*NAMED, "knowing", "plain chat"]), st.sampled_from(TIGHT), st.booleans())
def test_conversations_are_written_as_the_template_writes_them(talk, form, kind, tooled):
    tok = tok_of(kind)
    template = {"knowing": KNOWING, "plain chat": CHATS["plain"]}.get(form) or chat_template(form, tok)
    tools = [{"type": "function", "function": {"name": END, "parameters": {END: [END]}}}] * tooled
    segments = render_chat(talk, tok, Wording(), template, tools)
    plain, named = put(talk, tools, dialect(tok, template))
    assert whole(segments) == write(tok, template, plain, named)
    answers = [s for s in segments if s.answer]
    assert len(answers) == sum(m["role"] == "assistant" for m in talk)
    assert all(s.end and s.text[-s.end :] == answers[0].text[-answers[0].end :] for s in answers)
    ids, special = encode(segments, tok, 10**6).input_ids, set(traits(tok).ids.values())
    calm = [m | {"content": "x"} | ({"tool_calls": [CALL]} if "tool_calls" in m else {}) for m in talk]
    quiet = encode(render_chat(calm, tok, Wording(), template, [{"name": "x"}] * tooled), tok, 10**6).input_ids
    assert [i for i in ids if i in special] == [i for i in quiet if i in special]
    assert families.text_of(tok, ids) in (whole(segments), whole(segments).removeprefix(" "))


# The limit


TURNS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)), min_size=1, max_size=6)


@settings(max_examples=200)
@given(TURNS, st.integers(8, 120), st.booleans(), st.integers(0, 3))
def test_cut_rows_keep_the_end_wherever_the_last_answer_fits(turns, limit, bos, tail):
    tok = tok_of("bpe")
    segments = [Segment("<s>", False)] * bos
    for asked, said in turns:
        segments += [Segment("a " * asked, False), Segment("b " * said + END, True, (), len(END))]
    segments += [Segment("c " * tail, False)] if tail else []
    whole_row, made = (encode(segments, tok, n) for n in (10**6, limit))
    assert len(made.input_ids) <= limit and len(made.labels) == len(made.input_ids)
    assert made.dropped == len(whole_row.input_ids) - len(made.input_ids)
    assert encode_many([segments, segments], tok, limit) == [made, made]
    if bos and turns[-1][1] * 2 + 2 <= limit:
        assert made.input_ids[0] == tok.bos_token_id
    last = tokenise(segments, tok)[2 * len(turns) - 1 + bos][0]
    least = max(1, min(8, limit // 4))
    asked = len(tokenise(segments, tok)[2 * len(turns) - 2 + bos][0])
    if len(last) + min(least, asked) + bos <= limit:
        assert not made.answer_dropped
        trained = [label for label in made.labels if label >= 0]
        assert trained[-len(last) :] == last  # the whole of it, end token included
    else:
        assert made.answer_dropped
    earlier = [label for label in made.labels if label >= 0][: made.trained - len(last)]
    kept = sum((own for s, (own, _) in zip(segments, tokenise(segments, tok), strict=True) if s.answer), [])
    assert made.answer_dropped or not earlier or kept[: -len(last)][-len(earlier) :] == earlier  # whole, or not at all


@settings(max_examples=60)
@given(VALUE, VALUE, st.sampled_from(KINDS), st.sampled_from([*TEXTS, *NAMED]), st.integers(8, 60))
def test_the_preview_shows_what_is_encoded(q, a, kind, template, limit):
    tok, row = tok_of(kind), {"q": q, "a": a}
    shown, made = preview(row, LAYOUT, template, tok, limit), encode(rendered(row, template, tok), tok, limit)
    flat = [token for piece in shown.segments for token in piece["tokens"]]
    kept = [token for token in flat if not token["dropped"]]
    assert [token["id"] for token in kept] == made.input_ids
    assert [p["trained"] for p in shown.segments for t in p["tokens"] if not t["dropped"]] == [
        label != -100 for label in made.labels
    ]
    if flat:
        assert "".join(token["text"] for token in flat) == shown.text
    assert (shown.n_tokens, shown.n_trained, shown.n_dropped) == (len(kept), made.trained, made.dropped)
    said = {m["role"]: m for m in shown.messages}
    assert said["assistant"]["trained"] and not said.get("user", {"trained": False})["trained"]


# Slips in a template


NAMES = st.sampled_from(["question", "Full Name", "straße", "Größe (cm)", "answer_text", "日本語の列", "n° de client"])


@settings(max_examples=80)
@given(st.lists(NAMES, min_size=2, unique=True), st.data())
def test_a_mistyped_field_names_the_nearest_column(columns, data):
    name = data.draw(st.sampled_from(columns))
    slip = data.draw(st.sampled_from([str.upper, str.lower, lambda n: f" {n} ", lambda n: n[:-1], lambda n: n + n[-1]]))
    wrong = slip(name)
    if wrong in columns:
        return
    with pytest.raises(InputError) as error:
        render(dict.fromkeys(columns, "x"), LAYOUT, f"{{{wrong}}} [[{{{columns[0]}}}]]", tok_of("bpe"))
    assert error.value.field == "data.template"
    assert f"names {{{wrong}}}, and the data has no such column. Did you mean {{{name}}}?" in str(error.value)
