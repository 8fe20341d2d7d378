"""Augmentation: answers never change, copies follow from content alone, labels come out equal."""

import json
import pickle
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import build
from core.data import augment, balance
from core.data.augment import before_after, changed, plan
from core.data.dataset import open_examples
from core.data.formats import Layout
from core.errors import InputError
from tests.factory import tone_rows, write_jsonl

WORDS = {"swap": 0.2, "delete": 0.2, "case": 0.2, "typo": 0.2, "synonym": 0.5, "synonyms": "party = feast"}
LABELLED = Layout("text_label", {"text": "phrase", "label": "tone"}, "")
TALK = Layout("messages", {"messages": "messages", "role": "role", "content": "content"}, "")


def config_of(task="classification", data=None, seed=42, **augmentation):
    return build(
        {"task": task, "data": data or {}, "training": {"seed": seed}, "augmentation": {"copies": 1, **augmentation}}
    )


def opened(tmp_path, rows, data=None, **more):
    path = str(write_jsonl(tmp_path / "a.jsonl", rows))
    config = config_of(data={"path": path, **(data or {})}, **more)
    return open_examples(config), config


def labels(source, made, name="tone"):
    return Counter(source.rows[place][name] for place in made.places)


# A copy


ROW = st.fixed_dictionaries({"phrase": st.text(max_size=60), "tone": st.sampled_from(["sad", "calm down"])})


@settings(max_examples=80)
@given(ROW, st.integers(0, 2**31 - 1), st.integers(0, 10))
def test_answers_never_change_and_a_copy_is_always_the_same(row, seed, copy):
    config = config_of(seed=seed, **WORDS)
    new = changed(row, LABELLED, config, copy)
    assert new["tone"] == row["tone"] and list(new) == list(row)
    assert bool(new["phrase"].strip()) == bool(row["phrase"].strip())
    assert new == changed(dict(reversed(row.items())), LABELLED, config, copy)
    assert copy or new is row


def test_copies_differ_by_seed_row_and_number():
    row = {"phrase": "The party was a delight for all of us tonight", "tone": "joyful"}
    config = config_of(**WORDS)
    copies = [changed(row, LABELLED, config, i)["phrase"] for i in range(1, 6)]
    assert len({row["phrase"], *copies}) == 6
    assert changed(row, LABELLED, config_of(seed=7, **WORDS), 1)["phrase"] != copies[0]
    assert changed({**row, "more": 1}, LABELLED, config, 1)["phrase"] != copies[0]
    assert changed(row, LABELLED, config_of(copies=0), 1) is row


def test_the_columns_of_the_question(tmp_path):
    row = {"first": "one two three", "second": "four five six", "answer": "seven eight nine", "n": 5}
    layout = Layout("prompt_completion", {"prompt": "first", "completion": "answer"}, "")

    def touched(template=None, layout=layout, row=row):
        new = changed(row, layout, config_of(data={"template": template}, swap=0.5), 1)
        return {name for name in row if new[name] != row[name]}

    assert touched() == {"first"} == touched("alpaca") == touched("chatml")
    assert touched("{first} {second}\n{answer}") == {"first", "second"}
    assert touched("{n} {second}\n[[{first}]] {answer}") == {"second", "answer"}
    assert touched("{first} [[{first} {answer}]]") == set() == touched("[[{first}]]")
    alpaca = Layout("alpaca", {"instruction": "first", "input": "second", "output": "answer"}, "")
    assert touched(layout=alpaca) == {"first", "second"}
    assert touched(layout=Layout("alpaca", {"instruction": "first", "input": "gone", "output": "answer"}, "")) == {
        "first"
    }
    pair = Layout("pair", {"first": "first", "second": "second", "label": "n"}, "")
    assert touched(layout=pair) == {"first", "second"}


def test_only_the_users_turns_change():
    say = "please tell me more about it"
    turns = [
        {"role": role, "content": say, "name": "x"}
        for role in ("system", "user", "assistant", "tool", "user", "assistant")
    ]
    new = changed({"messages": turns, "id": say}, TALK, config_of(swap=0.5), 1)
    assert [turn["content"] != say for turn in new["messages"]] == [False, True, False, False, True, False]
    assert all(turn["name"] == "x" for turn in new["messages"]) and new["id"] == say
    assert new["messages"][1]["content"] != new["messages"][4]["content"] and turns[1]["content"] == say
    blocks = [
        {"role": "human", "content": [{"type": "text", "text": say}, {"type": "image"}]},
        {"role": "gpt", "content": say},
    ]
    first = changed({"messages": blocks}, TALK, config_of(swap=0.5), 1)["messages"]
    assert (
        first[0]["content"][0]["text"] != say and first[0]["content"][1] == {"type": "image"} and first[1] == blocks[1]
    )
    as_json = {"messages": json.dumps(turns)}
    assert changed(as_json, TALK, config_of(swap=0.5), 1)["messages"][1]["content"] != say
    assert (
        changed({"messages": '[{"role": "user", "content": "7"}]'}, TALK, config_of(swap=0.5), 1)["messages"][:1] == "["
    )
    for odd in (None, "words", [], ["turn"], [{"content": say}], [{"role": "user", "content": 5}]):
        assert changed({"messages": odd}, TALK, config_of(swap=0.5), 1) == {"messages": odd}


