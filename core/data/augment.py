"""Changed copies of the training rows, and labels in equal number: which rows are trained on, and how often."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np

from core.config import RunConfig
from core.data import balance
from core.data.altered import asks, changes_of
from core.data.altered import before_after as before_after
from core.data.altered import changed as changed
from core.data.formats import Layout, answer_column
from core.data.rows import Rows
from core.data.sources import Source
from core.data.split import KEY, classes_of, row_keys
from core.data.template import Wording, parse
from core.errors import InputError

TRIES = 3  # times as many copies are tried as are wanted, until enough of them differ
SOME = 10  # with so many labels, and more than half as many as rows, they are no labels


@dataclass(frozen=True)
class Plan:
    """The rows to train on, as positions in the source and the copy of each: 0 is the row as it is.

    Attributes:
        places, copies: of the same length, in the order of the file, a row before its copies.
        notes: what was added or left out, one sentence each.
        added: changed copies and repeated rows. left_out: rows that the balance leaves out.
    """

    places: list[int]
    copies: list[int]
    notes: list[str] = field(default_factory=list)
    added: int = 0
    left_out: int = 0

    def rows(self, source: Source, config: RunConfig) -> Sequence[dict[str, Any]]:
        """The rows, copies changed."""
        rows = source.rows.take(self.places)
        return Planned(rows, np.array(self.copies, np.int64), source.layout, config) if any(self.copies) else rows


# Which rows, and how often


def plan(source: Source, places: Sequence[int], config: RunConfig) -> Plan:
    """Which rows are trained on how often, as the augmentation section says; none but those given.

    A copy that would repeat its row or an earlier copy is not made, except where labels are balanced: there the numbers
    must be equal.

    Args:
        source: all rows. places: those to train on, in the order of the file; no others are ever copied.

    Raises:
        InputError: there is no question to change or no label to balance by; the list of synonyms cannot be read.
    """
    a = config.augmentation
    changes, copying = changes_of(a), a.copies > 0 or a.balance == "over"
    if changes.any and copying and not asks(source.layout, source.columns, config):
        raise InputError(
            "These rows have no question whose words could be changed: set the copies and all shares of words to 0.",
            "augmentation.copies",
        )
    where, notes = np.asarray(places, dtype=np.int64), list[str]()
    copies = 0 * where
    if changes.any and not copying:
        notes.append("Shares of words are set, but no copies, so no word is changed.")
    if not len(where) or (a.balance == "none" and not a.copies):
        return Plan(list(places), copies.tolist(), notes)
    where, copies, said = (_copied if a.balance == "none" else _balanced)(source, where, config)
    order = np.lexsort((copies, where))
    left_out = len(places) - len(np.unique(where))
    added = len(where) - len(places) + left_out
    notes += said
    if copies.any() and config.data.train_on == "all":
        notes.append("The loss is taken on all text, so the changed words are learned as well.")
    return Plan(where[order].tolist(), copies[order].tolist(), notes, added, left_out)


def _copied(source: Source, places: np.ndarray, config: RunConfig) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Every row with its copies, as far as they differ."""
    more, numbers, whole, most = list[int](), list[int](), 0, config.augmentation.copies
    if not most:
        return places, 0 * places, []
    for place, row in zip(places.tolist(), source.rows.take(places), strict=True):
        seen = [row]
        for copy in range(1, TRIES * most + 1):
            if len(seen) > most or (copy > 1 and len(seen) == 1):  # all are made, or none can be
                break
            if (new := changed(row, source.layout, config, copy)) not in seen:
                seen.append(new)
                more.append(place)
                numbers.append(copy)
        whole += len(seen) == 1
    notes = [f"{_count(len(more), 'changed copy is', 'changed copies are')} added to {len(places):,} rows."]
    if whole:
        notes.append(f"{_count(whole, 'row has', 'rows have')} no word that can be changed, and so no copy.")
    if alike := (len(places) - whole) * most - len(more):
        notes.append(f"{_count(alike, 'copy', 'copies')} would have been like another, and so not made.")
    return np.append(places, np.array(more, np.int64)), np.append(0 * places, np.array(numbers, np.int64)), notes


