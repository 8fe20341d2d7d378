"""NaN is a missing value, and 1 and 1.0 are one value, in whatever kind of file they stand."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.data.sources import open_data


def labels(path) -> list:
    return [row["label"] for row in open_data(str(path)).rows]


def jsonl(path, values):
    """Labels as they are to stand in the file."""
    path.write_text("\n".join(f'{{"text": "text {i}", "label": {value}}}' for i, value in enumerate(values)))
    return path


@pytest.mark.parametrize(
    "given, read",
    [
        (["1", "1.0", "0", "0.0", "-0.0", "2.5"], [1, 1, 0, 0, 0, 2.5]),
        (["1.0", "0.0", "2.0"], [1.0, 0.0, 2.0]),  # no number in two spellings: as it stands
        (["1", "NaN", "null", "0"], [1, None, None, 0]),
        (["1", '"1"', "1.0"], [1, "1", 1]),
        (["1", '"1.0"', '"0"', "0.0"], [1, "1", "0", 0]),
        (["1.0", '"1.00"', "0"], [1, "1", 0]),
        (['"pos"', '"neg"', '"nan"', '"pos"'] * 4, ["pos", "neg", None, "pos"] * 4),
        (['"pos"', "NaN", '"neg"'], ["pos", None, "neg"]),
    ],
)
def test_json_lines(tmp_path, given, read):
    found = labels(jsonl(tmp_path / "rows.jsonl", given))
    assert found == read and list(map(type, found)) == list(map(type, read))


def test_json_csv_and_parquet(tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps([{"text": "a", "label": 1}, {"text": "b", "label": 1.0}]))
    assert list(map(str, labels(tmp_path / "rows.json"))) == ["1", "1"]
    (tmp_path / "rows.csv").write_text("text,label\n" + "a,1\nb,1.0\nc,0\nd,nan\ne,NaN\n" * 3)
    assert labels(tmp_path / "rows.csv") == ["1", "1", "0", None, None] * 3
    pq.write_table(pa.table({"text": ["a", "b", "c"], "label": [1.0, float("nan"), None]}), tmp_path / "rows.parquet")
    assert labels(tmp_path / "rows.parquet") == [1.0, None, None]


def test_nan_within_a_value_is_missing_too(tmp_path):
    row = '{"text": "a", "label": "b", "more": {"x": [NaN, 1.0], "y": {"z": NaN}}, "said": "NaN, really"}'
    (tmp_path / "rows.jsonl").write_text(f"{row}\n{row}\n")
    source = open_data(str(tmp_path / "rows.jsonl"))
    assert source.rows[0]["more"] == {"x": [None, 1.0], "y": {"z": None}} and source.rows[0]["said"] == "NaN, really"
    assert source.notes == ["NaN stands within 'more' in 2 rows: a missing value."]
    nested = pa.table({"text": ["a"], "more": [{"x": [float("nan"), 1.0], "y": float("nan")}]})
    pq.write_table(nested, tmp_path / "rows.parquet")
    assert open_data(str(tmp_path / "rows.parquet")).rows[0]["more"] == {"x": [None, 1.0]}


def test_true_beside_1_is_said(tmp_path):
    [note] = open_data(str(jsonl(tmp_path / "rows.jsonl", ["true", "1", "0"]))).notes
    assert note == "Some values of 'label' are true or false, and others are 1 or 0: they are not the same."


def test_what_was_changed_is_said(tmp_path):
    source = open_data(str(jsonl(tmp_path / "rows.jsonl", ["1", "1.0", "NaN"])))
    assert source.notes == [
        "'label' is NaN in 1 row: a missing value.",
        "Some numbers in 'label' are written as 1 and as 1.0: they are taken as one value.",
    ]


def test_texts_are_left_alone(tmp_path):
    texts = ["nan", "my nan bakes 1.0 kg", "version 1.0", "1", "1.0"] + [
        f"words of row {i}, all different" for i in range(9)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"text": t, "summary": "s" * 70}) for t in texts))
    assert [row["text"] for row in open_data(str(tmp_path / "rows.jsonl")).rows] == texts


def test_a_clean_column_is_the_very_table_of_the_file(tmp_path):
    source = open_data(str(jsonl(tmp_path / "rows.jsonl", [str(i % 2) for i in range(20)])))
    assert [row["label"] for row in source.rows] == [i % 2 for i in range(20)] and source.notes == []