def test_fields_to_be_extracted_stay_in_the_question():
    row = {
        "phrase": "Mara Lindqvist lives in Ghent since spring",
        "tone": '{"name": "Mara Lindqvist", "city": "Ghent"}',
    }
    config = config_of("extraction", **WORDS)
    for copy in range(1, 30):
        new = changed(row, LABELLED, config, copy)["phrase"]
        assert "Mara Lindqvist" in new and "Ghent" in new and new != row["phrase"]
    assert any("Mara" not in changed(row, LABELLED, config_of(**WORDS), copy)["phrase"] for copy in range(1, 30))


def test_before_and_after():
    row = {"phrase": "The party was\nlong, 7 hours", "tone": "calm"}
    ((before, after),) = before_after(row, LABELLED, config_of(synonym=1, synonyms="party = feast"), 1)
    assert before.text == row["phrase"] and after.text == "The feast was\nlong, 7 hours"
    assert [before.text[a:b] for a, b in before.spans] == ["party"] and [after.text[a:b] for a, b in after.spans] == [
        "feast"
    ]
    pairs = before_after(row, LABELLED, config_of(delete=0.2), 3)
    assert len(pairs) == 3 and all(b.spans and not a.spans for b, a in pairs)
    talk = {
        "messages": [
            {"role": "user", "content": "one two"},
            {"role": "assistant", "content": "x"},
            {"role": "user", "content": [{"text": "three four"}]},
        ]
    }
    assert before_after(talk, TALK, config_of(swap=0.5), 1)[0][1].text == "two one\nfour three"


# Which rows, and how often


def test_nothing_is_set(tmp_path):
    source, config = opened(tmp_path, tone_rows(8), copies=0)
    made = plan(source, [0, 2, 5], config)
    assert (made.places, made.copies, made.notes, made.added, made.left_out) == ([0, 2, 5], [0, 0, 0], [], 0, 0)
    assert list(made.rows(source, config)) == [source.rows[i] for i in (0, 2, 5)]
    source, config = opened(tmp_path, tone_rows(8), copies=0, swap=0.1)
    assert plan(source, [1], config).notes == ["Shares of words are set, but no copies, so no word is changed."]
    assert plan(source, [], config).places == []


def test_copies_of_training_rows_only(tmp_path):
    rows = [*tone_rows(6), {"phrase": "7 8", "tone": "sad"}, {"phrase": "go on", "tone": "sad"}]
    source, config = opened(tmp_path, rows, copies=3, swap=0.3)
    places = [1, 3, 6, 7]
    made = plan(source, places, config)
    assert [p for p, c in zip(made.places, made.copies, strict=True) if c == 0] == places
    assert Counter(made.places) == {1: 4, 3: 4, 6: 1, 7: 2} and made.places == sorted(made.places)
    assert made.notes == [
        "7 changed copies are added to 4 rows.",
        "1 row has no word that can be changed, and so no copy.",
        "2 copies would have been like another, and so not made.",
    ]
    assert (made.added, made.left_out) == (7, 0)
    read = list(made.rows(source, config))
    assert read == [changed(rows[p], source.layout, config, c) for p, c in zip(made.places, made.copies, strict=True)]
    assert len({row["phrase"] for row in read}) == len(read)
    again = pickle.loads(pickle.dumps(made.rows(source, config)[2:5]))
    assert list(again) == read[2:5] and again[0] == read[2] and len(again) == 3


def test_the_plan_follows_the_rows_not_their_order(tmp_path):
    rows = tone_rows(24) + [{"phrase": f"more {i} words", "tone": "sad"} for i in range(9)]
    mixed = rows[:]
    random.Random(3).shuffle(mixed)
    for settings_ in ({"swap": 0.2, "copies": 2}, {"balance": "under", "copies": 0}, {"balance": "over", "swap": 0.2}):
        texts = []
        for given_rows in (rows, mixed):
            source, config = opened(tmp_path, given_rows, **settings_)
            made = plan(source, range(len(rows)), config)
            texts.append(sorted(str(row) for row in made.rows(source, config)))
        assert texts[0] == texts[1]
    seeds = []
    for seed in (1, 2):
        source, config = opened(tmp_path, rows, balance="under", copies=0, seed=seed)
        seeds.append(plan(source, range(len(rows)), config).places)
    assert seeds[0] != seeds[1]


UNEVEN = [
    {"phrase": f"the {tone} phrase number {i}", "tone": tone}
    for tone, n in (("sad", 30), ("calm", 7), ("joyful", 1))
    for i in range(n)
]
UNEVEN += [{"phrase": "nothing", "tone": ""}]


