"""No value of a row can write a special token: in its text such a token is broken up by a mark, which becomes a cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from core.data.reasoning import KEYS
from core.data.segments import Segment
from core.models.tokenizer import Traits

_PRIVATE = re.compile("[\ue000-\uf8ff]|\\\\u[ef][0-9a-fA-F]{3}")  # as themselves, or as their escapes
# Keys that are ours, not the row's.
_KEYS = frozenset(
    (
        "role", "content", "instruction", "input", "tool_calls", "tool_call_id", "type", "function", "name",
        "arguments", *KEYS,
    )
)  # fmt: skip


class Guard:
    """Marks the texts of one conversation, and turns the marks in what a template made of them into cuts.

    Args:
        values: all that the conversation holds: messages, tools. t: of the tokenizer.
    """

    def __init__(self, values: Any, t: Traits) -> None:
        self.t = t
        used = {c.casefold() for text in texts_in(values) for c in _PRIVATE.findall(text)}
        free = (c for c in map(chr, range(0xE000, 0xF8F0)) if c not in used and f"\\u{ord(c):04x}" not in used)
        self.mark, self.probe = next(free), next(free)  # `probe` is a text that nothing else holds
        self._escaped = f"\\u{ord(self.mark):04x}"

    def marked(self, value: Any) -> Any:
        """A value with a mark in each special token's text, at any depth, keys included."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list | tuple):
            return [self.marked(v) for v in value]
        if isinstance(value, dict):
            return {k if k in _KEYS else self._text(str(k)): self.marked(v) for k, v in value.items()}
        return value

    def _text(self, text: str) -> str:
        places = sorted(_places(text, self.t))
        if not places:
            return text
        return self.mark.join(text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True))

    def whole(self, text: str) -> str:
        """What a template wrote, where it wrote a mark as the escape of JSON or Python: as the mark again."""
        return text.replace(self._escaped, self.mark)

    def segment(self, text: str, answer: bool = False, end: int = 0, everywhere: bool = False) -> Segment:
        """A segment of marked text: the marks become cuts."""
        if self.mark not in text:
            return Segment(text, answer, (), end, everywhere)
        pieces = text.split(self.mark)
        cuts, at = [], 0
        for piece in pieces[:-1]:
            at += len(piece)
            cuts.append(at)
        return Segment("".join(pieces), answer, tuple(cuts), end, everywhere)

    def bare(self, text: str) -> str:
        """A marked text without the marks."""
        return text.replace(self.mark, "")


def texts_in(value: Any) -> Iterator[str]:
    """The texts in a value, and the keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)


def _places(text: str, t: Traits) -> set[int]:
    """Where to break a text: within each special token's text, and within what begins or ends one at its edges.

    What a template writes beside a value, or another value there, could complete such a beginning or end.
    """
    if t.specials is None or not text:
        return set()
    places, at = set[int](), 0
    while match := t.specials.search(text, at):
        at = match.start() + 1
        places.add(at)
    beginnings, ends, longest = t.edges
    for size in range(2, min(longest, len(text)) + 1):
        if text[-size:] in beginnings:
            places.add(len(text) - size + 1)
        if text[:size] in ends:
            places.add(size - 1)
    return places
