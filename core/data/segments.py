"""Segments: stretches of a row's text, read or learned; and how a text template and a row's values make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.data.turns import as_text
from core.models.tokenizer import Traits


@dataclass(frozen=True)
class Segment:
    """A stretch of a row's text.

    Attributes:
        text: as the tokenizer sees it, special tokens included.
        answer: whether it is an answer that is to be learned, or what is read before one.
        cuts: offsets in text at which it is tokenised apart, so that the text of a special token in a row's value stays
            plain text: a row cannot end its own answer or open a turn.
        end: so many characters at the end of text are the end token.
        everywhere: whether the loss is taken on it although it is no answer: all text is trained on.
        lost: what the assistant says in the row, and the chat template leaves out of it: the first such part.
        put_back: whether reasoning that the chat template leaves out stands in its place nevertheless.
        said: whether there are words of the row in it; an answer without any is the template's alone, and empty.
    """

    text: str
    answer: bool
    cuts: tuple[int, ...] = ()
    end: int = 0
    everywhere: bool = False
    lost: str = ""
    put_back: bool = False
    said: bool = True

    @property
    def trained(self) -> bool:
        """Whether the loss is taken on it."""
        return self.answer or self.everywhere


@dataclass(frozen=True)
class Part:
    """A piece of a parsed template: literal text, or a column's name."""

    text: str
    column: bool
    answer: bool


def fill(row: dict[str, Any], parts: Sequence[Part], t: Traits, train_on: str) -> list[Segment]:
    """The segments of a text template with a row's values in it: see `template.render`."""
    runs: list[_Run] = []
    last = max(i for i, p in enumerate(parts) if p.answer)
    for i, part in enumerate(parts):
        if not runs or runs[-1].answer != part.answer:
            runs.append(_Run(part.answer))
        value = as_text(row.get(part.text)) if part.column else part.text
        if part.column and i == last and t.eos:  # an end token that the data wrote out: one is added below
            value = value.removesuffix(t.eos)
        runs[-1].add(value, part.column)
    for before, run in zip(runs, runs[1:], strict=False):
        if run.answer:
            before.give_space(run)
    final = max(i for i, run in enumerate(runs) if run.answer)
    end = runs[final].own_tail(t)
    if final + 1 < len(runs) and (token := runs[final + 1].own_head(t)):
        runs[final + 1].text = runs[final + 1].text[len(token) :]
        runs[final + 1].spans = [(a - len(token), b - len(token)) for a, b in runs[final + 1].spans]
        runs[final].text += token
        end += len(token)
    if t.eos and not (end and runs[final].text.endswith(t.eos)):
        runs[final].text += t.eos
        end += len(t.eos)
    begun = next((run.own_head(t) for run in runs if run.text), "")
    head = [Segment(t.bos, False)] if t.bos and begun != t.bos else []
    body = [
        Segment(
            run.text,
            run.answer and (train_on != "last" or i == final),
            find_cuts(run.text, run.spans, t),
            end if i == final else 0,
            train_on == "all" and not run.answer,
            said=any(run.text[a:b].strip() for a, b in run.spans),
        )
        for i, run in enumerate(runs)
        if run.text or run.answer
    ]
    return head + body


class _Run:
    """A stretch of text under construction, with the spans of it that came from the row."""

    def __init__(self, answer: bool) -> None:
        self.answer, self.text, self.spans = answer, "", list[tuple[int, int]]()

    def add(self, text: str, value: bool) -> None:
        if value and text:
            self.spans.append((len(self.text), len(self.text) + len(text)))
        self.text += text

    def give_space(self, other: _Run) -> None:
        """Move the white space at the end to the front of the next run."""
        kept = self.text.rstrip()
        moved = self.text[len(kept) :]
        if moved:
            size, at = len(moved), len(kept)
            shifted = [(max(a, at) - at, b - at) for a, b in self.spans if b > at]
            other.spans = shifted + [(a + size, b + size) for a, b in other.spans]
            other.text = moved + other.text
            self.text, self.spans = kept, [(a, min(b, at)) for a, b in self.spans if a < at]

    def own_tail(self, t: Traits) -> int:
        """The length of the template's own special tokens at the end of the text."""
        start, end = max((b for _, b in self.spans), default=0), len(self.text)
        while token := next((s for s in t.ids if self.text.endswith(s, start, end)), ""):
            end -= len(token)
        return len(self.text) - end

    def own_head(self, t: Traits) -> str:
        """The template's own special token at the very start of the text, or ""."""
        match = t.specials.match(self.text) if t.specials else None
        return match.group() if match and all(a >= match.end() for a, _ in self.spans) else ""


def find_cuts(text: str, spans: Sequence[tuple[int, int]], t: Traits) -> tuple[int, ...]:
    """Where to cut a text so that no special token's text which touches a row's value is read as that token."""
    if t.specials is None or not spans or not t.specials.search(text):
        return ()
    cuts, at = set[int](), 0
    while match := t.specials.search(text, at):
        start, end = match.span()
        if end - start > 1 and any(a < end and b > start for a, b in spans):
            cuts.add(start + 1)
            at = start + 1
        else:
            at = end
    return tuple(sorted(cuts))
