"""Rows that repeat others: word for word, nearly, across training and validation, or with another answer."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from core.data.checks import near
from core.data.checks.batch import SIZE, Batch
from core.data.checks.case import Case
from core.data.checks.finding import EXAMPLES, SHOWN, Finding, Remedy, Severity, count_of, shorten
from core.data.checks.reading import Reading, Said
from core.data.dataset import open_heldout
from core.data.rows import Rows

_dump = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=str).encode
Confirm = Callable[[np.ndarray], np.ndarray]
_SIMPLE = {str, type(None)}
LOSS = 0.02  # of the training rows: with more leaking ones, keeping equal questions together is proposed


def keys(values: Iterable[Hashable], count: int) -> np.ndarray:
    """8 bytes for each of `count` values, equal for equal ones within this process, as uint64; 0 for "".

    Two others are taken for equal once in 100,000 sets of 10 million rows.
    """
    return np.fromiter(map(hash, values), np.int64, count).view(np.uint64)


def row_value(row: dict[str, Any]) -> Hashable:
    """What is equal for rows with equal values, and for no others."""
    values = tuple(row.values())
    return values if set(map(type, values)) <= _SIMPLE else _dump(values)


class Keys:
    """What `count` rows are compared by, in their order.

    Attributes:
        rows, questions, answers: uint64 [count]: of all of a row, of what it asks, of what it answers; 0 for nothing.
        signatures: of the rows, for those that are nearly the same.
    """

    def __init__(self, count: int) -> None:
        self.rows: np.ndarray = np.zeros(count, np.uint64)
        self.questions: np.ndarray = np.zeros(count, np.uint64)
        self.answers: np.ndarray = np.zeros(count, np.uint64)
        self.signatures, self._at = near.Signatures(count), 0

    def add(self, rows: Sequence[dict[str, Any]], said: Sequence[Said], nearly: bool = True) -> None:
        """Those of the next rows; without signatures where only equal rows are asked for."""
        part = slice(self._at, self._at + len(rows))
        self.rows[part] = keys(map(row_value, rows), len(rows))
        self.questions[part] = keys((s.question for s in said), len(rows))
        self.answers[part] = keys((s.answer for s in said), len(rows))
        self._at = part.stop
        if nearly:
            self.signatures.add(said)


def questions_of(rows: Rows, reading: Reading) -> np.ndarray:
    """Of what rows ask: uint64 [rows]; 0 where nothing is asked, or the columns are others."""
    parts: list[np.ndarray] = [np.zeros(0, np.uint64)]
    for start in range(0, len(rows), SIZE):
        part = rows[start : start + SIZE]
        parts.append(keys((reading.said_if_any(row).question for row in part), len(part)))
    return np.concatenate(parts)


def among(hashes: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which hashes are among these, which are sorted; never 0, which stands for nothing. bool [hashes]."""
    if not len(known):
        return np.zeros(len(hashes), bool)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return np.asarray((known[places] == hashes) & (hashes != 0))


def in_order(count: int, held: np.ndarray | None) -> np.ndarray:
    """Positions of rows, those first that rather stay: rows kept back by name, then the earlier ones."""
    if held is None:
        return np.arange(count)
    rest: np.ndarray = np.ones(count, bool)
    rest[held] = False
    return np.concatenate([held, np.flatnonzero(rest)])


def repeated(row_keys: np.ndarray, order: np.ndarray, held: np.ndarray | None) -> np.ndarray:
    """For each row the position of the equal row that stays in its place, or -1. Rows kept back by name all stay."""
    twins: np.ndarray = np.full(len(row_keys), -1, np.int64)
    ranks, again = _sorted(row_keys if held is None else row_keys[order])
    later = np.flatnonzero(again)
    opens = np.concatenate([[True], np.diff(later) > 1])[: len(later)]  # the first repeat of each row
    leaders = (later[opens] - 1)[np.cumsum(opens) - 1]
    twins[order[ranks[later]]] = order[ranks[leaders]]
    if held is not None:
        twins[held] = -1
    return twins


