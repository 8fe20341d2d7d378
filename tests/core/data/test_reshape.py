"""Layouts of other tools, in several spellings and kinds of file: which messages a row becomes, and what is said."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.config import build
from core.data.dataset import open_examples
from core.data.formats import Undesired, to_messages
from core.data.report import findings
from core.data.sources import open_data
from tests.factory import write_jsonl

U, A, S = "user", "assistant", "system"


def turn(role, content, names=("role", "content")):
    return {names[0]: role, names[1]: content}


def said(message):
    """A message as (role, words), with 0 behind it where it is not to be learned."""
    return (message["role"], message["content"], *([0] if message.get("weight") == 0 else []))


def as_parquet(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def as_json(path, rows):
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def as_csv(path, rows):
    """Lists and objects as JSON text in cells."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({k: v if isinstance(v, str) else json.dumps(v) for k, v in row.items()})
    return path


WRITERS = {"jsonl": write_jsonl, "json": as_json, "parquet": as_parquet, "csv": as_csv}
HF = ("from", "value")
QUESTION = "Which is wet?\nA. sand\nB. water"
TEXTS = {"text": ["sand", "water"], "label": ["A", "B"]}
# name -> (row, what it becomes)
TALKS = {
    "TRL's prompt and completion": (
        {"prompt": [turn(U, "hi")], "completion": [turn(A, "ho")]}, [(U, "hi"), (A, "ho")],
    ),
    "with earlier turns, which are given": (
        {"prompt": [turn(S, "be"), turn(U, "a"), turn(A, "b"), turn(U, "c")], "completion": [turn(A, "d")]},
        [(S, "be"), (U, "a"), (A, "b", 0), (U, "c"), (A, "d")],
    ),
    "capitals in the turns": (
        {"Messages": [{"Role": "User", "Content": "hi"}, {"Role": "Assistant", "Content": "ho", "Train": False},
         {"Role": "User", "Content": "a"}, {"Role": "Assistant", "Content": "b", "Supervised": True}]},
        [(U, "hi"), (A, "ho", 0), (U, "a"), (A, "b")],
    ),
    "a text as the completion": ({"prompt": [turn(U, "hi")], "completion": "ho"}, [(U, "hi"), (A, "ho")]),
    "a text as the prompt": ({"prompt": "hi", "completion": [turn(A, "ho")]}, [(U, "hi"), (A, "ho")]),
    "one turn as the completion": ({"prompt": [turn(U, "hi")], "response": turn(A, "ho")}, [(U, "hi"), (A, "ho")]),
    "of ShareGPT": (
        {"prompt": [turn("human", "hi", HF)], "completion": [turn("gpt", "ho", HF)]}, [(U, "hi"), (A, "ho")],
    ),
    "a text beside ShareGPT": (
        {"conversations": [turn("human", "hi", HF)], "response": "ho"}, [(U, "hi"), (A, "ho")],
    ),
    "messages and an answer": ({"messages": [turn(U, "hi")], "answer": "ho"}, [(U, "hi"), (A, "ho")]),
    "an ideal answer": ({"input": [turn(S, "be"), turn(U, "hi")], "ideal": "ho"}, [(S, "be"), (U, "hi"), (A, "ho")]),
    "a whole conversation beside an answer": (
        {"messages": [turn(U, "hi"), turn(A, "ho")], "answer": "x"}, [(U, "hi"), (A, "ho")],
    ),
    "LLaMA-Factory's ranking": (
        {"conversations": [turn("human", "hi", HF)], "chosen": turn("gpt", "ho", HF), "rejected": turn("gpt", "x", HF)},
        [(U, "hi"), (A, "ho")],
    ),
    "ranking with messages": (
        {"messages": [turn(U, "hi")], "chosen": turn(A, "ho"), "rejected": turn(A, "x")}, [(U, "hi"), (A, "ho")],
    ),
    "ranking with texts": (
        {"conversations": [turn("human", "hi", HF)], "chosen": "ho", "rejected": "x"}, [(U, "hi"), (A, "ho")],
    ),
    "ranking with a text as the prompt": (
        {"prompt": "hi", "chosen": turn(A, "ho"), "rejected": turn(A, "x")}, [(U, "hi"), (A, "ho")],
    ),
    "Gemini": (
        {"systemInstruction": {"role": "system", "parts": [{"text": "be"}]},
         "contents": [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": "ho"}]}]},
        [(S, "be"), (U, "hi"), (A, "ho")],
    ),
    "Bedrock": (
        {"system": [{"text": "be"}], "messages": [{"role": "user", "content": [{"text": "hi"}]},
                                                  {"role": "assistant", "content": [{"text": "ho"}]}]},
        [(S, "be"), (U, "hi"), (A, "ho")],
    ),
    "history as pairs": (
        {"instruction": "c", "input": "", "output": "d", "history": [["a", "b"]]},
        [(U, "a"), (A, "b"), (U, "c"), (A, "d")],
    ),
    "history as objects": (
        {"instruction": "c", "output": "d", "history": [{"user": "a", "assistant": "b"}], "system": "be"},
        [(S, "be"), (U, "a"), (A, "b"), (U, "c"), (A, "d")],
    ),
    "history as turns": (
        {"prompt": "c", "completion": "d", "chat_history": [turn(U, "a"), turn(A, "b")]},
        [(U, "a"), (A, "b"), (U, "c"), (A, "d")],
    ),
    "a conversation in pairs": ({"conversation": [["a", "b"], ["c", "d"]]}, [(U, "a"), (A, "b"), (U, "c"), (A, "d")]),
    "a conversation in objects": (
        {"conversation": [{"input": "a", "output": "b"}], "source": "x"}, [(U, "a"), (A, "b")],
    ),
    "history as texts": (
        {"question": "c", "answer": "d", "history": ["a", "b"]}, [(U, "a"), (A, "b"), (U, "c"), (A, "d")],
    ),
}  # fmt: skip
ASKED = {
    "SQuAD": (
        {"context": "The sea is wet.", "question": "What?",
         "answers": {"text": ["sea", "the sea"], "answer_start": [4]}}, [(U, "The sea is wet.\n\nWhat?"), (A, "sea")],
    ),
    "answers as objects": (
        {"question": "What?", "answers": [{"text": "sea", "start": 4}, {"text": "it"}]}, [(U, "What?"), (A, "sea")],
    ),
    "SQuAD with capitals": (
        {"Question": "What?", "Answers": {"Text": ["sea"], "Answer_start": [4]}}, [(U, "What?"), (A, "sea")],
    ),
    "answers as texts": ({"question": "What?", "answers": ["sea", "it"]}, [(U, "What?"), (A, "sea")]),
    "TriviaQA": (
        {"question": "What?", "answer": {"value": "sea", "aliases": ["it"]}}, [(U, "What?"), (A, "sea")],
    ),
    "ARC": ({"question": "Which is wet?", "choices": TEXTS, "answerKey": "B"}, [(U, QUESTION), (A, "B")]),
    "OpenBookQA": ({"question_stem": "Which is wet?", "choices": TEXTS, "answerKey": "B"}, [(U, QUESTION), (A, "B")]),
    "MMLU": ({"question": "Which is wet?", "choices": ["sand", "water"], "answer": 1}, [(U, QUESTION), (A, "B")]),
    "by the text": (
        {"question": "Which is wet?", "options": ["sand", "water"], "answer": "water"}, [(U, QUESTION), (A, "B")],
    ),
    "MedQA": (
        {"question": "Which is wet?", "options": {"A": "sand", "B": "water"}, "answer_idx": "B", "answer": "water"},
        [(U, QUESTION), (A, "B")],
    ),
    "objects": (
        {"question": "Which is wet?", "choices": [{"label": "A", "text": "sand"}, {"label": "B", "text": "water"}],
         "answer": "B"}, [(U, QUESTION), (A, "B")],
    ),
    "AQuA": (
        {"question": "Which is wet?", "options": ["A)sand", "B)water"], "correct": "B"}, [(U, QUESTION), (A, "B")],
    ),
    "HellaSwag": (
        {"ctx": "Which is wet?", "endings": ["sand", "water"], "label": "1"}, [(U, QUESTION), (A, "B")],
    ),
    "columns of letters": (
        {"question": "Which is wet?", "A": "sand", "B": "water", "C": "wood", "answer": "B"},
        [(U, QUESTION + "\nC. wood"), (A, "B")],
    ),
    "columns of two small letters": (
        {"question": "Which is wet?", "a": "sand", "b": "water", "answer": "b"}, [(U, QUESTION), (A, "B")],
    ),
    "ARC's own files": (
        {"question": {"stem": "Which is wet?", "choices": [{"label": "A", "text": "sand"},
         {"label": "B", "text": "water"}]}, "answerKey": "B"}, [(U, QUESTION), (A, "B")],
    ),
    "TruthfulQA": (
        {"question": "Which is wet?", "mc1_targets": {"choices": ["sand", "water"], "labels": [0, 1]}},
        [(U, QUESTION), (A, "B")],
    ),
    "COPA": (
        {"premise": "It rained.", "question": "Which is wet?", "choice1": "sand", "choice2": "water", "label": 1},
        [(U, "It rained.\n\n" + QUESTION), (A, "B")],
    ),
    "MedMCQA": (
        {"question": "Which is wet?", "opa": "sand", "opb": "water", "cop": 1}, [(U, QUESTION), (A, "B")],
    ),
    "options counted from 1": (
        {"sentence": "Which is wet?", "option1": "sand", "option2": "water", "answer": "2"}, [(U, QUESTION), (A, "B")],
    ),
    "PIQA": ({"goal": "Which is wet?", "sol1": "sand", "sol2": "water", "label": 1}, [(U, QUESTION), (A, "B")]),
    "RACE": (
        {"article": "Sand is dry.", "question": "Which is wet?", "options": ["sand", "water"], "answer": "B"},
        [(U, "Sand is dry.\n\n" + QUESTION), (A, "B")],
    ),
    "numbers as choices": (
        {"question": "2 + 2?", "choices": ["2", "3", "4"], "answer": 2}, [(U, "2 + 2?\nA. 2\nB. 3\nC. 4"), (A, "C")],
    ),
    "translation": ({"translation": {"en": "hello", "fr": "bonjour"}}, [(U, "hello"), (A, "bonjour")]),
    "translation beside an id": (
        {"id": "7", "translation": {"de": "hallo", "en": "hello"}}, [(U, "hallo"), (A, "hello")],
    ),
    "a column a language": ({"id": "7", "en": "hello you", "pt-BR": "oi"}, [(U, "hello you"), (A, "oi")]),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", TALKS | ASKED)
def test_what_a_row_becomes(tmp_path, name, kind):
    if (name, kind) == ("numbers as choices", "csv"):
        pytest.skip("all values of CSV are texts, and a text that is a choice word for word means that choice")
    row, want = (TALKS | ASKED)[name]
    source = open_data(str(WRITERS[kind](tmp_path / f"rows.{kind}", [row] * 4)))
    assert [said(m) for m in to_messages(source.rows[3], source.layout)] == want
    assert len(source.rows) == 4 and source.layout.evidence.endswith(".")


KEYED = [({"question": f"q {i}", "choices": ["x", "y", "z"], "answer": a}, w) for i, (a, w) in enumerate(
    [(1, "A"), (3, "C"), (2, "B"), (1, "A")])]  # fmt: skip


def test_choices_that_are_counted_from_1_are_told_by_all_rows(tmp_path):
    source = open_data(str(write_jsonl(tmp_path / "rows.jsonl", [row for row, _ in KEYED])))
    assert [row["right_choice"] for row in source.rows] == [want for _, want in KEYED]
    assert "counts the choices from 1" in source.notes[-1]
    assert source.made == {name: ("question", "answer", "choices") for name in ("question_and_choices", "right_choice")}


def test_the_other_way_round(tmp_path):
    from core.config import build
    from core.data.dataset import open_examples

    path = write_jsonl(tmp_path / "rows.jsonl", [{"translation": {"en": "hello", "fr": "bonjour"}}] * 3)
    roles = {"prompt": "fr", "completion": "en"}
    source = open_examples(build({"data": {"path": str(path), "layout": "prompt_completion", "roles": roles}}))
    assert [said(m) for m in to_messages(source.rows[0], source.layout)] == [(U, "bonjour"), (A, "hello")]
    assert "'en' is taken as the source and 'fr' as the target" in open_data(str(path)).layout.evidence


MARKS = [
    ("label", True, False), ("label", "True", "False"), ("desirable", 1, 0), ("kto_tag", True, False),
    ("rating", "good", "bad"), ("chosen", True, False), ("feedback", "thumbs_up", "thumbs_down"), ("thumbs", 1, -1),
    ("is_correct", "yes", "no"), ("label", "chosen", "rejected"), ("Label", "desirable", "undesirable"),
]  # fmt: skip
ROWS = {
    "messages": {"messages": [turn(U, "hi"), turn(A, "ho")]},
    "sharegpt": {"conversations": [turn("human", "hi", HF), turn("gpt", "ho", HF)]},
    "prompt_completion": {"prompt": "hi", "completion": "ho"},
    "alpaca": {"instruction": "hi", "input": "", "output": "ho"},
    "turns": {"prompt": [turn(U, "hi")], "completion": [turn(A, "ho")]},
}


@pytest.mark.parametrize(("column", "good", "bad"), MARKS)
@pytest.mark.parametrize("name", ROWS)
def test_answers_that_are_marked_as_bad_are_none_to_learn(tmp_path, name, column, good, bad):
    rows = [ROWS[name] | {column: value} for value in (good, bad, None)]
    source = open_data(str(write_jsonl(tmp_path / "rows.jsonl", rows)))
    assert source.layout.roles["desired"] == column and "the bad ones are left out" in source.layout.evidence
    for row in (source.rows[0], source.rows[2]):
        assert said(to_messages(row, source.layout)[-1])[:2] == (A, "ho")
    with pytest.raises(Undesired, match=f"marked as a bad one \\('{column}' is"):
        to_messages(source.rows[1], source.layout)


@pytest.mark.parametrize("values", [(True, False, True, "n/a"), ("good", "bad", "good", "neutral")])
def test_one_other_word_among_marks_is_said(tmp_path, values):
    rows = [{"prompt": f"hi {v}", "completion": "ho", "label": v} for v in values]
    config = build({"data": {"path": str(write_jsonl(tmp_path / "rows.jsonl", rows)), "validation": 0}})
    source = open_examples(config)
    assert source.layout.roles["desired"] == "label"
    found = {f.kind: (f.severity, f.rows) for f in findings(source, config, None)}
    assert (found["undesired"], found["unjudged"]) == (("warning", [1]), ("warning", [3]))


@pytest.mark.parametrize("column", ["label", "rating", "score"])
def test_what_may_mark_anything_marks_nothing(tmp_path, column):
    rows = [ROWS["messages"] | {column: value} for value in (0, 1, 1)]
    assert "desired" not in open_data(str(write_jsonl(tmp_path / "rows.jsonl", rows))).layout.roles


def test_a_label_that_is_the_answer_stays_one(tmp_path):
    rows = [{"text": f"film {i}", "label": bool(i % 2)} for i in range(9)]
    assert open_data(str(write_jsonl(tmp_path / "rows.jsonl", rows))).layout.name == "text_label"


@pytest.mark.parametrize("names", ["abc", "ABC"])
def test_columns_of_numbers_beside_a_label_are_no_choices(tmp_path, names):
    rows = [{"text": f"film {i}", **dict.fromkeys(names, i / 10), "label": i % 2} for i in range(9)]
    source = open_data(str(write_jsonl(tmp_path / "rows.jsonl", rows)))
    assert source.columns == ["text", *names, "label"] and source.layout.name == "text_label"


def test_one_wrong_key_leaves_the_choices_of_the_other_rows(tmp_path):
    keys = ["A", "B", "A", "E", "B", "A"]
    rows = [{"question": f"q {i}", "choices": ["x", "y"], "answer": key} for i, key in enumerate(keys)]
    source = open_data(str(write_jsonl(tmp_path / "rows.jsonl", rows)))
    assert [row["right_choice"] for row in source.rows] == ["A", "B", "A", None, "B", "A"]
