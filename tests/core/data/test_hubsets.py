"""Which files of a data set a configuration means: what a README declares, patterns, folders; no network is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.hubsets import Configuration, configurations_of, matches, parts_of
from core.errors import InputError


def front(text):
    return f"---\n{text}\n---\n# A set\n"


@pytest.mark.parametrize(("given_files", "want"), [
    ("data_files: all.csv", {"train": ["all.csv"]}),
    ("data_files: [a.csv, ./b.csv]", {"train": ["a.csv", "b.csv"]}),
    ("data_files: {train: a.csv, dev: [b.csv, c.csv]}", {"train": ["a.csv"], "validation": ["b.csv", "c.csv"]}),
    ("data_files: [{split: train_sft, path: data/a-*}, {split: test, path: [x, y]}]",
     {"train_sft": ["data/a-*"], "test": ["x", "y"]}),
    ("data_dir: de\n  data_files: a.csv", {"train": ["de/a.csv"]}),
    ("data_dir: ./de/", {}),
])  # fmt: skip
def test_every_form_of_data_files(given_files, want):
    [found] = configurations_of(front(f"configs:\n- config_name: one\n  {given_files}"))
    assert (found.name, found.patterns, found.default) == ("one", want, False)


@pytest.mark.parametrize("readme", [
    "", "# No front", "---\nlicense: mit\n---\n", "---\nconfigs: [\n---\n", "---\nconfigs: 7\n---\n",
    "---\n- a\n---\n", f"---\n{'[' * 3000}\n---\n", "---\na: 2024-99-99\n---\n",
    "---\nconfigs: [a, {config_name: b}]\n---\n", "text\n---\nconfigs: [{data_files: a}]\n---\n",
])  # fmt: skip
def test_a_readme_that_declares_no_files(readme):
    assert configurations_of(readme) == []


def test_a_readme_with_other_line_ends():
    readme = "\ufeff" + front("configs:\n- {data_files: a.csv, default: true}").replace("\n", "\r\n")
    assert configurations_of(readme) == [Configuration("default", True, {"train": ["a.csv"]})]


@pytest.mark.parametrize(("pattern", "names"), [
    ("data/*.csv", "data/a.csv"),
    ("data/train-*", "data/train-00000-of-00001.parquet"), ("**/b.csv", "b.csv x/y/b.csv"),
    ("data/**", "data/a.csv data/deep/a.csv data/train-00000-of-00001.parquet"), ("b.?sv", "b.csv"),
    ("[ab].csv", "b.csv"), ("[a-c].csv", "b.csv"), ("[c-a].csv", ""),
    ("[!b].csv", ""), ("data/deep", "data/deep/a.csv"), ("b.csv", "b.csv"), ("bxcsv", ""),
])  # fmt: skip
def test_patterns(pattern, names):
    known = ["b.csv", "data/a.csv", "data/deep/a.csv", "data/train-00000-of-00001.parquet", "x/y/b.csv"]
    assert " ".join(name for name in known if matches(name, pattern)) == names


@given(st.text("ab/.*?[]!+(-^\\\\&|", max_size=8), st.text("ab/.[", max_size=8))
def test_any_text_is_a_pattern(pattern, name):
    assert matches(name, pattern) in (True, False)
    assert matches("a/b.csv", "a/b.csv") and not matches("a/bxcsv", "a/b.csv")


@pytest.mark.parametrize(("names", "name", "want"), [
    (["train.csv", "test.csv"], None, {"train": ["train.csv"], "test": ["test.csv"]}),
    (["train.csv", "train.parquet"], None, {"train": ["train.parquet"]}),
    (["train.csv", "vocabulary.txt"], None, {"train": ["train.csv"]}),
    (["a.txt", "b.txt"], None, {"train": ["a.txt", "b.txt"]}),
    (["de/a-10.csv", "de/a-9.csv"], None, {"train": ["de/a-9.csv", "de/a-10.csv"]}),
    (["data/train.csv", "de/train.csv"], None, {"train": ["data/train.csv"]}),
    (["data/train.csv", "de/train.csv"], "de", {"train": ["de/train.csv"]}),
    (["train/de.csv", "train/en.csv"], "en", {"train": ["train/en.csv"]}),
])  # fmt: skip
def test_without_a_declaration_folders_and_names_tell(names, name, want):
    assert parts_of(names, [], name, "a/b") == (want, [])


def test_a_declared_configuration_without_files():
    with pytest.raises(InputError, match="configuration 'one' of 'a/b' has no file that can be read") as error:
        parts_of(["other.csv"], [Configuration("one", patterns={"train": ["one.csv"]})], None, "a/b")
    assert error.value.field == "data.name"
