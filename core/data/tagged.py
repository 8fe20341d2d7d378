"""Words and their tags: the entities that tags mark, and words as a text. Light: it goes into packages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from core.data.formats import Layout, check_tags
from core.data.turns import as_text
from core.errors import InputError

NOT_COUNTED = "-100"
OUTSIDE = ("", "O", "0", NOT_COUNTED, "_")  # tags of tokens that belong to no entity
UNNAMED = "entity"  # the type of a tag that is a mark alone: B, I
_MARKED = re.compile(r"(?P<mark>[BIESLUMO])-(?P<type>.+)|(?P<bare>[BIES])")
_MARKS = {"L": "E", "U": "S", "M": "I"}  # BILOU and BMES in the letters of IOBES
_CLOSE, _OPEN = re.compile(r"[,.;:!?)\]%]+"), ("(", "[")


def tagged_words(row: dict[str, Any], layout: Layout) -> tuple[list[str], list[str]]:
    """The words of a row of the layout tokens_tags, and the tag of each.

    Raises:
        InputError: they are no lists, or not as many tags as words.
    """
    check_tags(row, layout)
    words, tags = (row.get(layout.roles[role]) for role in ("tokens", "tags"))
    if not isinstance(words, list) or not isinstance(tags, list):
        raise InputError("words and tags are lists, and this row has none.", "data.path")
    return [as_text(word) for word in words], [as_text(tag).strip() or "O" for tag in tags]


def join(tokens: Sequence[str]) -> str:
    """Tokens as a text: single spaces between them, none before closing punctuation, none after an opening bracket."""
    text = ""
    for token in tokens:
        if text and token and not _CLOSE.fullmatch(token) and not text.endswith(_OPEN):
            text += " "
        text += token
    return text


def entities(tokens: Sequence[str], tags: Sequence[str]) -> dict[str, list[str]]:
    """The entities that tags mark, by type, in the order of the text.

    Tags are BIO, IOB1, IOBES or BILOU, read as the CoNLL scorer and seqeval read them: an entity ends where its type
    changes, a new one begins, or the last one's end was marked; one that begins without its mark counts. A tag without
    a mark ("PER") is the type alone.
    """
    found: dict[str, list[str]] = {}
    for kind, start, stop in spans(tags):
        found.setdefault(kind, []).append(join(tokens[start:stop]))
    return found


def spans(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """(type, first token, one behind the last) of each entity that tags mark."""
    found: list[tuple[str, int, int]] = []
    before, kind, start = "O", "", 0
    for place, tag in enumerate([*tags, "O"]):
        mark, new = _parts(tag)
        inside = before != "O"
        if inside and (mark in "OBS" or before in "ES" or new != kind):
            found.append((kind, start, place))
            inside = False
        if mark != "O" and not inside:
            start = place
        before, kind = mark, new
    return found


def _parts(tag: str) -> tuple[str, str]:
    """A tag's mark, one of B I E S O, and its type."""
    if tag in OUTSIDE:
        return "O", ""
    marked = _MARKED.fullmatch(tag)
    if not marked:
        return "I", tag
    if marked["bare"]:
        return marked["bare"], UNNAMED
    mark = _MARKS.get(marked["mark"], marked["mark"])
    return (mark, marked["type"]) if mark != "O" else ("O", "")
