"""One JSON object of several lists: which is read, which is kept back, and rows that are lists of plain values."""

import json

import pytest

from core.config import build
from core.data import jsonarrays, parsers
from core.data.dataset import open_examples
from core.data.sources import open_data
from core.data.split import split_source
from core.errors import InputError

ROWS = [{"text": f"film {i} is nice", "label": ("pos", "neg")[i % 2]} for i in range(20)]
PLAIN = [list(row.values()) for row in ROWS]
COLUMNS = [[f"film {i}", f"{i}"] for i in range(20)]


@pytest.fixture(params=["whole", "piece by piece"])
def write(request, tmp_path, monkeypatch):
    """A writer of a JSON file that is read at once, or as a large one is."""
    if request.param != "whole":
        monkeypatch.setattr(parsers, "WHOLE", 64)
        monkeypatch.setattr(jsonarrays, "BLOCK", 256)

    def to_file(value):
        path = tmp_path / "set.json"
        path.write_text(json.dumps(value), encoding="utf-8")
        return str(path)

    return to_file


def parted(path, **data):
    config = build({"data": {"path": path, **data}})
    source = open_examples(config)
    parts = split_source(source, config)
    return source, len(parts.train), len(parts.validation)


@pytest.mark.parametrize("train", ["train", "Train", "training"])
@pytest.mark.parametrize("kept", ["val", "validation", "valid", "dev", "Dev"])
def test_both_are_used_as_such_and_said(write, train, kept):
    path = write({"version": "1", kept: [{"text": "x", "label": "pos"}] * 3, train: ROWS, "test": ROWS[:2]})
    source, trained, held = parted(path)
    assert (trained, held) == (20, 3) and list(source.rows[:20]) == ROWS
    assert (
        source.notes[0]
        == f"The rows are those under {train!r}. There are {kept!r} and 'test' too: data.split takes another."
    )
    assert f"The 3 rows under {kept!r} are kept back" in source.notes[1]


def test_an_empty_list_to_train_on_is_refused(write):
    path = write({"train": [], "validation": ROWS})
    with pytest.raises(InputError, match="'train' in set.json is empty.*There is 'validation': data.split takes it"):
        parted(path)
    assert parted(path, split="validation", validation=0)[1:] == (20, 0)


def test_an_empty_list_to_train_on_is_refused_a_level_below(tmp_path):
    (tmp_path / "set.json").write_text(json.dumps({"data": {"train": [], "test": ROWS}}))
    with pytest.raises(InputError, match="'train' in set.json is empty"):
        open_data(str(tmp_path / "set.json"))


def test_a_split_that_is_named_is_read_alone(write):
    path = write({"train": ROWS, "val": ROWS[:4], "test": ROWS[:2]})
    assert parted(path, split="train")[1:] == (18, 2)
    assert parted(path, split="test", validation=0)[1:] == (2, 0)
    assert parted(path, split="validation", validation=0)[1:] == (4, 0)
    assert parted(path, validation=0)[1:] == (20, 0)
    assert parted(path, validation="test")[1:] == (20, 2)
    assert parted(path, validation="val[:2]")[1:] == (20, 2)
    assert parted(path, folds=4, fold=1)[1:] == (15, 5)
    with pytest.raises(InputError, match="There is no split 'tset' in set.json. Did you mean 'test'") as error:
        open_data(path, split="tset")
    assert error.value.field == "data.split"


def test_one_list_for_training_alone_gives_a_share(write):
    assert parted(write({"train": ROWS}))[1:] == (18, 2)
    assert parted(write({"val": ROWS}))[1:] == (18, 2)


def test_in_a_folder_the_splits_are_its_files(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "rows.json").write_text(json.dumps({"train": ROWS, "val": ROWS[:4]}), encoding="utf-8")
    assert parted(str(tmp_path / "set"))[1:] == (18, 2)


def test_a_slice_is_of_the_list_that_is_read(write):
    path = write({"train": ROWS, "val": [{"text": "x", "label": "pos"}] * 3})
    source, trained, held = parted(f"{path}[:10]")
    assert (trained, held) == (10, 3) and source.rows[0] == ROWS[0]


def test_lists_that_are_no_splits_must_be_named(write):
    path = write({"cats": ROWS, "dogs": ROWS[:3]})
    with pytest.raises(InputError, match="say with data.split which is meant"):
        open_data(path)
    assert len(open_data(path, split="dogs").rows) == 3


@pytest.mark.parametrize(("value", "columns"), [
    ({"train": PLAIN, "val": PLAIN[:2]}, ["column_1", "column_2"]),
    ({"train": [["text", "label"], *PLAIN], "val": [["text", "label"], *PLAIN[:2]]}, ["text", "label"]),
    ({"columns": ["words", "kind"], "train": PLAIN, "val": PLAIN[:2]}, ["words", "kind"]),
    ({"header": ["words", "kind"], "data": PLAIN}, ["words", "kind"]),
])  # fmt: skip
def test_lists_of_plain_values_are_rows(write, value, columns):
    source = open_data(write(value))
    assert source.columns == columns and len(source.rows) == 20
    assert [list(row.values()) for row in source.rows] == PLAIN
    assert (source.layout.name, source.layout.roles["label"]) == ("text_label", columns[1])


@pytest.mark.parametrize("value", [
    {"train": {"columns": ["text", "label"], "data": PLAIN}}, {"data": {"train": ROWS, "test": ROWS[:1]}},
    {"train": {"text": [r["text"] for r in ROWS], "label": [r["label"] for r in ROWS]}},
])  # fmt: skip
def test_splits_that_lie_deeper(tmp_path, value):
    path = tmp_path / "set.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    assert list(open_data(str(path)).rows) == ROWS


def test_a_row_of_another_length_is_named(write):
    with pytest.raises(InputError, match="Row 1 of 'train' has 3 values, but there are 2 columns"):
        open_data(write({"train": [["a", "b"], ["a", "b", "c"]]}))


def test_other_objects_are_refused(write):
    with pytest.raises(InputError, match="one object without a list of rows"):
        open_data(write({"matrix": [[1, 2], [3, 4]], "name": "x" * 80}))
    with pytest.raises(InputError, match="There is no split 'test' in set.json: a single file is all train"):
        open_data(write(ROWS), split="test")