@pytest.mark.parametrize(("copies", "words"), [(0, {}), (0, {"typo": 0.2}), (2, {"typo": 0.2})])
def test_labels_are_repeated_until_equal(tmp_path, copies, words):
    source, config = opened(tmp_path, UNEVEN, balance="over", copies=copies, **words)
    made = plan(source, range(len(UNEVEN)), config)
    each = 30 * (1 + copies)
    assert labels(source, made) == {"sad": each, "calm": each, "joyful": each, "": 1 + copies}
    assert made.left_out == 0 and made.added == len(made.places) - len(UNEVEN)
    done = "changed copies are added" if words else "rows are repeated"
    assert made.notes[0] == f"52 {done}, so that each of 3 labels has 30 rows."
    lone = [c for p, c in zip(made.places, made.copies, strict=True) if p == 37]
    assert lone == (list(range(each)) if words else [0] * each)
    if words:
        assert len({row["phrase"] for row in made.rows(source, config) if row["tone"] == "joyful"}) > each / 2
    calm = Counter(p for p in made.places if source.rows[p]["tone"] == "calm")
    assert max(calm.values()) - min(calm.values()) <= 1


def test_labels_are_thinned_until_equal(tmp_path):
    rows = UNEVEN[:37]
    source, config = opened(tmp_path, rows, balance="under", copies=0)
    made = plan(source, range(37), config)
    assert labels(source, made) == {"sad": 7, "calm": 7} and (made.added, made.left_out) == (0, 23)
    assert made.notes == ["23 rows are left out, so that each of 2 labels has 7 rows."]
    source, config = opened(tmp_path, rows, balance="under", copies=2, case=0.2)
    assert labels(source, made := plan(source, range(37), config)) == {"sad": 21, "calm": 21} and made.added == 28
    assert made.notes[1] == "2 changed copies of each row added."


def test_balancing_says_what_it_cannot_do(tmp_path):
    source, config = opened(
        tmp_path, [{"phrase": "今天 天气", "tone": t} for t in ("sad", "sad ", "calm")] * 4, balance="over", swap=0.2
    )
    assert plan(source, range(12), config).notes == [
        "4 changed copies are added, so that each of 2 labels has 8 rows.",
        "1 changed copy of each row added.",
        "12 rows have no word that can be changed: their copies are alike.",
    ]
    source, config = opened(tmp_path, tone_rows(24)[:1] * 3, balance="over", copies=0)
    made = plan(source, range(3), config)
    assert made.places == [0, 1, 2] and made.notes == ["All rows have the same 'tone': there is nothing to balance."]
    source, config = opened(
        tmp_path, [{"prompt": "a", "completion": f"{i}"} for i in range(20)], balance="under", copies=0
    )
    with pytest.raises(InputError, match="'completion' holds 20 different values in 20 rows") as error:
        plan(source, range(20), config)
    assert error.value.field == "augmentation.balance"
    source, config = opened(
        tmp_path,
        [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}] * 3,
        balance="under",
        copies=0,
    )
    with pytest.raises(InputError, match="turns of a conversation"):
        plan(source, range(3), config)
    source, config = opened(tmp_path, UNEVEN, {"template": "{phrase} [[{tone} {phrase}]]"}, balance="under", copies=0)
    with pytest.raises(InputError, match=r"several columns \(phrase, tone\)"):
        plan(source, range(3), config)


def test_rows_that_ask_nothing_are_refused(tmp_path):
    source, config = opened(tmp_path, [{"text": "all of it"}] * 4, swap=0.2)
    with pytest.raises(InputError, match="no question whose words could be changed") as error:
        plan(source, range(4), config)
    assert error.value.field == "augmentation.copies"
    source, config = opened(tmp_path, tone_rows(4), synonym=1, synonyms="one two")
    with pytest.raises(InputError, match="Line 1"):
        plan(source, range(4), config)
    source, config = opened(tmp_path, tone_rows(4), {"template": "alpcaa"}, swap=0.5)
    with pytest.raises(InputError, match="alpaca") as error:
        plan(source, range(4), config)
    assert error.value.field == "data.template"
    source, config = opened(tmp_path, tone_rows(4), {"train_on": "all"}, swap=0.5)
    assert plan(source, range(4), config).notes[-1].startswith("The loss is taken on all text")


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=40), st.integers(1, 3))
def test_balance_of_any_classes(given_classes, times):
    classes = np.array(given_classes)
    if not (classes >= 0).any():
        return
    order = np.argsort([hash((i, 5)) for i in range(len(classes))])
    sizes = Counter(c for c in given_classes if c >= 0)
    for pick, each in ((balance.repeated, max(sizes.values())), (balance.thinned, min(sizes.values()))):
        rows, copies = pick(classes, order, times)
        found = Counter(classes[rows].tolist())
        assert found.pop(-1, 0) == given_classes.count(-1) * times
        assert set(found) == set(sizes) and set(found.values()) == {each * times}
        assert len({*zip(rows.tolist(), copies.tolist(), strict=True)}) == len(rows)
        assert all(copies[rows == row].tolist() == list(range((rows == row).sum())) for row in np.unique(rows))


def test_the_names_that_others_use():
    assert augment.changed is changed and augment.before_after is before_after
