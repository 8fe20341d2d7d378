"""Two texts a row and how alike they are: which columns, and what the labels say. Light: no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.data.formats import Layout
from core.data.labels import count_labels
from core.data.recognise import folded
from core.data.sources import Source
from core.data.split import Split
from core.data.turns import as_text
from core.errors import InputError

SAME = ("alike", "same", "similar", "duplicate", "paraphrase", "equivalent", "entailment", "match", "related",
        "relevant", "positive", "true", "yes", "y")  # fmt: skip
DIFFERENT = ("different", "distinct", "dissimilar", "unrelated", "irrelevant", "contradiction", "mismatch", "negative",
             "false", "no", "n")  # fmt: skip
# Columns in which a larger number says that two texts differ more.
DISTANCES = ("distance", "difference", "different", "is_different", "dissimilarity", "dissimilar")


@dataclass(frozen=True)
class Meaning:
    """What the labels of pairs say.

    Attributes:
        kind: "score", "classes" or "none": rows have no label, and the two texts of each belong together.
        differ, same: the label of two texts that have nothing in common, and that of two which say the same.
    """

    kind: str
    differ: str = ""
    same: str = ""

    @property
    def labels(self) -> list[str]:
        """As a list, which a run keeps."""
        return [] if self.kind == "none" else [self.kind, self.differ, self.same]

    @classmethod
    def of(cls, labels: Sequence[str]) -> Meaning:
        """From such a list."""
        return cls(*labels) if labels else cls("none")

    def alike(self, value: Any) -> float | None:
        """How alike a label says that two texts are: 1 the same, 0 different (-1 opposite, for scores from -1 to 1).

        None for a label that is no number, or none of the two classes.
        """
        text = _plain(value)
        if self.kind == "classes":
            return {self.differ: 0.0, self.same: 1.0}.get(text)
        score, low, high = _number(text), float(self.differ), float(self.same)
        if score is None:
            return None
        return score if (low, high) == (-1.0, 1.0) else (score - low) / (high - low)

    def sentence(self) -> str:
        """What a person should know about how the rows are read."""
        if self.kind == "none":
            return "The rows have no label: the two texts of each row are taken to belong together."
        what = "scores" if self.kind == "score" else "two classes"
        return f"The labels are read as {what}: {self.differ} says that two texts differ, {self.same} that they agree."


def columns(layout: Layout) -> tuple[str, str, str]:
    """The columns of the first text, of the second, and of the label, "" where there is none.

    A prompt and its answer are two texts that belong together.

    Raises:
        InputError: (field task) the rows do not have two texts.
    """
    r = layout.roles
    if layout.name == "pair":
        return r["first"], r["second"], r.get("label", "")
    if layout.name == "prompt_completion":
        return r["prompt"], r["completion"], ""
    raise InputError(
        f"Similarity compares two texts a row, and these rows have the layout {layout.name}. Choose the layout pair, "
        "and the columns of the two texts and of their label; or another task.",
        "task",
    )


def meaning_of(source: Source, places: Iterable[int]) -> Meaning:
    """What the labels of these rows say.

    Two different labels are two classes: of numbers the larger says that the texts are the same; of words those in SAME
    and DIFFERENT are known. More are scores, from the whole number below the least to the one above the greatest (those
    within 0 and 1, or -1 and 1, as they are). In a column named as in DISTANCES it is the other way round.

    Raises:
        InputError: (field task) the rows do not have two texts, or their labels are neither.
    """
    _, _, column = columns(source.layout)
    if not column:
        return Meaning("none")
    counted = count_labels(source.rows, Split(list(places), []), column)
    found = dict.fromkeys(_plain(one.label) for one in counted if one.label.strip())
    made = _meant(list(found), column)
    return Meaning(made.kind, made.same, made.differ) if folded(column) in DISTANCES else made


def _meant(values: list[str], column: str) -> Meaning:
    numbers = sorted(n for value in values if (n := _number(value)) is not None)
    if len(values) < 2:
        what = f"the label {values[0]!r}" if values else "no label"
        raise InputError(
            f"All rows have {what} in {column!r}: similarity learns from pairs that differ in how alike they are. "
            "Choose another column, or take the rows as a prompt and its answer, which need no label.",
            "task",
        )
    if len(numbers) < len(values):
        if len(values) == 2:
            return _words(values, column)
        wrong = next(value for value in values if _number(value) is None)
        raise InputError(
            f"{column!r} holds {len(values):,} different labels, such as {wrong[:60]!r}: similarity wants a number for "
            "how alike the two texts are, or two labels such as same and different. Choose another column or task.",
            "task",
        )
    low, high = numbers[0], numbers[-1]
    if len(values) == 2:
        return Meaning("classes", f"{low:g}", f"{high:g}")
    if -1 <= low < 0 and high <= 1:
        return Meaning("score", "-1", "1")
    return Meaning("score", str(math.floor(low)), str(math.ceil(high)))


def _words(values: list[str], column: str) -> Meaning:
    """Two classes in words, by what the words say."""
    one, other = (_says(value) for value in values)
    if one == other or (one is None and other is None):
        raise InputError(
            f"The labels in {column!r} are {values[0][:60]!r} and {values[1][:60]!r}: which says that two texts are "
            "alike cannot be told. Write 1 for pairs that are alike and 0 for the others.",
            "task",
        )
    differ, same = values if one is False or other is True else reversed(values)
    return Meaning("classes", differ, same)


def _says(value: str) -> bool | None:
    """Whether a word says that two texts are alike; None where it is not known."""
    word = folded(value)
    if word in SAME:
        return True
    return False if word in DIFFERENT or word.startswith(("not_", "non_")) else None


def _plain(value: Any) -> str:
    """A label as it is compared: 1, 1.0 and "1" are one."""
    text = as_text(value).strip()
    number = _number(text)
    return text if number is None else f"{number:g}"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
