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


def test_lists_of_numbers_are_read_as_lists_of_their_names(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Sequence, Value

    names = ["O", "B-PER"]
    features = Features({"tokens": Sequence(Value("string")), "ner_tags": Sequence(ClassLabel(names=names))})
    made = {"tokens": [["Ada", "sings"], ["I"], None, ["So", "it", "is"]], "ner_tags": [[1, 0], [0], None, [0, -1, 0]]}
    path = tmp_path / "rows.parquet"
    Dataset.from_dict(made, features=features).to_parquet(str(path))
    source = open_data(str(path))
    tags = [row["ner_tags"] for row in source.rows]
    assert tags == [["B-PER", "O"], ["O"], None, ["O", None, "O"]]
    assert "The numbers in 'ner_tags' are shown by their names." in source.notes
    assert source.layout.name == "tokens_tags"
    assert [row["ner_tags"] for row in open_data(f"{path}[1:4]").rows] == tags[1:]