def _sorted(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of hashes in their order, and which of them have the same hash as the one before."""
    ranks = np.argsort(hashes, kind="stable")
    again: np.ndarray = np.zeros(len(hashes), bool)
    for start in range(1, len(hashes), 1_000_000):  # a piece at a time: no second array of all
        some = hashes[ranks[start - 1 : start + 1_000_000]]
        again[start : start + 1_000_000] = some[1:] == some[:-1]
    return ranks, again


def nearly_repeated(
    signatures: near.Signatures, twins: np.ndarray, order: np.ndarray, held: np.ndarray | None, confirm: Confirm
) -> tuple[np.ndarray, np.ndarray]:
    """As `repeated`, for rows that are alike, among those that do not repeat others; and the pairs that are alike."""
    order = order[twins[order] < 0]
    pairs = signatures.pairs(order)
    if held is not None:
        pairs = pairs[~np.isin(pairs, held).all(axis=1)]
    found, edges = near.settle(pairs, order, confirm)
    alike: np.ndarray = np.full(len(twins), -1, np.int64)
    alike[: len(found)] = found
    return alike, edges


def contradictions(questions: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Positions of rows that ask what another row asks, and answer something else."""
    ranks, again = _sorted(questions)
    several = again.copy()
    several[:-1] |= again[1:]
    places = ranks[several]
    places = places[(questions[places] != 0) & (answers[places] != 0)]
    places = places[np.lexsort([answers[places], questions[places]])]
    if not len(places):
        return places
    q, a = questions[places], answers[places]
    opens = np.concatenate([[True], q[1:] != q[:-1]])
    differs = np.concatenate([[False], (q[1:] == q[:-1]) & (a[1:] != a[:-1])])
    group = np.cumsum(opens) - 1
    mixed = np.zeros(group[-1] + 1, bool)
    mixed[group[differs]] = True
    return np.sort(places[mixed[group]])


# kind -> severity, what is said of one row and of several, why it matters.
_SENTENCES: dict[str, tuple[Severity, str, str, str]] = {
    "duplicate": (
        "warning",
        "repeats an earlier row word for word, and so counts double in the training.",
        "repeat an earlier row word for word, and so count more than others in the training.",
        "The model learns by heart what it sees most, and the rest less well.",
    ),
    "near_duplicate": (
        "note",
        "nearly repeats another row: other words in few places, the same numbers, the same kind of answer.",
        "nearly repeat another row: other words in few places, the same numbers, the same kind of answer.",
        "Rows that say the same count as one row seen many times.",
    ),
    "leakage": (
        "warning",
        "kept back for validation asks what a training row asks, so the validation loss looks better than it is.",
        "kept back for validation ask what a training row asks, so the validation loss looks better than it is.",
        "What was trained on proves nothing when it is asked again.",
    ),
    "near_leakage": (
        "warning",
        "kept back for validation nearly repeats a training row, so the validation loss looks better than it is.",
        "kept back for validation nearly repeat a training row, so the validation loss looks better than it is.",
        "What was nearly trained on proves little when it is asked.",
    ),
    "heldout_leakage": (
        "warning",
        "of the held-out data asks what a training row asks, so the evaluation looks better than it is.",
        "of the held-out data ask what a training row asks, so the evaluation looks better than it is.",
        "What was trained on proves nothing when it is asked again.",
    ),
    "conflict": (
        "note",
        "asks what another row asks, and answers something else.",
        "ask what another row asks, and answer something else.",
        "Of two answers to one question the model learns neither for sure; where several are welcome, all is well.",
    ),
}


class Repeats:
    """Collects keys and signatures of all rows; what they tell is worked out at the end."""

    def __init__(self, case: Case) -> None:
        self.case, self.keys = case, Keys(len(case.source.rows))

    def look(self, batch: Batch) -> None:
        """Look at the next rows."""
        self.keys.add(batch.rows, batch.said_or_nothing)

    def found(self) -> list[Finding]:
        """What was found."""
        case, source, held = self.case, self.case.source, self.case.source.held
        questions, order = self.keys.questions, in_order(len(source.rows), held)
        twins = repeated(self.keys.rows, order, held)
        alike, edges = nearly_repeated(
            self.keys.signatures, twins, order, held, lambda pairs: near.alike(pairs, source.rows, case.reading)
        )
        asked = questions[case.trained]
        asked.sort()
        kept = np.flatnonzero(case.kept)
        leaking = kept[among(questions[kept], asked)]
        found = [
            self._finding("duplicate", np.flatnonzero(twins >= 0), case.fix("drop_duplicates", "Leave repeats out")),
            self._finding("leakage", leaking, self._apart(questions, leaking)),
            *self._heldout(asked),
            *self._conflicts(contradictions(questions, self.keys.answers)),
            *self._alike(alike),
            *self._near_leaks(edges, leaking),
        ]
        return [finding for finding in found if finding.count]

    def _finding(
        self, kind: str, places: np.ndarray, remedy: Remedy | None = None, examples: list[str] | None = None
    ) -> Finding:
        severity, one, many, why = _SENTENCES[kind]
        message = f"{count_of(len(places))} {one if len(places) == 1 else many}"
        if examples is None:
            examples = list(dict.fromkeys(self.case.example(int(place)) for place in places[:EXAMPLES]))
        return Finding(kind, len(places), places[:SHOWN].tolist(), message, severity, why, examples, remedy)

    def _apart(self, questions: np.ndarray, leaking: np.ndarray) -> Remedy | None:
        """What parts training from validation: to leave the leaking training rows out, or to keep equal questions
        together where those are many."""
        case, data = self.case, self.case.config.data
        lost = int((case.trained & among(questions, np.unique(questions[leaking]))).sum())
        column = case.reading.asked[0] if len(case.reading.asked) == 1 else ""
        drawn = case.source.held is None and data.group_by is None
        if drawn and column and lost > LOSS * case.trained.sum():
            return Remedy(f"Keep rows with the same {column} together", "data.group_by", column)
        return case.fix("drop_leaked", "Leave the training rows out")

    def _heldout(self, asked: np.ndarray) -> list[Finding]:
        """Rows of the held-out data whose question is one of these."""
        spec, reading = self.case.config.evaluation.data, self.case.reading
        if not spec:
            return []
        rows = open_heldout(self.case.config, spec).rows
        questions = questions_of(rows, reading)
        places = np.flatnonzero(among(questions, asked))
        shown = list(dict.fromkeys(self.case.shown(rows[int(place)]) for place in places[:EXAMPLES]))
        remedy = self.case.fix("drop_leaked", "Leave the training rows out")
        return [self._finding("heldout_leakage", places, remedy, shown)]

    def _conflicts(self, places: np.ndarray) -> list[Finding]:
        case, rows, shown = self.case, self.case.source.rows, dict[str, set[str]]()
        for place in places[:200].tolist():
            row = rows[place]
            said = case.reading.said(row)
            if len(shown) < EXAMPLES or said.question in shown:
                shown.setdefault(said.question, set()).add(shorten(said.answer, 40))
        examples = [f"{shorten(q, 60)} → {' / '.join(sorted(a)[:3])}" for q, a in shown.items() if len(a) > 1]
        finding = self._finding("conflict", places, None, examples)
        grave = case.config.task in ("classification", "extraction")
        return [dataclasses.replace(finding, severity="warning") if grave else finding]

    def _alike(self, alike: np.ndarray) -> list[Finding]:
        places = np.flatnonzero(alike >= 0)
        remedy = self.case.fix("drop_near_duplicates", "Leave near repeats out")
        examples = [self._beside(int(alike[place]), int(place)) for place in places[:EXAMPLES].tolist()]
        finding = self._finding("near_duplicate", places, remedy, examples)
        if len(alike) > near.MOST:
            message = f"{finding.message} The first {near.MOST:,} rows were compared."
            finding = dataclasses.replace(finding, message=message)
        return [finding]

    def _near_leaks(self, edges: np.ndarray, leaking: np.ndarray) -> list[Finding]:
        """Rows kept back that are alike to a training row, but for those that ask the very same."""
        trained, kept = self.case.trained, self.case.kept
        across = np.concatenate([edges, edges[:, ::-1]])
        across = across[trained[across[:, 0]] & kept[across[:, 1]]]
        across = across[~np.isin(across[:, 1], leaking)]
        places, first = np.unique(across[:, 1], return_index=True)
        examples = [self._beside(*across[i].tolist()) for i in first[:EXAMPLES]]
        remedy = self.case.fix("drop_near_duplicates", "Leave near repeats out")
        return [self._finding("near_leakage", places, remedy, examples)]

    def _beside(self, one: int, other: int) -> str:
        """Two rows that are alike, from the words in which they differ: what is asked, or else what is answered."""
        pair = [self.case.reading.shown(self.case.source.rows[place]) for place in (one, other)]
        part = 0 if pair[0][0].casefold().split() != pair[1][0].casefold().split() else 1
        texts = [" ".join(words[part].split()) for words in pair]
        at = len(os.path.commonprefix(texts))
        start = max(0, texts[0].rfind(" ", 0, max(0, at - 20)) + 1) if at > 30 else 0
        cut = "…" if start else ""
        return " ≈ ".join(f"“{cut}{shorten(text[start:], 48)}”" for text in texts)
