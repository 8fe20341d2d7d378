"""A stretch of rows that the checks look at together: what is said in them, and their texts, one by one and joined."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from core.data.checks.characters import LOST
from core.data.checks.reading import Reading, Said
from core.data.rows import Rows
from core.data.tables import weight
from core.errors import InputError

SIZE = 2000  # rows of a batch
LETTERS = 2_000_000  # of its texts, about: what looks at them takes some 60 bytes for each
PART = "\x1e"  # between joined texts


@dataclass(frozen=True)
class Batch:
    """Rows in a row.

    Attributes:
        start: the position of the first.
        rows: the rows.
        said: what each says; None where it cannot be read as a conversation.
        errors: why those cannot be read, by position.
    """

    start: int
    rows: list[dict[str, Any]]
    said: list[Said | None]
    errors: dict[int, InputError]

    @property
    def said_or_nothing(self) -> list[Said]:
        """What each row says; nothing where it cannot be read."""
        return [s or _NOTHING for s in self.said]

    @cached_property
    def _texts(self) -> tuple[list[str], list[int]]:
        texts: list[str] = []
        owners: list[int] = []
        for number, row in enumerate(self.rows, self.start):
            for name, value in row.items():
                if LOST in name:
                    texts.append(name)
                    owners.append(number)
                if isinstance(value, str):
                    if value:
                        texts.append(value)
                        owners.append(number)
                elif isinstance(value, list | dict):
                    inner = list(strings(value))
                    texts += inner
                    owners += [number] * len(inner)
        return texts, owners

    @property
    def texts(self) -> list[str]:
        """All texts in the rows, nested ones too, but for empty ones."""
        return self._texts[0]

    @property
    def owners(self) -> list[int]:
        """For each text the position of its row."""
        return self._texts[1]

    @cached_property
    def joined(self) -> str:
        """All texts in one, so that a pattern which is rare is looked for once."""
        return PART.join(self.texts)

    @cached_property
    def _starts(self) -> list[int]:
        starts, at = [], 0
        for text in self.texts:
            starts.append(at)
            at += len(text) + len(PART)
        return starts

    def holding(self, needles: Sequence[str]) -> Iterator[tuple[int, str]]:
        """The texts that hold one of these words, written in small letters: (position of the row, text)."""
        lower, starts, found = self.joined.lower(), self._starts, set[int]()
        if len(lower) != len(self.joined):  # a letter whose small one is longer: offsets would not fit
            found.update(i for i, text in enumerate(self.texts) if any(needle in text.lower() for needle in needles))
        else:
            for needle in needles:
                at = lower.find(needle)
                while at >= 0:
                    place = bisect.bisect_right(starts, at) - 1
                    found.add(place)
                    at = lower.find(needle, starts[place + 1]) if place + 1 < len(starts) else -1
        for place in sorted(found):
            yield self.owners[place], self.texts[place]

    def having(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
        """The texts in which a pattern is found: (position of the row, text). It must not match PART."""
        at = 0
        while match := pattern.search(self.joined, at):
            place = bisect.bisect_right(self._starts, match.start()) - 1
            yield self.owners[place], self.texts[place]
            if place + 1 == len(self._starts):
                return
            at = self._starts[place + 1]


_NOTHING = Said()


def strings(value: Any) -> Iterator[str]:
    """The texts in a nested value, but for empty ones, and for keys in which no letter was lost."""
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if LOST in key:
                yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def _some(stream: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """The next rows: SIZE of them, or fewer where they are long."""
    chunk, letters = [], 0
    for row in islice(stream, SIZE):
        chunk.append(row)
        letters += weight(row)
        if letters > LETTERS:
            break
    return chunk


def batches(rows: Rows, reading: Reading) -> Iterator[Batch]:
    """All rows, batch by batch.

    Raises:
        InputError: the template does not fit the rows at all.
    """
    stream, start = iter(rows), 0
    while chunk := _some(stream):
        said: list[Said | None] = []
        errors: dict[int, InputError] = {}
        for number, row in enumerate(chunk, start):
            try:
                said.append(reading.said(row))
            except InputError as error:
                if error.field == "data.template":
                    raise
                said.append(None)
                errors[number] = error
        yield Batch(start, chunk, said, errors)
        start += len(chunk)
