"""Texts as sets of shingles, many at once: every five characters in a row, whatever their case and punctuation."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence

import numpy as np

WIDTH = 5  # characters of a shingle
_GAP = "\0" * WIDTH  # after each text, so that no shingle reaches from one into the next
_SPACE = np.uint64(32)
_STEP, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)  # the constants of splitmix64


@functools.cache
def _of_words() -> np.ndarray:
    """Which of the first 65,536 characters belong to words: letters, digits and the marks on them."""
    return np.array([unicodedata.category(chr(code))[0] in "LNM" for code in range(1 << 16)])


def shingles(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The shingles of each text, as hashes; one that comes several times in a text is there several times.

    Case does not count, and what stands between words counts as one space. A text shorter than a shingle is one
    shingle; one without letters and digits has none.

    Returns:
        (hashes, bounds): uint64 [all shingles], int64 [texts + 1]; those of text i are hashes[bounds[i]:bounds[i + 1]].
    """
    if not texts:
        return np.zeros(0, np.uint64), np.zeros(1, np.int64)
    joined = _GAP.join([text.replace("\0", " ") for text in texts]).casefold() + _GAP
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
    starts = np.concatenate([[0], ends[:-1] + WIDTH])
    windows = len(codes) - WIDTH + 1
    mixed = codes[:windows].copy()
    for j in range(1, WIDTH):
        mixed = mixed * _STEP + codes[j : windows + j]
    mixed ^= mixed >> np.uint64(29)
    mixed *= _MIX
    mixed ^= mixed >> np.uint64(32)
    lengths = ends - starts
    counts = np.where(lengths > 0, np.maximum(lengths - WIDTH + 1, 1), 0)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    return mixed[np.repeat(starts - bounds[:-1], counts) + np.arange(bounds[-1])], bounds
