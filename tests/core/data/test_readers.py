"""Every kind of file is read as it stands, and a wrong one gets its sentence."""

import csv
import gzip
import io
import json
import os
import pickle
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
    assert len(SENTENCES[name]) < 300 and "\n" not in SENTENCES[name] and str(BAD) not in SENTENCES[name]


def test_every_bad_file_has_a_sentence():
    assert {p.name for p in BAD.iterdir()} - {"sentences.json"} == set(SENTENCES)
    assert len(SENTENCES) >= 66


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
    (tmp_path / "rows.jsonl").write_text(
        '{"q": "x\\ud83d", "n": [{"\\udc00": "\\ud83d"}], "k\\ud83d": "\\ud83d\\ude00"}\n'
    )
    assert rows_of(tmp_path / "rows.jsonl") == [{"q": "x\ufffd", "n": [{"\ufffd": "\ufffd"}], "k\ufffd": "😀"}]
    (tmp_path / "rows.json").write_text('[{"k\\ud83d": 1, "k\\udc00": 2}]')
    with pytest.raises(InputError, match="differ only in characters that cannot be read"):
        read(tmp_path / "rows.json")


def refused(path):
    """The sentence of something odd, which is never written with a path that the user did not give."""
    with pytest.raises(InputError) as error:
        open_data(str(path))
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    return str(error.value)


def test_things_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    assert refused(tmp_path / "pipe.csv").endswith(
        "pipe.csv' is no plain file: a pipe or a device cannot be read as examples."
    )
    assert refused("/dev/zero") == "'/dev/zero' is no plain file: a pipe or a device cannot be read as examples."
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    (tmp_path / "lost.csv").symlink_to(tmp_path / "gone.csv")
    assert refused(tmp_path / "loop.csv").startswith("There is no file")
    assert refused(tmp_path / "lost.csv").startswith("There is no file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "data").symlink_to(tmp_path / "folder")
    assert "folder" in refused(tmp_path / "folder")
    (tmp_path / "rows.csv").mkdir()
    assert "is a folder" in refused(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    "path", ["a\0b.csv", "a\nb.csv", "a" * 5000, "~nobody-of-this-name/x.csv", "x/" * 3000, ".csv"]
)
def test_paths_that_are_none(path):
    assert refused(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read(tmp_path):
    (tmp_path / "rows.csv").write_text("q\nx\n")
    (tmp_path / "rows.csv").chmod(0)
    assert refused(tmp_path / "rows.csv") == "rows.csv cannot be opened: you have no right to read it."


def test_names_of_columns_are_shown_short_and_on_one_line(tmp_path):
    (tmp_path / "a.csv").write_text('"q\nx",' + "n" * 900 + "\n")
    assert refused(tmp_path / "a.csv") == f"a.csv has a header (q x, {'n' * 37}...) and no rows."


def test_a_name_with_a_line_break_and_an_emoji_is_as_good_as_any(tmp_path):
    (tmp_path / "a\n😀.csv").write_text("q\nx\n")
    assert rows_of(tmp_path / "a\n😀.csv") == [{"q": "x"}]
    (tmp_path / "b\n\udcff.csv").write_text("q\n")
    assert refused(tmp_path / "b\n\udcff.csv") == "b??.csv has a header (q) and no rows."


def test_more_columns_than_a_table_has(tmp_path):
    (tmp_path / "wide.csv").write_text(",".join(f"c{i}" for i in range(20_000)) + "\n" + "," * 19_999 + "\n")
    assert refused(tmp_path / "wide.csv").startswith("wide.csv has 20,000 columns; at most 2,000 can be read.")


@pytest.mark.parametrize("cut", [0, 1, 5, 17, 25])
def test_gzip_that_is_cut(tmp_path, cut):
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"q,a\n" + b"x,y\n" * 9)[:cut])
    sentence = refused(tmp_path / "rows.csv.gz")
    assert sentence.startswith("rows.csv.gz ")
    assert cut < 2 or sentence.endswith("packed with gzip but damaged: it ends too early or was changed.")


def test_a_line_of_20_megabytes(tmp_path):
    (tmp_path / "long.jsonl").write_text('{"q": "' + "x" * 20_000_000 + '"}\n')
    assert [len(row["q"]) for row in rows_of(tmp_path / "long.jsonl")] == [20_000_000]
    (tmp_path / "long.csv").write_text("q,a\n" + "x" * 20_000_000 + "\n")
    assert refused(tmp_path / "long.csv") == "long.csv, line 2: 1 value, but the header names 2 columns (q, a)."


def test_a_pickle_is_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    for protocol in range(6):
        (tmp_path / "rows.jsonl").write_bytes(pickle.dumps(Trap(), protocol))
        refused(tmp_path / "rows.jsonl")
    assert not (tmp_path / "sprung").exists()


def test_the_first_line_of_excel_that_names_the_delimiter(tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"\xef\xbb\xbfsep=;\r\nq;a\r\nx, y;1,5\r\n")
    assert rows_of(tmp_path / "rows.csv") == [{"q": "x, y", "a": "1,5"}]
    (tmp_path / "bars.csv").write_text('"sep=|"\nq|a\nx;y|z\n')
    assert rows_of(tmp_path / "bars.csv") == [{"q": "x;y", "a": "z"}]


def test_tsv_that_holds_commas_or_one_column(tmp_path):
    (tmp_path / "commas.tsv").write_text("q,a\nx,y\n")
    (tmp_path / "one.tsv").write_text("text\nwell, yes\nno, thanks, no\n")
    assert rows_of(tmp_path / "commas.tsv") == [{"q": "x", "a": "y"}]
    assert rows_of(tmp_path / "one.tsv") == [{"text": "well, yes"}, {"text": "no, thanks, no"}]


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows"])
@pytest.mark.parametrize(
    "text",
    [
        '{"q": "x"}{"q": "y"}',
        '{"q": "x"} {"q": "y"}\n',
        '{"q": "x"},\n{"q": "y"},\n',
        '{\n "q": "x"\n}\n{\n "q": "y"\n}\n',
        '\x1e{"q":\n"x"}\n\x1e{"q": "y"}\n',
    ],
)
def test_objects_one_after_the_other_are_read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert rows_of(tmp_path / name) == [{"q": "x"}, {"q": "y"}]


def test_a_name_that_stands_twice_names_its_line(tmp_path):
    (tmp_path / "a.json").write_text(
        '[{"a": "{\\"b\\": 1, \\"b\\": 2}", "b": {"a": 1}},\n\n {"a": [{"x": 1,\n "x": 2}]}]'
    )
    assert refused(tmp_path / "a.json") == (
        "a.json, line 4: the name 'x' stands twice in one object. Rename or remove one."
    )


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_name_that_stands_twice_in_a_first_row_names_its_line(tmp_path, name):
    (tmp_path / name).write_text('{"a": "b", "c": 1, "c": 2}\n{"a": "b", "c": 1}\n')
    assert refused(tmp_path / name).endswith("line 1: the name 'c' stands twice in one object. Rename or remove one.")


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\r\t"), max_size=20)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.just([]) | st.just({}),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(TEXT, inner, min_size=1, max_size=3),
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
