"""Lists of examples in rows: when they become rows, and what stays whole."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.data.sources import open_data
from core.errors import InputError
from tests.factory import write_jsonl

SEEDS = Path(__file__).parents[4] / "shared" / "data" / "alpaca_seed_tasks.jsonl"


def opened(tmp_path, *rows):
    return open_data(str(write_jsonl(tmp_path / "rows.jsonl", list(rows))))


def test_each_item_becomes_a_row(tmp_path):
    source = opened(
        tmp_path,
        {"id": 1, "instruction": "Add.", "instances": [{"input": "1 1", "output": "2"}, {"input": "2 3", "output": 5}]},
        {"id": 2, "instruction": "Greet.", "instances": [{"input": "", "output": "Hello", "id": "x"}]},
        {"id": 3, "instruction": "Wait.", "instances": []},
    )
    assert list(source.rows) == [
        {"id": 1, "instruction": "Add.", "input": "1 1", "output": "2", "instances_id": None},
        {"id": 1, "instruction": "Add.", "input": "2 3", "output": 5, "instances_id": None},
        {"id": 2, "instruction": "Greet.", "input": "", "output": "Hello", "instances_id": "x"},
    ]
    assert source.layout.name == "alpaca" and source.columns == list(source.rows[0])
    assert source.notes == [
        "'instances' is a list in each row: every item became a row of its own, with input, output and instances_id "
        "beside the row's other columns (3 rows -> 3).",
        "Left out: 1 row without any item in 'instances'.",
    ]


@pytest.mark.parametrize(("row", "layout"), [
    ({"passage": "A long text.", "qas": [{"question": "What?", "answer": "That."}] * 2}, "prompt_completion"),
    ({"id": "a", "items": [{"text": "How nice!", "label": "glad"}] * 2}, "text_label"),
    ({"topic": "x y", "cases": [{"chosen": "a", "rejected": "b"}] * 2}, "preference"),
])  # fmt: skip
def test_lists_with_answers_are_unfolded(tmp_path, row, layout):
    source = opened(tmp_path, row, row)
    assert len(source.rows) == 4 and source.layout.name == layout


@pytest.mark.parametrize("row", [
    {"id": 1, "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
    {"id": 1, "exchange": [{"from": "human", "value": "Hi", "output": "x"}, {"from": "gpt", "value": "Ho"}]},
    {"question": "Which?", "choices": [{"label": "A", "text": "This"}, {"label": "B", "text": "That"}], "key": "A"},
    {"text": "Ada met Bob.", "entities": [{"start": 0, "end": 3, "label": "PER"}]},
    {"note": "Two eggs.", "items": [{"name": "egg", "count": 2}]},
    {"question": "Who?", "answers": [{"text": "Ada", "start": 3}]},
    {"prompt": "Hi", "completion": "Ho", "examples": [{"input": "a", "output": "b"}]},
    {"id": 1, "tools": [{"input": "a", "output": "b"}]},
    {"id": 1, "a": [{"input": "a", "output": "b"}], "b": [{"input": "a", "output": "b"}]},
    {"id": 1, "a": [{"input": "a", "output": {"deep": 1}}]},
    {"id": 1, "a": ["input", "output"]},
])  # fmt: skip
def test_other_lists_stay_whole(tmp_path, row):
    source = opened(tmp_path, row, row)
    assert [{name: found[name] for name in row} for found in source.rows] == [row, row]
    assert not any("became a row" in note for note in source.notes)


def test_the_questions_about_each_paragraph(tmp_path):
    paragraph = {"context": "The sea is wet.", "qas": [
        {"question": "What?", "answers": [{"text": "sea", "answer_start": 4}]}, {"question": "Why?", "answers": []},
    ]}  # fmt: skip
    path = tmp_path / "set.json"
    path.write_text(json.dumps({"version": "2", "data": [{"title": "T", "paragraphs": [paragraph, paragraph]}] * 2}))
    source = open_data(str(path))
    assert [(row["title"], row["question"], row["answer"]) for row in source.rows] == [
        ("T", "What?", "sea"), ("T", "Why?", None),
    ] * 4  # fmt: skip
    assert source.layout.roles == {"prompt": "question", "completion": "answer", "context": "context"}
    assert "Each question of 'paragraphs' became a row of its own (2 rows -> 8)." in source.notes


def test_parquet_lists_too(tmp_path):
    rows = [
        {"instruction": "Add.", "n": 7, "instances": [{"input": "a", "output": "b"}, {"input": "c", "output": "d"}]}
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    source = open_data(str(tmp_path / "rows.parquet"))
    assert list(source.rows)[1] == {"instruction": "Add.", "n": 7, "input": "c", "output": "d"}


def test_an_item_that_is_no_object_names_its_row(tmp_path):
    good = {"instruction": "Add.", "instances": [{"input": "1", "output": "2"}]}
    with pytest.raises(InputError, match="Row 2: 'instances' holds 'two' where an object with input, output is expec"):
        opened(tmp_path, good, good, good | {"instances": [{"input": "1"}, "two"]})


def test_more_rows_than_are_looked_at_at_once(tmp_path):
    rows = [
        {"instruction": f"{i}", "instances": [{"input": f"{j}", "output": "x"} for j in range(i % 3)]}
        for i in range(12_000)
    ]
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = open_data(str(path))
    assert len(source.rows) == 12_000 and source.rows[-1]["instruction"] == "11999"


def test_many_rows_go_to_the_disk_and_are_found_there_again(tmp_path, monkeypatch):
    """The rows, the entities of rows and the joined files: each once, with all notes, and the same the second time."""
    from core.data import sources, tables

    monkeypatch.setattr(tables, "SPILL_BYTES", 10_000)
    monkeypatch.setattr(tables, "BATCH_BYTES", 1_000)
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    rows = [{"instruction": f"{i}" * 50, "instances": [{"input": "a", "output": "b"}] * (i % 3)} for i in range(300)]
    tagged = [{"tokens": ["Ada", f"{i}" * 100], "tags": ["B-PER", "O"]} for i in range(300)]
    paths = [str(write_jsonl(tmp_path / "lists.jsonl", rows)), str(write_jsonl(tmp_path / "tagged.jsonl", tagged))]
    write_jsonl(tmp_path / "both" / "a.jsonl", [{"text": f"{i}" * 100} for i in range(300)])
    write_jsonl(tmp_path / "both" / "b.jsonl", [{"text": 5}])
    paths.append(str(tmp_path / "both"))
    first = [open_data(path) for path in paths]
    assert [len(source.rows) for source in first] == [300, 300, 301]
    before = sorted((tmp_path / "cache").iterdir())
    assert len(before) == 6  # each file but the last, and what was made of each
    sources._open.cache_clear()
    for path, source in zip(paths, first, strict=True):
        again = open_data(path)
        assert list(again.rows) == list(source.rows)
        assert (again.notes, again.fingerprint) == (source.notes, source.fingerprint)
    assert sorted((tmp_path / "cache").iterdir()) == before


@pytest.mark.skipif(not SEEDS.is_file(), reason="the real files of ../shared/data are not here")
def test_the_seed_tasks_of_alpaca():
    source = open_data(str(SEEDS))
    assert (len(source.rows), source.layout.name) == (175, "alpaca")
    assert source.layout.roles == {"instruction": "instruction", "input": "input", "output": "output"}
