"""Texts as sets of shingles, many at once: every five characters in a row, whatever their case and punctuation."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WIDTH = 5  # characters of a shingle
_GAP = "\0" * WIDTH  # after each text, so that no shingle reaches from one into the next
_SPACE, _ZERO, _NINE = np.uint64(32), np.uint64(48), np.uint64(57)
_BEGIN = np.uint64(1 << 40)
_STEP, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)  # the constants of splitmix64


@functools.cache
def _of_words() -> np.ndarray:
    """Which of the first 65,536 characters belong to words: letters, digits and the marks on them."""
    return np.array([unicodedata.category(chr(code))[0] in "LNM" for code in range(1 << 16)])


@dataclass(frozen=True)
class Shingles:
    """The shingles of texts.

    Attributes:
        hashes: of all shingles, uint64; one that comes several times in a text is there several times.
        bounds: int64 [texts + 1]; those of text i are hashes[bounds[i]:bounds[i + 1]].
        numbers: uint64 [texts]; equal for texts with the same numbers (in digits) in the same order.
    """

    hashes: np.ndarray
    bounds: np.ndarray
    numbers: np.ndarray

    def sets(self) -> list[frozenset[int]]:
        """Those of each text as a set."""
        bounds = self.bounds.tolist()
        return [frozenset(self.hashes[a:b].tolist()) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def shingles(texts: Sequence[str]) -> Shingles:
    """The shingles of each text.

    Case does not count, and what stands between words counts as one space. A text shorter than a shingle is one
    shingle; one without letters and digits has none.
    """
    codes, starts, ends = _plain(texts)
    windows = max(0, len(codes) - WIDTH + 1)
    hashes = codes[:windows].copy()
    for j in range(1, WIDTH):
        hashes = hashes * _STEP + codes[j : windows + j]
    hashes = _mixed(hashes)
    lengths = ends - starts
    counts = np.where(lengths > 0, np.maximum(lengths - WIDTH + 1, 1), 0)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    places = np.repeat(starts - bounds[:-1], counts) + np.arange(bounds[-1])
    return Shingles(hashes[places], bounds, _numbers(codes, starts, ends))


def _plain(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The characters of all texts as numbers, with gaps between, and where each text starts and ends."""
    joined = (_GAP.join([text.replace("\0", " ") for text in texts]).casefold() + _GAP) if texts else ""
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    gap, word = codes == 0, _of_words()[np.minimum(codes, 0xFFFF)] | (codes > 0xFFFF)
    kept = word | gap
    codes = np.where(kept, codes, _SPACE)
    kept[1:] |= word[:-1]  # of what stands between two words the first character stays, as a space
    codes = codes[kept]
    kept = np.ones(len(codes), bool)
    kept[:-1] = (codes[:-1] != _SPACE) | (codes[1:] != 0)  # no space at the end of a text
    codes = codes[kept]
    ends = np.flatnonzero(codes == 0)[::WIDTH]
    starts = np.concatenate([[0], ends[:-1] + WIDTH])[: len(ends)]
    return codes, starts, ends


def _numbers(codes: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """For each text a hash of its digits, in order, and of where its numbers begin; 0 where there are none."""
    places = np.flatnonzero((codes >= _ZERO) & (codes <= _NINE))
    first, last = np.searchsorted(places, starts), np.searchsorted(places, ends)
    ordinal = np.arange(len(places)) - np.repeat(first, last - first)
    begins = np.concatenate([[True], np.diff(places) > 1])[: len(places)]
    terms = _mixed(codes[places] + ordinal.astype(np.uint64) * _STEP + begins.astype(np.uint64) * _BEGIN)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
    return sums[last] - sums[first]


def _mixed(values: np.ndarray) -> np.ndarray:
    """Numbers spread over all 64 bits."""
    values = values ^ (values >> np.uint64(29))
    values *= _MIX
    return values ^ (values >> np.uint64(32))
