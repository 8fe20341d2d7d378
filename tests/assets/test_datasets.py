"""The bundled data sets: reproducible, free of overlap, and honest about names never seen."""

import json
from itertools import islice
from pathlib import Path

import pytest

from assets.make import datasets, names, phrases
from assets.make.corpus import documents
from assets.make.lexicon import CITIES, FIRST_NAMES, ITEMS, LAST_NAMES

DATA = Path(__file__).resolve().parents[2] / "assets" / "data"
CONFIGS = DATA.parent / "configs"


def rows(path: str) -> list[dict]:
    """The rows of one file below assets/data."""
    return [json.loads(line) for line in (DATA / path).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """All files as the generators write them today."""
    return datasets.files()


def test_files_are_what_the_generators_write(made):
    assert {path: (DATA / path).read_text(encoding="utf-8") for path in made} == made
    assert sorted(made) == sorted(str(path.relative_to(DATA).as_posix()) for path in DATA.rglob("*.jsonl"))


@pytest.mark.parametrize(("name", "sizes"), datasets.SIZES.items())
def test_row_counts(name, sizes):
    folder = "instructions/chats_" if name == "chats" else f"{name}/"
    assert (len(rows(f"{folder}train.jsonl")), len(rows(f"{folder}heldout.jsonl"))) == sizes
    assert 300 <= sum(sizes) <= 2000


@pytest.mark.parametrize(
    ("folder", "question"),
    [("tone/", "phrase"), ("fields/", "note"), ("summary/", "text"), ("instructions/chats_", "messages")],
)
def test_no_question_is_in_both_files_or_twice(folder, question):
    train = [json.dumps(row[question]) for row in rows(f"{folder}train.jsonl")]
    held_out = [json.dumps(row[question]) for row in rows(f"{folder}heldout.jsonl")]
    assert len({*train, *held_out}) == len(train) + len(held_out)


def test_no_instruction_is_in_both_files():
    train, held_out = (
        {(row["instruction"], row["input"]) for row in rows(f"instructions/{part}.jsonl")}
        for part in ("train", "heldout")
    )
    assert train.isdisjoint(held_out)


def test_every_tone_is_known_and_as_frequent_as_the_others():
    for part in ("train", "heldout"):
        tones = [row["tone"] for row in rows(f"tone/{part}.jsonl")]
        assert set(tones) == set(phrases.TONES)
        assert len({tones.count(tone) for tone in phrases.TONES}) == 1


def test_fields_are_json_and_copied_from_the_note():
    for row in rows("fields/train.jsonl") + rows("fields/heldout.jsonl"):
        values = json.loads(row["fields"])
        assert list(values) == ["name", "item", "quantity", "city", "date"]
        assert values["name"] in row["note"] and values["city"] in row["note"]
        assert values["item"] in ITEMS and values["item"] in row["note"].lower()
        assert isinstance(values["quantity"], int) and values["quantity"] > 0


def test_new_names_occur_nowhere_in_training():
    corpus = "\n".join(islice(documents(20), 20_000))
    training = corpus + "".join(
        (DATA / path).read_text(encoding="utf-8") for path in datasets.files() if "train" in path
    )
    words = set(training.replace('"', " ").replace("\\", " ").replace(",", " ").replace(".", " ").split())
    new = [row for row in rows("fields/heldout.jsonl") if row["names"] == "new"]
    assert len(new) == 120
    for row in new:
        values = json.loads(row["fields"])
        assert values["name"] not in training
        for word in (*values["name"].split(), values["city"]):
            assert word not in words


def test_reserved_names_can_never_be_made_for_training():
    real = {*FIRST_NAMES, *LAST_NAMES, *CITIES}
    assert set(names.RESERVED_CORES).isdisjoint(names.OPEN_CORES)
    new = [json.loads(row["fields"]) for row in rows("fields/heldout.jsonl") if row["names"] == "new"]
    for values in new:
        assert real.isdisjoint([*values["name"].split(), values["city"]])


def test_summaries_need_the_paragraph():
    for row in rows("summary/heldout.jsonl"):
        copied = [word for word in row["summary"].rstrip(".").split() if word.lower() in row["text"].lower()]
        assert len(copied) >= 0.6 * len(row["summary"].split())
        assert row["summary"] not in row["text"]


@pytest.mark.parametrize("name", ["tone", "fields", "summary", "instructions"])
def test_config_names_files_that_exist(name):
    text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
    for part in ("train", "heldout"):
        assert f"assets/data/{name}/{part}.jsonl" in text
    assert "path: assets/demo-model" in text
