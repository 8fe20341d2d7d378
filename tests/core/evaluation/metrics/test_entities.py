"""Entities and tags against seqeval, and by hand where schemes part."""

import random

import pytest
from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score

from core.evaluation import metrics
from core.evaluation.metrics.entities import read, write


def tagged(seed, scheme, rows=40):
    """Wanted tags, and given ones that are sometimes others, whatever the scheme allows after one another."""
    chance = random.Random(seed)
    tags = ["O", "O", *(f"{mark}-{kind}" for mark in scheme for kind in ("PER", "LOC", "ORG-X"))]
    wants = [[chance.choice(tags) for _ in range(chance.randint(1, 12))] for _ in range(rows)]
    return wants, [[tag if chance.random() < 0.7 else chance.choice(tags) for tag in row] for row in wants]


@pytest.mark.parametrize("scheme", ["BI", "I", "BIES"])
@pytest.mark.parametrize("seed", range(4))
def test_they_are_those_of_seqeval(seed, scheme):
    wants, gives = tagged(seed, scheme)
    columns = {"references": [" ".join(row) for row in wants], "predictions": [" ".join(row) for row in gives]}
    for name, theirs in (
        ("entity_f1", f1_score), ("entity_precision", precision_score), ("entity_recall", recall_score),
        ("tag_accuracy", accuracy_score),
    ):  # fmt: skip
        assert metrics.METRICS[name].compute(**columns) == pytest.approx(theirs(wants, gives)), name


@pytest.mark.parametrize(
    ("want", "got", "f1"),
    [
        ("B-X I-X O", "B-X I-X O", 1.0),
        ("B-X I-X O", "B-X O O", 0.0),  # half an entity is none
        ("B-X I-X O", "I-X I-X O", 1.0),  # one that begins without its mark counts
        ("B-X O B-Y", "B-X O B-X", 0.5),
        ("O O", "O O", 0.0),  # nothing to find, as seqeval has it
        ("PER PER O", "PER PER O", 1.0),  # plain tags
        ("B-X O", "", 0.0),
    ],
)
def test_by_hand(want, got, f1):
    assert metrics.METRICS["entity_f1"].compute(references=[want], predictions=[got]) == pytest.approx(f1)


def test_words_and_tags_come_back_from_their_text():
    words, tags = ["Ada", "1/2", "New York", "", "."], ["B-PER", "O", "B-A/B", "O", "I-the rest"]
    text = write(words, tags)
    assert len(text.split(" ")) == 5 and text.startswith("Ada/B-PER 1/2/O ")
    assert [tag[:2] for tag in read(text)] == [tag[:2] for tag in tags]
    assert read(text)[:2] == ["B-PER", "O"] and write(words, read(text)) == text
