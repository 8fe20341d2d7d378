"""Every kind of file is read as it stands, and a wrong one gets its sentence."""

import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.readers import read
from core.data.sources import Rows, open_data
from core.errors import InputError

BAD = Path(__file__).parents[2] / "data" / "bad"
SENTENCES = json.loads((BAD / "sentences.json").read_text(encoding="utf-8"))


def rows_of(path):
    table = read(path)
    return list(Rows(table.data, table.json))


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_a_bad_file_gets_its_sentence(name):
    with pytest.raises(InputError) as error:
        open_data(str(BAD / name))
    assert str(error.value) == SENTENCES[name]
    assert error.value.field == "data.path"


def test_every_bad_file_has_a_sentence():
    assert {p.name for p in BAD.iterdir()} - {"sentences.json"} == set(SENTENCES)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_delimiter_and_encoding_are_found(tmp_path, delimiter, encoding):
    file = tmp_path / "näme with space.csv"
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(
        [["phrase", "tone"], ["Zoë, naïve; said: no", "sad"], ["two\nlines | bars", "NA"], ["2024-01-02", "007"]]
    )
    file.write_bytes(text.getvalue().encode(encoding))
    assert rows_of(file) == [
        {"phrase": "Zoë, naïve; said: no", "tone": "sad"},
        {"phrase": "two\nlines | bars", "tone": "NA"},
        {"phrase": "2024-01-02", "tone": "007"},
    ]


def test_an_eight_bit_file_is_read_and_said(tmp_path):
    file = tmp_path / "old.csv"
    file.write_bytes("q,a\ncafé “x”,oui\n".encode("cp1252"))
    table = read(file)
    assert table.notes == ["The file is not UTF-8 (see line 2); it was read as Windows-1252."]
    assert table.data.column("q").to_pylist() == ["café “x”"]


def test_a_column_for_the_index_without_a_name_is_named(tmp_path):
    file = tmp_path / "pandas.csv"
    file.write_text(",q,a\n0,x,y\n")
    assert rows_of(file) == [{"index": "0", "q": "x", "a": "y"}]


def test_one_column_one_row_and_a_very_long_line(tmp_path):
    file = tmp_path / "one.csv"
    file.write_text("text\n" + "x" * 3_000_000 + "\n")
    assert [len(r["text"]) for r in rows_of(file)] == [3_000_000]


def test_json_values_are_kept_exactly(tmp_path):
    rows = [
        {"a": "text", "b": 1, "c": None, "d": [1, "two", {"three": 3.5}], "e": 10**30},
        {"a": 7, "b": "1", "d": {"x": None}, "e": True, "f": "new"},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    got = rows_of(file)
    assert got[0] == rows[0] | {"f": None}
    assert got[1] == rows[1] | {"c": None}
    assert type(got[0]["e"]) is int and got[1]["e"] is True


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"version": 1, "data": rows}])
def test_json_array_and_an_object_that_holds_one(tmp_path, wrap):
    file = tmp_path / "rows.json"
    file.write_text(json.dumps(wrap([{"q": "x"}, {"q": "y"}]), indent=1))
    assert rows_of(file) == [{"q": "x"}, {"q": "y"}]


def test_json_lines_named_json_and_the_other_way_round(tmp_path):
    (tmp_path / "a.json").write_text('{"q": "x"}\n{"q": "y"}\n')
    (tmp_path / "b.jsonl").write_text('[\n {"q": "x"},\n {"q": "y"}\n]')
    assert rows_of(tmp_path / "a.json") == rows_of(tmp_path / "b.jsonl") == [{"q": "x"}, {"q": "y"}]


def test_plain_text_by_lines_or_paragraphs(tmp_path):
    (tmp_path / "lines.txt").write_bytes(b"one\r\n\r\ntwo\r\n")
    (tmp_path / "paragraphs.txt").write_text("one\nstill one\n\ntwo\n")
    assert [r["text"] for r in rows_of(tmp_path / "lines.txt")] == ["one", "two"]
    assert [r["text"] for r in rows_of(tmp_path / "paragraphs.txt")] == ["one\nstill one", "two"]


def test_gzip_and_files_without_an_ending(tmp_path):
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"q;a\n1;2\n"))
    (tmp_path / "jsonl").write_text('{"q": "1"}\n')
    (tmp_path / "table").write_text("q|a\n1|2\n")
    assert rows_of(tmp_path / "rows.csv.gz") == rows_of(tmp_path / "table") == [{"q": "1", "a": "2"}]
    assert rows_of(tmp_path / "jsonl") == [{"q": "1"}]


def test_parquet_keeps_types_and_makes_dates_text(tmp_path):
    import datetime

    table = pa.table({"q": ["x", None], "n": [1, 2], "d": [datetime.date(2024, 1, 2)] * 2, "l": [[{"a": 1}], []]})
    pq.write_table(table, tmp_path / "rows.parquet")
    assert rows_of(tmp_path / "rows.parquet") == [
        {"q": "x", "n": 1, "d": "2024-01-02", "l": [{"a": 1}]},
        {"q": None, "n": 2, "d": "2024-01-02", "l": []},
    ]


def test_half_a_surrogate_pair_does_no_harm(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"q": "x\\ud83d", "n": ["\\ud83d"]}\n')
    assert rows_of(tmp_path / "rows.jsonl") == [{"q": "x?", "n": ["?"]}]


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\r\t"), max_size=20)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), VALUE, min_size=1), min_size=1, max_size=8))
def test_any_json_round_trip(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("json") / "rows.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    names = dict.fromkeys(k for r in rows for k in r)
    assert rows_of(file) == [{n: r.get(n) for n in names} for r in rows]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(WORDS.filter(str.strip), WORDS), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_csv_round_trip(tmp_path_factory, rows, delimiter, encoding):
    file = tmp_path_factory.mktemp("csv") / ("rows.tsv" if delimiter == "\t" else "rows.csv")
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("question", "answer"), *rows])
    file.write_bytes(text.getvalue().encode(encoding))
    assert [(r["question"], r["answer"]) for r in rows_of(file)] == rows
