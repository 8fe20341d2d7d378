"""ROUGE-1, ROUGE-2 and ROUGE-L: the share of words, word pairs and common word order that answer and reference share.

Own code, as rouge_score 0.1.2 drops every letter outside a-z (a Greek answer always scores 0) and imports NLTK; on
plain English the two agree to the last digit (tested). No stemming.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from core.evaluation.metrics.base import Floats, share
from core.evaluation.metrics.scripts import words


def rouge_n(order: int, references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """F1 of shared n-grams of words, one a row (Lin 2004)."""
    scores = []
    for want, got in zip(references, predictions, strict=True):
        wanted, given = _grams(words(want), order), _grams(words(got), order)
        scores.append(_f1((wanted & given).total(), given.total(), wanted.total()))
    return share(scores)


def rouge_l(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """F1 of the longest common subsequence of words, one a row (Lin 2004)."""
    scores = []
    for want, got in zip(references, predictions, strict=True):
        wanted, given = words(want), words(got)
        scores.append(_f1(common(wanted, given), len(given), len(wanted)))
    return share(scores)


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, by bits of a whole number (Hyyrö 2004): a step a word of `other`."""
    places: dict[str, int] = {}
    for i, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << i
    full = (1 << len(one)) - 1
    state = full
    for word in other:
        hit = state & places.get(word, 0)
        state = ((state + hit) | (state - hit)) & full
    return len(one) - state.bit_count()


def _grams(tokens: list[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1))


def _f1(hits: int, given: int, wanted: int) -> float:
    return 2 * hits / (given + wanted) if hits else 0.0
