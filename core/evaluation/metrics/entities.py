"""Tags of words, and the entities that they mark: whole entities right, of those wanted and of those given.

A row is a text with a tag behind each word: `Ada/B-PER sings/O`. A tag alone, without its word, counts too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.data.tagged import spans
from core.evaluation.metrics.base import Floats

PLACE = "\N{NO-BREAK SPACE}"  # stands for white space within a word or a tag
STROKE = "\N{DIVISION SLASH}"  # stands for a stroke within a tag


def write(words: Sequence[str], tags: Sequence[str]) -> str:
    """Words and their tags as one text."""
    return " ".join(
        f"{PLACE.join(word.split())}/{PLACE.join(tag.split()).replace('/', STROKE)}"
        for word, tag in zip(words, tags, strict=True)
    )


def read(text: str) -> list[str]:
    """The tags of a text that `write` wrote."""
    return [part.rpartition("/")[2] for part in text.split(" ") if part]


def entity_rows(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """Statistics [rows, 3]: entities that are right, wanted, given.

    One is right when type, first and last word are, as the CoNLL scorer and seqeval count (Tjong Kim Sang and De
    Meulder 2003).
    """
    rows = []
    for want, got in zip(references, predictions, strict=True):
        wanted, given = set(spans(read(want))), set(spans(read(got)))
        rows.append((len(wanted & given), len(wanted), len(given)))
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), 3)


def f1(sums: Floats) -> Floats:
    """The harmonic mean of precision and recall over all entities; 0 where none is wanted or given."""
    both = sums[..., 1] + sums[..., 2]
    return np.divide(2 * sums[..., 0], both, out=np.zeros_like(both), where=both > 0)


def precision(sums: Floats) -> Floats:
    """Share of the entities given that are right."""
    given = sums[..., 2]
    return np.divide(sums[..., 0], given, out=np.zeros_like(given), where=given > 0)


def recall(sums: Floats) -> Floats:
    """Share of the entities wanted that are found."""
    wanted = sums[..., 1]
    return np.divide(sums[..., 0], wanted, out=np.zeros_like(wanted), where=wanted > 0)


def tag_rows(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """Statistics [rows, 2]: tags that are right, tags that the reference has."""
    rows = []
    for want, got in zip(references, predictions, strict=True):
        wanted, given = read(want), read(got)
        rows.append((sum(a == b for a, b in zip(wanted, given, strict=False)), len(wanted)))
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), 2)
