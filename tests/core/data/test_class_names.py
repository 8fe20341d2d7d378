"""Labels that are numbers with names, as the library `datasets` writes them, are read as the names."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.data.sources import open_data


@pytest.fixture
def rows(tmp_path):
    """Written by `datasets` itself, so that the names lie where it puts them."""
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["world", "sport"]), "n": Value("int64")})
    made = {"text": [f"text {i}" for i in range(12)], "label": [i % 2 for i in range(11)] + [-1], "n": list(range(12))}
    path = tmp_path / "rows.parquet"
    Dataset.from_dict(made, features=features).to_parquet(str(path))
    return path


def test_numbers_are_read_as_their_names(rows):
    source = open_data(str(rows))
    assert [row["label"] for row in source.rows] == ["world", "sport"] * 5 + ["world", None]
    assert [row["n"] for row in source.rows] == list(range(12))
    assert source.layout.name == "text_label"
    assert source.notes == ["The numbers in 'label' are shown by their names."]


def test_numbers_without_names_stay(tmp_path):
    pq.write_table(pa.table({"text": ["a", "b"], "label": [0, 1]}), tmp_path / "plain.parquet")
    source = open_data(str(tmp_path / "plain.parquet"))
    assert [row["label"] for row in source.rows] == [0, 1]
    assert source.notes == []
