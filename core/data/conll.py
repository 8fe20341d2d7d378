"""CoNLL and its kin: a word and its tag a line, a blank line between sentences; a sentence becomes a row."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from core.data.parsers import fail
from core.data.tables import Table, collect

ENDINGS = (".conll", ".conllu", ".iob", ".bio")
TAG = re.compile(r"O|[BIESLU]-\S+")
_SHARE = 0.9  # of the lines, to take a file of another name for this
_FIELDS = 10  # of a line of CoNLL-U
_COMMENT = re.compile(r"#\s*[\w.:-]+\s*=")


def is_conll(sample: str, complete: bool) -> bool:
    """Whether nearly all lines have two to five columns, the last of them a tag such as O or B-PER."""
    lines = sample.splitlines()
    if not complete:
        lines = lines[:-1]
    words = [_columns(line, "\t" in line) for line in lines if line.strip() and not _passed_over(line)]
    tagged = sum(2 <= len(columns) <= 5 and bool(TAG.fullmatch(columns[-1])) for columns in words)
    return len(words) > 1 and tagged > _SHARE * len(words)


def read_conll(text: io.TextIOWrapper, name: str, universal: bool) -> Table:
    """Rows {"tokens": [...], "tags": [...]}: of each line the first column and the last, or FORM and UPOS.

    Args:
        universal: the file is CoNLL-U by its name; ten columns and a count also say so.
    """
    first = _first(text)
    text.seek(0)
    if not first:
        fail(f"{name} holds {'no words' if text.read().strip() else 'nothing but white space'}.")
    tabs = "\t" in first
    columns = _columns(first, tabs)
    universal = universal or (len(columns) == _FIELDS and tabs and columns[0] in ("1", "1-2"))
    width = _FIELDS if universal else len(columns)
    if width < 2:
        fail(f"{name}: the line {first.strip()[:40]!r} has no tag: a word and its tag are needed in each line.")
    table = collect(_sentences(_words(text, name, width, universal or tabs, universal)), ["tokens", "tags"])
    if universal:
        table.notes = ["Each sentence is a row: its word forms (FORM) and their word classes (UPOS)."]
    elif width > 2:
        table.notes = [f"Each sentence is a row: of {width} columns the first is the word and the last its tag."]
    else:
        table.notes = ["Each sentence is a row."]
    if table.data.num_rows == 1:
        table.notes.append("No blank line parts the file, so all of it is one sentence.")
    return table


def _first(lines: Iterable[str]) -> str:
    """The first line with a word."""
    for line in lines:
        if line.strip() and not _passed_over(line):
            columns = _columns(line, "\t" in line)
            if not line.startswith("#") or (len(columns) > 1 and TAG.fullmatch(columns[-1])):
                return line
    return ""


def _words(
    lines: Iterable[str], name: str, width: int, tabs: bool, universal: bool
) -> Iterator[tuple[str, str] | None]:
    """Each word with its tag, and None where a sentence ends."""
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("-DOCSTART-"):
            yield None
            continue
        columns = _columns(line, tabs)
        if line.startswith("#") and (universal or len(columns) != width or _COMMENT.match(line)):
            continue
        if len(columns) != width:
            found = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
            fail(
                f"{name}, line {number}: {found}, where {'CoNLL-U has' if universal else 'the first line has'} {width}."
            )
        word, tag = (columns[1], columns[3]) if universal else (columns[0], columns[-1])
        if universal and not columns[0].isdecimal():  # 3-4 spans the words 3 and 4, and 3.1 is a word left unsaid
            continue
        if not word or not tag:
            fail(f"{name}, line {number}: the {'tag' if word else 'word'} is missing.")
        yield word, tag


def _sentences(words: Iterable[tuple[str, str] | None]) -> Iterator[dict[str, Any]]:
    sentence: list[tuple[str, str]] = []
    for word in words:
        if word is not None:
            sentence.append(word)
        elif sentence:
            yield {"tokens": [w for w, _ in sentence], "tags": [t for _, t in sentence]}
            sentence = []
    if sentence:
        yield {"tokens": [w for w, _ in sentence], "tags": [t for _, t in sentence]}


def _columns(line: str, tabs: bool) -> list[str]:
    line = line.rstrip("\r\n")
    return [c.strip() for c in line.split("\t")] if tabs else [c for c in re.split(r"[ \t]+", line) if c]


def _passed_over(line: str) -> bool:
    return line.startswith("-DOCSTART-") or bool(_COMMENT.match(line))
