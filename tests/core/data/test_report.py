"""Findings: each kind is found, counted and said plainly, with why it matters, examples and the remedy."""

import dataclasses
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import build
from core.data.checks.case import FIXES
from core.data.checks.finding import LENGTH, SEVERITIES
from core.data.dataset import open_examples
from core.data.fixes import apply
from core.data.recognise import recognise
from core.data.report import KINDS, Remedy, findings, summary
from core.data.rows import Rows
from core.data.sources import Source
from core.data.split import Split
from core.data.tables import collect
from tests.conftest import ROOT
from tests.factory import write_jsonl

WORDS = (
    "harbour lantern copper window gravel orchard saddle mirror blanket thunder needle valley chimney ribbon cellar "
    "pepper garden ladder candle marble feather bridge anchor barrel cotton drawer engine fender goblet hammer island "
    "jacket kettle locket magnet napkin oyster pillow quarry rocket sponge timber urchin velvet walnut yellow zipper"
).split()
TONES = ("glad", "angry", "sad", "calm")


def plain_rows(count=80, seed=0):
    """Rows {"phrase", "tone"} that have nothing in common."""
    rng = random.Random(seed)
    return [{"phrase": "the " + " ".join(rng.sample(WORDS, 6)), "tone": TONES[i % 4]} for i in range(count)]


def found(path, tokenizer=None, split=None, task="generation", **data):
    config = build({"data": {"path": str(path), **data}, "task": task})
    return {f.kind: f for f in findings(open_examples(config), config, tokenizer, split)}


def test_good_rows_have_no_findings(tmp_path, tokenizer):
    assert found(write_jsonl(tmp_path / "a.jsonl", plain_rows()), tokenizer, task="classification") == {}


@pytest.mark.parametrize("name", ["fields", "summary", "instructions"])
def test_the_demo_sets_have_no_findings(name):
    assert found(ROOT / "assets" / "data" / name / "train.jsonl") == {}


def talk(*answers, **more):
    turns = [m for a in answers for m in ({"role": "user", "content": "Why?"}, {"role": "assistant", **a})]
    return {"messages": turns, **more}


