"""Rows that nearly repeat others: MinHash proposes pairs, and their shingles are compared before one is believed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.data.checks.reading import Reading, Said
from core.data.checks.shingles import shingles
from core.data.rows import Rows

ALIKE = 0.8  # the least Jaccard similarity of the questions, and of the answers
SIZE, BANDS = 64, 16  # numbers of a signature; bands of 4: of pairs at 0.8 a share of 0.9998 is proposed
PROMISING = 41  # numbers that must agree for a pair to be compared: 0.64; less happens to 1 pair of 2,000 at 0.8
MOST = 2_000_000  # rows that are looked at: their signatures take 128 MB
TRIED = 8  # rows that one row is compared with
SEED = 1
CHUNK = 2000
_ODD, _BUCKET = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xFFFF_FFFF_FF00_0000)
# What turns the sense of a sentence, however few letters it has.
_TELLING = re.compile(r"\d+|\b(?:yes|no|not|never|none|without|cannot)\b|n['’]t\b")

Pairs = np.ndarray  # int64 [pairs, 2]: two rows, the one that is kept first


class Signatures:
    """The MinHash signatures of rows, 64 bytes each, and 8 for the numbers in them, which must be the same."""

    def __init__(self, count: int) -> None:
        most = min(count, MOST)
        self._signatures: np.ndarray = np.zeros((most, SIZE), np.uint8)
        self._numbers: np.ndarray = np.zeros(most, np.uint64)
        self._blank: np.ndarray = np.ones(most, bool)
        self.count = 0

    def add(self, said: Sequence[Said]) -> None:
        """Those of the next rows; rows after the first MOST are passed over."""
        from rensa import RMinHash

        said = said[: len(self._blank) - self.count]
        if not said:
            return
        made = shingles([text for s in said for text in (s.question, s.answer)])
        bounds: np.ndarray = made.bounds[::2].astype(np.uint64)
        rows = RMinHash.digest_matrix_from_flat_token_hashes(made.hashes, bounds, SIZE, SEED).to_rows()
        part = slice(self.count, self.count + len(said))
        self._signatures[part] = np.array(rows, np.uint32).astype(np.uint8)
        self._numbers[part] = made.numbers[::2] * _ODD + made.numbers[1::2]
        self._blank[part] = bounds[1:] == bounds[:-1]
        self.count = part.stop

    def pairs(self, order: np.ndarray) -> Pairs:
        """Pairs of rows that may be alike, each once, the most promising TRIED of each row.

        Args:
            order: positions of the rows to look at; of a pair the one that comes first in it stands first.
        """
        order = order[order < self.count]
        order = order[~self._blank[order]]
        signatures, numbers = self._signatures, self._numbers[order]
        bands: np.ndarray = signatures.view(np.uint32)
        found, size = [], np.uint64(len(order))
        for band in range(BANDS):
            # Rows of a bucket have 40 bits in common; those that agree in the next band as well stand side by side.
            keys = (bands[order, band].astype(np.uint64) * _ODD + numbers) * _ODD & _BUCKET
            keys |= bands[order, (band + 1) % BANDS] & ~_BUCKET
            ranks = np.argsort(keys, kind="stable")
            same = keys[ranks] & _BUCKET
            new = np.concatenate([[True], same[1:] != same[:-1]])
            if new.all():
                continue
            starts = np.flatnonzero(new)
            first = np.minimum.reduceat(ranks, starts)[np.cumsum(new) - 1]
            inside = ~new[1:]  # two that stand side by side are of one bucket
            for one, other in ((first, ranks), (ranks[:-1][inside], ranks[1:][inside])):
                both = np.sort(np.stack([one, other])[:, one != other], axis=0).astype(np.uint64)
                codes = np.unique(both[1] * size + both[0])
                found.append(codes[_agreement(signatures, order, codes, size) >= PROMISING])
        if not found:
            return np.zeros((0, 2), np.int64)
        codes = np.unique(np.concatenate(found))
        agree = _agreement(signatures, order, codes, size)
        earlier, later = (codes % size).astype(np.int64), (codes // size).astype(np.int64)
        best = np.lexsort([earlier, -agree, later])
        earlier, later = earlier[best], later[best]
        opens = np.concatenate([[True], later[1:] != later[:-1]])
        place = np.arange(len(later)) - np.maximum.accumulate(np.where(opens, np.arange(len(later)), 0))
        tried = place < TRIED
        return np.stack([order[earlier[tried]], order[later[tried]]], axis=1)


def _agreement(signatures: np.ndarray, order: np.ndarray, codes: np.ndarray, size: np.uint64) -> np.ndarray:
    """In how many numbers two signatures agree, for pairs that are each one number: later * size + earlier."""
    out: np.ndarray = np.zeros(len(codes), np.int16)
    for start in range(0, len(codes), 100_000):
        some = codes[start : start + 100_000]
        one, other = (order[some // size], order[some % size])
        out[start : start + len(some)] = (signatures[one] == signatures[other]).sum(axis=1)
    return out


def alike(pairs: Pairs, rows: Rows, reading: Reading) -> np.ndarray:
    """Which pairs are alike indeed, from their texts: bool [pairs].

    Their questions are, and their answers (a label must be the same), and they hold the same numbers and the same yes
    and no: what 3 + 4 is does not repeat what 3 + 5 is.
    """
    out: np.ndarray = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), CHUNK):
        part = pairs[start : start + CHUNK]
        numbers = np.unique(part)
        said = [reading.said_if_any(row) for row in rows.take(numbers)]
        sets = shingles([text for s in said for text in (s.question, s.answer)]).sets()
        telling = [_TELLING.findall(f"{s.question} {s.answer}") for s in said]
        places: Any = np.searchsorted(numbers, part)
        for i, (one, other) in enumerate(places.tolist(), start):
            out[i] = (
                telling[one] == telling[other]
                and _similarity(sets[2 * one], sets[2 * other]) >= ALIKE
                and (
                    said[one].answer == said[other].answer
                    or (not reading.labelled and _similarity(sets[2 * one + 1], sets[2 * other + 1]) >= ALIKE)
                )
            )
    return out


def _similarity(one: frozenset[int], other: frozenset[int]) -> float:
    """The Jaccard similarity; 1 of two sets with nothing in them."""
    if not one and not other:
        return 1.0
    if min(len(one), len(other)) < ALIKE * max(len(one), len(other)):
        return 0.0
    both = len(one & other)
    return both / (len(one) + len(other) - both)


def settle(pairs: Pairs, order: np.ndarray, confirm: Callable[[Pairs], np.ndarray]) -> tuple[np.ndarray, Pairs]:
    """Which rows to leave out: each of them is alike to a row that stays, not merely to one that goes as well.

    Args:
        pairs: rows that may be alike.
        order: positions of all rows that were looked at, those first that rather stay.
        confirm: says which pairs are alike.

    Returns:
        (twins, edges): for each position the row that stays in its place, or -1; and the pairs that are alike.
    """
    rank: np.ndarray = np.zeros(int(order.max()) + 1 if len(order) else 0, np.int64)
    rank[order] = np.arange(len(order))
    twins: np.ndarray = np.full(len(rank), -1, np.int64)
    edges: np.ndarray = np.zeros((0, 2), np.int64)
    tried: set[tuple[int, int]] = set()
    while len(pairs):
        tried |= set(map(tuple, pairs.tolist()))
        edges = np.concatenate([edges, pairs[confirm(pairs)]])
        edges = edges[np.lexsort([rank[edges[:, 0]], rank[edges[:, 1]]])]
        twins[:] = -1
        more: set[tuple[int, int]] = set()
        for one, other in edges.tolist():
            if twins[other] >= 0:
                continue
            if twins[one] < 0:
                twins[other] = one
            elif (pair := (int(twins[one]), other)) not in tried:
                more.add(pair)
        pairs = np.array(sorted(p for p in more if twins[p[1]] < 0), np.int64).reshape(-1, 2)
    return twins, edges