def _balanced(source: Source, places: np.ndarray, config: RunConfig) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Every label as often as the largest or the smallest, with its copies."""
    a = config.augmentation
    column = _label(source, config)
    codes, names = classes_of(source.rows.take(places), column)
    known = sorted({name.strip() for name in names} - {""})
    numbers = {name: i for i, name in enumerate(known)} | {"": -1}
    codes, labels = np.array([numbers[name.strip()] for name in names])[codes], len(known)
    if labels > max(SOME, len(places) / 2):
        raise InputError(
            f"{column!r} holds {labels:,} different values in {len(places):,} rows, so it is no label to balance by: "
            "set the balance to none.",
            "augmentation.balance",
        )
    if labels < 2:
        where, copies, said = _copied(source, places, config)
        return where, copies, [f"All rows have the same {column!r}: there is nothing to balance.", *said]
    salt = config.training.seed.to_bytes(8, "big")
    keys = row_keys(source.rows)[places].tobytes()
    marks = b"".join(
        hashlib.blake2b(salt + keys[i : i + KEY], digest_size=8).digest() for i in range(0, len(keys), KEY)
    )
    order = np.argsort(np.frombuffer(marks, ">u8"), kind="stable")
    pick = balance.repeated if a.balance == "over" else balance.thinned
    rows, copies = pick(codes, order, 1 + a.copies)
    gone, gained = len(places) - len(np.unique(rows)), len(rows) // (1 + a.copies) - len(places)
    each = int((codes[rows] >= 0).sum()) // labels // (1 + a.copies)
    done = _count(gone, "row is", "rows are") + " left out"
    changes = changes_of(a).any
    if a.balance == "over" and changes:
        done = _count(gained, "changed copy is", "changed copies are") + " added"
    elif a.balance == "over":
        done = _count(gained, "row is repeated", "rows are repeated")
    notes = [f"{done}, so that each of {labels:,} labels has {each:,} rows."]
    if a.copies:
        notes.append(f"{_count(a.copies, 'changed copy', 'changed copies')} of each row added.")
    if changes and len(again := np.unique(places[rows[copies > 0]])):
        whole = sum(changed(row, source.layout, config, 1) == row for row in source.rows.take(again))
        if whole:
            notes.append(
                f"{_count(whole, 'row has', 'rows have')} no word that can be changed: their copies are alike."
            )
    return places[rows], copies if changes else 0 * copies, notes


def _label(source: Source, config: RunConfig) -> str:
    """The column that holds the label: the only one of the answer.

    Raises:
        InputError: there is none, or several.
    """
    template, layout = Wording.of(config.data).text, source.layout
    if template is None:
        found = {answer_column(layout)} - {""}
    else:
        found = {part.text for part in parse(template, tuple(source.columns)) if part.column and part.answer}
    if len(found) != 1:
        what = f"several columns ({', '.join(sorted(found))})" if found else "turns of a conversation"
        raise InputError(
            f"The answers of these rows are {what}, so there is no label to balance by: set the balance to none.",
            "augmentation.balance",
        )
    return found.pop()


def _count(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {many}"


class Planned(Sequence[dict[str, Any]]):
    """The rows of a plan, each changed when it is read; a slice of them goes to another process."""

    def __init__(self, rows: Rows, copies: np.ndarray, layout: Layout, config: RunConfig) -> None:
        self.rows, self.copies, self.layout, self.config = rows, copies, layout, config

    def __len__(self) -> int:
        return len(self.copies)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Planned: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | Planned:
        if isinstance(index, slice):
            return Planned(self.rows[index], self.copies[index], self.layout, self.config)
        return changed(self.rows[index], self.layout, self.config, int(self.copies[index]))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row, copy in zip(self.rows, self.copies.tolist(), strict=True):
            yield changed(row, self.layout, self.config, copy)
