"""Choices that a row offers: their marks and texts, and how its key says which of them is right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from core.data.turns import as_text
from core.data.values import parsed

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CERTAIN = 0.8  # of the rows a key must fit
_MARKED = re.compile(r"\(?[A-Ja-j1-9][).:]\s*")


def options(value: Any) -> list[tuple[str, str]]:
    """The choices in a value, (mark, text) each: a list of texts or of objects, an object of two lists, or of texts by
    their marks; [] where there are none."""
    value = parsed(value)
    if isinstance(value, dict):
        value = {key: inner for key, inner in value.items() if inner is not None}
        texts = next(
            (value[k] for k in ("text", "texts", "choices", "options") if isinstance(value.get(k), list)), None
        )
        marks = next((value[k] for k in ("label", "labels", "key", "keys") if isinstance(value.get(k), list)), None)
        if texts is not None:
            return marked(texts, marks)
        if len(value) > 1 and all(isinstance(v, str | int | float) and len(k) <= 2 for k, v in value.items()):
            return marked(list(value.values()), list(value))
        return []
    if isinstance(value, str):  # a choice a line
        value = [line.strip() for line in value.splitlines() if line.strip()]
        value = value if all(map(_MARKED.match, value)) else []
    if not isinstance(value, list) or len(value) < 2:
        return []
    if all(isinstance(item, dict) for item in value):
        texts = [
            next((item[k] for k in ("text", "value", "content", "option", "choice") if k in item), None)
            for item in value
        ]
        marks = [next((item[k] for k in ("label", "key", "id", "letter", "para") if k in item), None) for item in value]
        return marked(texts, None if None in marks else marks) if None not in texts else []
    return marked(value, None) if all(isinstance(item, str | int | float) for item in value) else []


def one_hot(value: Any) -> list[Any]:
    """The choices in an object, and the letter of the one that a list of 0 and 1 marks; [] where it is none."""
    value = parsed(value)
    texts, marks = (value.get("choices"), value.get("labels")) if isinstance(value, dict) else (None, None)
    if not isinstance(texts, list) or not isinstance(marks, list) or len(texts) != len(marks):
        return []
    right = [letter for letter, mark in zip(LETTERS, marks, strict=False) if mark == 1]
    return [texts, right[0]] if len(right) == 1 and all(mark in (0, 1) for mark in marks) else []


def marked(texts: Sequence[Any], marks: Sequence[Any] | None) -> list[tuple[str, str]]:
    """Texts with their marks, or with letters; letters that stand in front of the texts already are taken off."""
    words = [as_text(text).strip() for text in texts]
    if marks is None or len(marks) != len(words):
        marks = LETTERS[: len(words)]
        if all(m and m.group()[-1:] != "" for m in map(_MARKED.match, words)):
            words = [_MARKED.sub("", word, count=1) for word in words]
    return [(as_text(mark).strip(), word) for mark, word in zip(marks, words, strict=False)]


TOLD = {
    "mark": "names its mark", "text": "repeats it", "0": "counts the choices from 0", "1": "counts the choices from 1",
}  # fmt: skip


UNSURE = "is a guess"  # in the note on choices that another reading of the key fits as well


def told_by(found: Sequence[tuple[list[tuple[str, str]], Any]], numbers: bool = False) -> str | None:
    """How a column says which choice is right, a key of TOLD: in the same way in nearly all rows. None: it does not.

    Args:
        numbers: whether the choices are numbers themselves, as which a number is the right one rather than its place.
    """
    found = [(offer, value) for offer, value in found if offer]
    counts = not numbers and all(isinstance(value, int) and not isinstance(value, bool) for _, value in found)
    ways = ("mark", "0", "1", "text") if counts else ("mark", "text", "0", "1")
    fits = {by: sum(right_mark(*one, by) is not None for one in found) for by in ways}
    best = max(ways, key=lambda by: fits[by])  # the first of equals
    return best if found and fits[best] >= CERTAIN * len(found) else None


def counted(by: str, values: Iterable[Any], most: int) -> tuple[str, bool]:
    """(whether numbers count the choices from "0" or from "1", whether that is sure): a 0 says it, or the number of the
    last of `most` choices; it stays `by` where neither stands among the values, or both do."""
    there = {at for value in values if (at := _number(as_text(value))) is not None}
    if (0 in there) == (most in there):
        return by, 0 in there
    return ("0" if 0 in there else "1"), True


def rivals(found: Sequence[tuple[list[tuple[str, str]], Any]], by: str) -> list[str]:
    """The other ways (keys of TOLD) that fit all rows as well, but to which other choices are the right ones."""
    said = [right_mark(*one, by) for one in found if one[0]]
    others = {way: [right_mark(*one, way) for one in found if one[0]] for way in TOLD if way != by}
    return [way for way, marks in others.items() if None not in marks and marks != said]


def _number(said: str) -> int | None:
    bare = said.strip("().: ")
    return int(float(bare)) if re.fullmatch(r"\d{1,3}(\.0)?", bare) else None


def right_mark(offer: Sequence[tuple[str, str]], value: Any, by: str) -> str | None:
    """The mark of the choice that a value says is right; None where it is none of them."""
    said = "" if isinstance(value, bool) else as_text(value).strip()
    if by == "text":
        bare = _MARKED.sub("", said, count=1)
        exact = next((mark for mark, text in offer if said and said == text), None)
        return exact or next(
            (mark for mark, text in offer if bare and bare == text and said.lstrip("(")[:1] == mark), None
        )
    bare = said.strip("().: ")
    if by == "mark":
        return next((mark for mark, _ in offer if bare.casefold() == mark.casefold()), None)
    number = _number(bare)
    at = number - int(by) if number is not None else -1
    return offer[at][0] if 0 <= at < len(offer) else None