def test_what_is_wrong_inside_of_conversations(tmp_path, tokenizer):
    rows = [
        talk({"content": "So."}),
        talk({"content": ""}, {"content": "So."}),
        talk({"content": "So.", "train": False}),
        talk({"content": None, "tool_calls": [{"function": {"name": None, "arguments": "{}"}}]}, {"content": "So."}),
        talk({"content": "So.", "reasoning_content": "Because."}),
        talk({"content": "So, once more.", "thinking": "Because."}, {"content": "Yes."}),
        talk({"content": "So it is.</s>"}),
        talk({"content": "So <|im_end|> is"}),
        talk({"content": "<image> So"}, images=["x.png"]),
        talk({"content": "A text about <image>"}),
        talk({"content": "x\ud83d"}),
        talk({"content": "y", "\ud83d": 1}),
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    got = found(file, tokenizer, Split(list(range(len(rows))), []))
    kinds = ("unreadable", "unlearned", "empty_turn", "unwritten", "unwritten_earlier", "literal_token", "encoding")
    assert {k: f.rows for k, f in got.items() if k in kinds} == {
        "unreadable": [3, 8], "unlearned": [2], "empty_turn": [1], "unwritten": [4, 5], "literal_token": [6, 7],
        "encoding": [10, 11],
    }  # fmt: skip
    assert got["unwritten"].examples == ["Because."]
    assert "turn 2: a call of a tool has no name" in got["unreadable"].message


def test_half_a_character_in_json_within_a_csv_is_found(tmp_path):
    said = json.dumps([{"role": "user", "content": "\ud83d"}, {"role": "assistant", "content": "\ud83d\ude00"}])
    file = tmp_path / "rows.csv"
    quoted = said.replace('"', '""')
    file.write_text(f'id,messages\n1,"{quoted}"\n')
    assert found(file)["encoding"].rows == [0]


def test_each_kind(tmp_path, tokenizer):
    rows = [
        {"phrase": "one", "tone": "sad"},
        {"phrase": "two", "tone": ""},
        {"phrase": "one", "tone": "sad"},
        {"phrase": "", "tone": "calm"},
        {"phrase": "long " * 100, "tone": "calm"},
        {"phrase": "three", "tone": "calm " * 100},
        {"phrase": " ONE", "tone": "angry"},
        {"phrase": "four", "tone": None},
    ]
    split = Split([0, 1, 2, 3, 4, 5, 7], [6])
    got = found(write_jsonl(tmp_path / "a.jsonl", rows), tokenizer, split, template="{phrase}\n{tone}", max_tokens=64)
    assert {k: (f.count, f.rows) for k, f in got.items()} == {
        "empty_answer": (2, [1, 7]), "unchanged_template": (1, [3]), "answer_cut": (1, [5]), "leakage": (1, [6]),
        "too_long": (1, [4]), "duplicate": (1, [2]), "few_rows": (7, []), "missing": (1, []),
        "conflict": (3, [0, 2, 6]), "unseen_label": (1, [6]),
    }  # fmt: skip
    assert (
        got["duplicate"].message == "1 row repeats an earlier row word for word, and so counts double in the training."
    )
    assert got["missing"].message == "'tone' has no value in 1 row of 8."
    assert list(got)[:2] == ["empty_answer", "unchanged_template"]
    assert list(got)[-2:] == ["conflict", "missing"] and got["conflict"].severity == "note"


def test_every_finding_says_why_and_shows_little(tmp_path, tokenizer):
    mail, card = "ada.lovelace@example.org", "4111 1111 1111 1111"
    rows = [
        *plain_rows(60),
        *plain_rows(3),
        {"phrase": f"write to {mail} or pay with {card}", "tone": "calm"},
        {"phrase": "the caf\u00c3\u00a9 \u200bis closed " + "and so on " * 80, "tone": "sad"},
        {"phrase": "db_password = 'tr0ub4dor&3'", "tone": "sad"},
    ]
    got = found(write_jsonl(tmp_path / "a.jsonl", rows), tokenizer, max_tokens=64, validation=0)
    assert set(got) == {"duplicate", "too_long", "personal", "encoding", "control", "secret"}
    shown = json.dumps([f.as_dict() for f in got.values()], ensure_ascii=False)
    assert not any(hidden in shown for hidden in (mail, "lovelace", "4111 1111 1111", "tr0ub4dor"))
    for finding in got.values():
        assert finding.why.endswith(".") and finding.severity in SEVERITIES and finding.kind in KINDS
        assert 0 < len(finding.examples) <= 3 and all(0 < len(e) <= LENGTH + 20 for e in finding.examples)
    assert got["personal"].examples == ["ad…@example.org", "…11"]
    assert got["encoding"].examples == ["cafÃ© → café"]
    assert "[U+200B]is closed" in got["control"].examples[0]


def test_a_remedy_mends_what_was_found_and_is_not_offered_again(tmp_path, tokenizer):
    rows = [
        *plain_rows(60),
        *plain_rows(3),
        {"phrase": plain_rows(1)[0]["phrase"] + "s", "tone": "glad"},
        {"phrase": "write to ada@example.org", "tone": "calm"},
        {"phrase": "the caf\u00c3\u00a9 is closed", "tone": "sad"},
        {"phrase": "a zero\u200bwidth space", "tone": "sad"},
        {"phrase": "password=hunter2!", "tone": "sad"},
        {"phrase": "so long " * 70, "tone": "sad"},
    ]
    path = str(write_jsonl(tmp_path / "a.jsonl", rows))
    values = {"data": {"path": path, "max_tokens": 64, "validation": 0}}
    mended, offered = [], []
    for _ in range(12):
        config = build(values)
        got = findings(open_examples(config), config, tokenizer)
        assert not {f.kind for f in got} & set(mended)
        first = next((f for f in got if f.remedy), None)
        if first is None:
            break
        mended.append(first.kind)
        offered.append(first.remedy)
        section, name = first.remedy.field.split(".")
        values = {**values, section: {**values.get(section, {}), name: first.remedy.value}}
    assert sorted(mended) == [
        "control", "duplicate", "encoding", "near_duplicate", "personal", "secret", "too_long",
    ]  # fmt: skip
    assert got == []
    assert len(offered[-1].value) == 6, "the whole new list"


def test_the_limit_is_raised_to_the_longest_row_or_as_far_as_the_model_goes(tmp_path, tokenizer):
    rows = [*plain_rows(60), {"phrase": "so long " * 70, "tone": "sad"}]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    remedy = found(path, tokenizer, max_tokens=64)["too_long"].remedy
    assert remedy.field == "data.max_tokens" and remedy.label == f"Raise the limit to {remedy.value}"
    assert "too_long" not in found(path, tokenizer, max_tokens=remedy.value)
    assert "too_long" in found(path, tokenizer, max_tokens=remedy.value - 1)
    small = type(tokenizer)(tokenizer_object=tokenizer.backend_tokenizer, model_max_length=80)
    small.chat_template = tokenizer.chat_template
    assert found(path, small, max_tokens=64)["too_long"].remedy.value == 80
    assert found(path, small, max_tokens=80)["too_long"].remedy == Remedy(
        "Leave long rows out", "data.fixes", ["drop_long"]
    )
    assert "too_long" not in found(path, small, max_tokens=80, fixes=["drop_long"])


def test_conversations(tmp_path, tokenizer):
    def turn(who, text):
        return {"from": who, "value": text}

    talks = [
        [turn("human", "a red house"), turn("gpt", "b")],
        [turn("gpt", "welcome"), turn("human", "what now")],
        [turn("human", "a green car"), turn("gpt", "yes"), turn("human", "c")],
        [turn("human", "x")],
        [turn("narrator", "x")],
        [turn("human", ""), turn("gpt", "out of nothing")],
        [turn("human", "say nothing"), turn("gpt", " ")],
        [turn("human", "what is the weather"), turn("function_call", '{"name": "weather", "arguments": {}}')],
    ]
    got = found(write_jsonl(tmp_path / "a.jsonl", [{"conversations": t} for t in talks]), tokenizer, validation=0)
    assert {k: f.rows for k, f in got.items() if f.rows} == {
        "unreadable": [4], "no_answer": [3], "roles_swapped": [1], "ends_unanswered": [2],
        "unchanged_template": [5], "empty_answer": [6],
    }  # fmt: skip
    assert "'narrator'" in got["unreadable"].message


def test_held_out_rows_that_were_trained_on(tmp_path, tokenizer):
    path = write_jsonl(tmp_path / "a.jsonl", plain_rows())
    held = write_jsonl(tmp_path / "h.jsonl", plain_rows(3))
    config = build({"data": {"path": str(path), "validation": 0}, "evaluation": {"data": str(held)}})
    got = findings(open_examples(config), config, tokenizer)
    assert [(f.kind, f.count) for f in got] == [("heldout_leakage", 3)]
    assert got[0].remedy == Remedy("Leave the training rows out", "data.fixes", ["drop_leaked"])


def test_questions_that_leak_in_numbers_are_kept_together_by_their_column(tmp_path):
    rows = [
        {"question": f"the {WORDS[i % 40]} of {WORDS[i % 40]}", "answer": f"{WORDS[-(i % 7)]} {i}"} for i in range(120)
    ]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    remedy = found(path)["leakage"].remedy
    assert remedy == Remedy("Keep rows with the same question together", "data.group_by", "question")
    assert "leakage" not in found(path, group_by="question")


def test_progress_is_told_and_may_stop(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", plain_rows(4500))
    config = build({"data": {"path": str(path)}})
    source, told = open_examples(config), []
    findings(source, config, None, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(2000, 4500), (4000, 4500), (4500, 4500)]

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        findings(source, config, None, on_progress=stop)


def test_the_same_rows_give_the_same_findings(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [*plain_rows(300), *plain_rows(40, seed=0)])
    assert found(path) == found(path)


def test_kinds_and_summary(tmp_path):
    documented = (Path(ROOT) / "docs" / "data.md").read_text(encoding="utf-8")
    assert all(f"`{kind}`" in documented for kind in KINDS)
    got = found(write_jsonl(tmp_path / "a.jsonl", [*plain_rows(10), {"phrase": "x", "tone": ""}]))
    assert summary(got.values()) == "1 error, 1 warning" and summary([]) == "nothing found"
    assert [dataclasses.asdict(f) for f in got.values()] == [f.as_dict() for f in got.values()]


ODD = st.text(
    alphabet="ab é\u200b\u202e\ufffdÃ©\x00\x07👩\u200d😀 1234567890@.+-()=:/\"'{}[]\nкя東\u0301", max_size=30
) | st.sampled_from(["ada@example.org", "password=hunter2!", "4111 1111 1111 1111", "cafÃ©", " ", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD, inner, max_size=3),
    max_leaves=6,
)
TURNS = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "narrator"]), "content": VALUES}),
    max_size=4,
)


@settings(max_examples=80)
@given(
    st.lists(st.fixed_dictionaries({"prompt": VALUES, "completion": VALUES}), min_size=1, max_size=8)
    | st.lists(st.fixed_dictionaries({"messages": TURNS}), min_size=1, max_size=8)
)
def test_whatever_the_rows_hold_they_are_looked_at(rows):
    table = collect(rows)
    layout = recognise(table.columns, rows)
    source = Source("rows", "rows.jsonl", Rows(table.data, table.json), table.columns, layout, "mark")
    config = build({"data": {"path": "rows.jsonl", "validation": 0}})
    for found in findings(source, config, None, Split(list(range(len(rows))), [])):
        assert found.count <= len(rows) and found.rows == sorted(set(found.rows)) and found.message.endswith(".")
    mended = apply(source, FIXES)
    assert 0 < len(mended.rows) <= len(rows)
    once = apply(source, [fix for fix in FIXES if not fix.startswith("drop")])
    assert list(apply(once, ["strip_control", "mask_secrets", "mask_personal"]).rows) == list(once.rows)
