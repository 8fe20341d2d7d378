"""Words to tokens: a text of words with a space between them, and which token each word begins with."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.data.questions import frame, framed
from core.data.segments import Segment, find_cuts
from core.data.tokens import Tokens, tokenise_rows
from core.models.tokenizer import traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Worded:
    """Words as a model reads them.

    Attributes:
        ids: token ids, the tokenizer's own marks around them.
        words: of each token the number of the word that it begins; None where it begins none.
        kept: so many words from the first on are in it.
        unread: how many of these begin no token: a tokenizer passes over some characters.
    """

    ids: list[int]
    words: list[int | None]
    kept: int
    unread: int


def typed_words(text: str) -> list[str]:
    """A typed text as words, as tagged rows have them: punctuation by itself, but not within a word or a number."""
    return _typed().findall(text)


@functools.cache
def _typed() -> re.Pattern[str]:
    """Made when first needed: Python's own \\w lacks the marks on letters, such as the vowel signs of Hindi."""
    marks = "".join(chr(n) for n in range(0x300, 0x1F000) if unicodedata.category(chr(n))[0] == "M")
    word = rf"[\w{marks}\u200c\u200d]+"
    return re.compile(rf"{word}(?:[-.,:'’]{word})*|[^\w\s]")


def encode_words(rows: Sequence[Sequence[str]], tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> list[Worded]:
    """Words as ids, at most `max_tokens` with the tokenizer's marks, cut off behind the last whole word that fits."""
    marks = frame(tokenizer)
    room = max(0, max_tokens - sum(map(len, marks)))
    segments, spans = [], []
    for words in rows:
        text, at = " ".join(words), 0
        spans.append(list[tuple[int, int]]())
        for word in words:
            spans[-1].append((at, at + len(word)))
            at += len(word) + 1
        segments.append([Segment(text, False, find_cuts(text, [(0, len(text))], traits(tokenizer)))])
    tokens = tokenise_rows(segments, tokenizer)
    return [_worded(row[0], where, room, marks) for row, where in zip(tokens, spans, strict=True)]


def _worded(tokens: Tokens, spans: Sequence[tuple[int, int]], room: int, marks: tuple[list[int], list[int]]) -> Worded:
    """One row: its tokens, and where its words stand in the text."""
    ids, places = tokens
    begins: list[int | None] = [None] * len(ids)
    ends = list[int]()  # of each word: one behind its last token
    token = unread = 0
    for number, (start, stop) in enumerate(spans):
        while token < len(ids) and places[token][1] <= start:
            token += 1
        last = token
        while last < len(ids) and places[last][0] < stop:
            last += 1
        if last > token and begins[token] is None and start < stop:
            begins[token] = number
        else:
            unread += 1
        ends.append(last)
        token = max(token, last - 1)  # its last token may reach into the next word
    kept = sum(end <= room for end in ends)
    if kept < len(spans):
        length = ends[kept - 1] if kept else 0
        ids, begins = ids[:length], begins[:length]
        unread = kept - sum(at is not None for at in begins)
    if kept == unread:
        return Worded([], [], 0, 0)
    whole = framed(ids, marks)
    before = len(whole) - len(ids) - len(marks[1])
    return Worded(whole, [None] * before + begins + [None] * len(marks[1]), kept, unread)
