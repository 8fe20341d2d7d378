"""Folders, patterns and splits: which files are read, in what order, and what a stranger may not reach."""

import contextlib
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import build
from core.data.dataset import open_examples
from core.data.files import natural, parted, readable, split_of
from core.data.sources import open_data
from core.errors import InputError
from core.paths import uploads_dir
from tests.factory import write_jsonl


def make(folder, **files):
    """Files with one row for each number: make(path, train="1 2") writes train.jsonl with {"n": "1"} and {"n": "2"}."""
    for name, numbers in files.items():
        path = folder / name.replace("__", "/").replace("_", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(path.with_name(path.name + ".jsonl"), [{"n": n} for n in numbers.split()])
    return folder


def numbers(source):
    return " ".join(row["n"] for row in source.rows)


def test_a_folder_is_all_its_files_in_the_order_of_their_numbers(tmp_path):
    make(tmp_path / "set", part_1="1", part_2="2", part_10="10")
    (tmp_path / "set" / "README.md").write_text("Not an example.")
    (tmp_path / "set" / "LICENSE.txt").write_text("Not an example.")
    (tmp_path / "set" / "dataset_infos.json").write_text('{"a": 1}')
    (tmp_path / "set" / ".hidden.jsonl").write_text('{"n": "hidden"}\n')
    (tmp_path / "set" / "logo.png").write_bytes(b"\x89PNG")
    source = open_data(str(tmp_path / "set"))
    assert (numbers(source), source.name, source.columns) == ("1 2 10", "set", ["n"])
    assert source.notes == ["3 files, read one after another: part-1.jsonl, part-2.jsonl and part-10.jsonl."]


def test_kinds_and_columns_may_differ(tmp_path):
    (tmp_path / "a.csv").write_text("q;a\none;1\n")
    (tmp_path / "b.jsonl").write_text('{"q": "two", "a": {"x": 2}, "c": 3}\n')
    source = open_data(str(tmp_path))
    assert list(source.rows) == [{"q": "one", "a": "1", "c": None}, {"q": "two", "a": {"x": 2}, "c": 3}]
    assert "a.csv: Columns are separated by semicolons." in source.notes
    assert "a.csv has no column 'c': it is empty there." in source.notes


def test_tables_that_agree_are_joined_without_a_copy(tmp_path):
    make(tmp_path, a="1 2", b="3")
    data = open_data(str(tmp_path)).rows.data
    assert data.column("n").num_chunks == 2 and data.num_rows == 3


def test_a_column_that_only_some_files_have_needs_no_copy_either(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"q": "one"}\n')
    (tmp_path / "b.jsonl").write_text('{"a": 5, "q": "two"}\n')
    source = open_data(str(tmp_path))
    assert list(source.rows) == [{"q": "one", "a": None}, {"q": "two", "a": 5}]


def test_a_bad_file_among_good_ones_is_named(tmp_path):
    make(tmp_path, a="1")
    (tmp_path / "b.jsonl").write_text('{"n": "1"}\n{"n": \n')
    with pytest.raises(InputError, match=r"b\.jsonl, line 2"):
        open_data(str(tmp_path))


def test_the_fingerprint_is_of_all_files(tmp_path):
    make(tmp_path, a="1", b="2")
    before = open_data(str(tmp_path)).fingerprint
    make(tmp_path, b="3 4")
    assert open_data(str(tmp_path)).fingerprint != before
    assert numbers(open_data(str(tmp_path))) == "1 3 4"


@pytest.mark.parametrize(("split", "want"), [
    (None, "1 2"), ("train", "1 2"), ("validation", "3"), ("dev", "3"), ("test", "4 5"), ("test[1:]", "5"),
    ("train[:50%]", "1"), ("[1:]", "2"),
])  # fmt: skip
def test_splits_by_the_names_of_files(tmp_path, split, want):
    make(tmp_path, my_train="1 2", my_dev="3", my_test="4 5", other="6")
    source = open_data(str(tmp_path), split=split)
    assert numbers(source) == want
    if split is None:
        assert source.notes[:2] == [
            "The files of the split train are read; there is validation and test too.",
            "Not read, since other files are named for training: other.jsonl.",
        ]


def test_splits_by_the_names_of_folders(tmp_path):
    make(tmp_path, train__a="1", train__b="2", valid__a="3", elsewhere__a="4")
    assert numbers(open_data(str(tmp_path))) == "1 2"
    assert numbers(open_data(str(tmp_path), split="validation")) == "3"


def test_files_of_no_split_beside_a_test_file_are_those_to_train_on(tmp_path):
    make(tmp_path, rows="1 2", heldout="3")
    assert numbers(open_data(str(tmp_path))) == numbers(open_data(str(tmp_path), split="train")) == "1 2"


def test_without_files_to_train_on_all_are_read_and_it_is_said(tmp_path):
    make(tmp_path, dev="1", test="2")
    source = open_data(str(tmp_path))
    assert numbers(source) == "1 2" and "None of the files is named for training" in source.notes[0]


def test_the_splits_that_there_are_are_named(tmp_path):
    make(tmp_path / "set", train="1", test="2")
    with pytest.raises(
        InputError, match=r"no split 'tset' in .*Did you mean 'test'\? There is train and test"
    ) as error:
        open_data(str(tmp_path / "set"), split="tset")
    assert error.value.field == "data.split"


def test_a_single_file_is_all_train(rows_file):
    assert len(open_data(str(rows_file), split="train[-100:]").rows) == 24
    with pytest.raises(InputError, match="a single file is all train") as error:
        open_data(str(rows_file), split="validation")
    assert error.value.field == "data.split"


@pytest.mark.parametrize("split", ["train[:3]", "[:3]"])
def test_a_slice_in_both_places(rows_file, split):
    with pytest.raises(InputError, match="has a slice already") as error:
        open_data(f"{rows_file}[:5]", split=split)
    assert error.value.field == "data.split"


@pytest.mark.parametrize("split", ["train+test", "train[1]x", "train[:3", "a b"])
def test_what_is_no_split(rows_file, split):
    with pytest.raises(InputError, match="is no split: write train") as error:
        open_data(str(rows_file), split=split)
    assert error.value.field == "data.split"


def test_the_validation_split_of_a_folder_is_kept_back(tmp_path):
    make(tmp_path, train="1 2 3", validation="8 9")
    source = open_examples(build({"data": {"path": str(tmp_path), "validation": "validation", "template": "{n}"}}))
    assert numbers(source) == "1 2 3 8 9" and list(source.held) == [3, 4]


def test_a_slice_of_the_training_files_is_kept_back(tmp_path):
    make(tmp_path, train_1="1 2", train_2="3 4", test="9")
    source = open_examples(build({"data": {"path": str(tmp_path), "validation": "train[75%:]", "template": "{n}"}}))
    assert numbers(source) == "1 2 3 4" and list(source.held) == [3]


def test_a_pattern(tmp_path, monkeypatch):
    make(tmp_path / "data", part_2="2", part_10="10", other="7")
    monkeypatch.chdir(tmp_path)
    assert numbers(open_data("data/part-*.jsonl")) == numbers(open_data(f"{tmp_path}/*/part*")) == "2 10"
    assert numbers(open_data("data/part-*.jsonl[1:]")) == "10"
    assert numbers(open_data("**/part-[0-9].jsonl")) == "2"
    with pytest.raises(InputError, match=r"No file matches the pattern 'data/\*\.csv'"):
        open_data("data/*.csv")


def test_a_folder_without_examples_says_what_it_holds(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match="is a folder without a file of examples.*It holds picture.png"):
        open_data(str(tmp_path))


def test_a_configuration_is_a_folder_of_the_folder(tmp_path):
    make(tmp_path, main__train="1", socratic__train="2")
    assert numbers(open_data(str(tmp_path), "socratic")) == "2"


@pytest.fixture
def public(monkeypatch, tmp_path):
    monkeypatch.setenv("SPACE_ID", "owner/space")
    monkeypatch.setenv("TUNESMITH_RUNS", str(tmp_path / "data" / "runs"))
    uploads_dir().mkdir(parents=True)
    write_jsonl(tmp_path / "secret" / "a.jsonl", [{"n": "secret"}])
    return tmp_path


@pytest.mark.parametrize("spec", [
    "/etc/*", "/etc", "{out}/*.jsonl", "{out}", "{up}/link", "{up}/link/*.jsonl", "{up}/set", "{up}/set/*.jsonl",
    "{up}/*/*.jsonl", "{up}/**", "{up}/*/../../../secret/*", "../*.jsonl", "{up}/../../secret/*", "*.txt",
])  # fmt: skip
def test_a_stranger_reaches_no_file_by_a_folder_a_pattern_or_a_link(public, spec):
    (uploads_dir() / "link").symlink_to(public / "secret")
    (uploads_dir() / "set").mkdir()
    (uploads_dir() / "set" / "a.jsonl").symlink_to(public / "secret" / "a.jsonl")
    with pytest.raises(InputError, match="open to everybody|leads up again"):
        open_data(spec.format(out=public / "secret", up=uploads_dir()))


def test_a_stranger_reaches_no_folder_by_the_name_of_a_configuration(public):
    make(uploads_dir() / "set", a="1")
    with pytest.raises(InputError, match="open to everybody"):
        open_data(str(uploads_dir() / "set"), "../../../secret")


def test_a_stranger_opens_an_own_folder_and_is_told_no_names_of_others(public):
    make(uploads_dir() / "abc123", a="1", b="2")
    assert numbers(open_data(str(uploads_dir() / "abc123"))) == "1 2"
    assert numbers(open_data(f"{uploads_dir()}/abc123/*.jsonl")) == "1 2"
    with pytest.raises(InputError) as error:
        open_data(str(uploads_dir()))
    assert "abc123" not in str(error.value)


@pytest.mark.parametrize(("name", "split"), [
    ("train.csv", "train"), ("training-1.csv", "train"), ("my_train_set.csv", "train"), ("Train.csv", "train"),
    ("strain.csv", None), ("trainer.csv", None), ("valid.csv", "validation"), ("x.dev.jsonl", "validation"),
    ("validations.csv", None), ("eval_0.csv", "test"), ("heldout.csv", "test"), ("test/train.csv", "test"),
    ("data/train_sft-00000-of-00003.parquet", "train_sft"), ("data/train-00000-of-00001.parquet", "train"),
    ("data/rows.csv", None), ("ag_news-test.csv", "test"),
])  # fmt: skip
def test_the_split_in_a_name(name, split):
    assert split_of(name) == split


def test_names_of_examples():
    known = ["a.jsonl", "a.JSON.gz", "b/c.parquet", "config-rows.csv"]
    beside = ["README.md", "readme", "x/LICENSE.txt", "dataset_infos.json", ".a.csv", "a.png", "config.json", "a"]
    assert [n for n in known + beside if readable(n)] == known
    assert sorted(["b", "a10", "a9", "10", "9"], key=natural) == ["9", "10", "a9", "a10", "b"]


def test_splits_are_those_of_the_datasets_library(tmp_path):
    from datasets.data_files import get_data_patterns, resolve_pattern

    words = ["train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval", "evaluation", "x"]
    parts = itertools.product(["", "my", "my_", "my-", "my."], words, ["", "_a", "-1", "s", "2"])
    names = sorted({f"{''.join(p)}.csv" for p in parts})
    for name in names:
        (tmp_path / name).write_text("")
    theirs = {}
    for split, patterns in get_data_patterns(str(tmp_path)).items():
        found = set()
        for pattern in patterns:
            with contextlib.suppress(FileNotFoundError):
                found |= {Path(file).name for file in resolve_pattern(pattern, str(tmp_path))}
        theirs[str(split)] = sorted(found)
    ours = parted(names)
    assert ours.pop("") and ours == theirs


@given(st.integers(1, 300), st.integers(-100, 100) | st.none(), st.integers(-100, 100) | st.none(), st.booleans())
def test_slices_are_those_of_the_datasets_library(tmp_path_factory, count, start, stop, percent):
    from datasets import ReadInstruction

    from core.data.sources import slice_of

    unit = "%" if percent else ""
    part = f"[{'' if start is None else f'{start}{unit}'}:{'' if stop is None else f'{stop}{unit}'}]"
    [want] = ReadInstruction.from_spec(f"train{part}").to_absolute({"train": count})
    ours = range(count)[slice_of(part, count, "rows")]
    assert list(ours) == list(range(want.from_, want.to))


def test_rows_of_json_keep_their_values_across_files(tmp_path):
    rows = [{"n": 1, "m": [1, {"a": None}]}, {"n": 2.5, "m": None}]
    for i, row in enumerate(rows):
        (tmp_path / f"{i}.json").write_text(json.dumps([row]))
    assert list(open_data(str(tmp_path)).rows) == rows
