"""Choices that a row offers: their marks and texts, and how its key says which of them is right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from core.data.turns import as_text
from core.data.values import parsed

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CERTAIN = 0.9  # of the rows a key must fit
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


def told_by(found: Sequence[tuple[list[tuple[str, str]], Any]]) -> str | None:
    """How a column says which choice is right, a key of TOLD: in the same way in nearly all rows. None: it does not."""
    found = [(offer, value) for offer, value in found if offer]
    counts = all(isinstance(value, int) and not isinstance(value, bool) for _, value in found)
    ways = ("mark", "0", "1", "text") if counts else ("mark", "text", "0", "1")
    fits = {by: sum(right_mark(*one, by) is not None for one in found) for by in ways}
    best = max(ways, key=lambda by: fits[by])  # the first of equals
    return best if found and fits[best] >= CERTAIN * len(found) else None


def right_mark(offer: Sequence[tuple[str, str]], value: Any, by: str) -> str | None:
    """The mark of the choice that a value says is right; None where it is none of them."""
    said = "" if isinstance(value, bool) else as_text(value).strip()
    if by == "text":
        return next((mark for mark, text in offer if said and said == text), None)
    bare = said.strip("().: ")
    if by == "mark":
        return next((mark for mark, _ in offer if bare.casefold() == mark.casefold()), None)
    at = int(float(bare)) - int(by) if re.fullmatch(r"\d{1,3}(\.0)?", bare) else -1
    return offer[at][0] if 0 <= at < len(offer) else None
