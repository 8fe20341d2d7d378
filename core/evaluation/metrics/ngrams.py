"""BLEU and chrF: corpus metrics of n-gram matches, on sacrebleu's scale of 0 to 100."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from core.evaluation.metrics.base import Floats
from core.evaluation.metrics.scripts import bleu_tokenizer

BLEU_ORDER, CHRF_ORDER, CHRF_BETA = 4, 6, 2


@cache
def _sacrebleu(tokenizer: str) -> Any:
    from sacrebleu.metrics import BLEU  # late: 0.2 s, which reading the table of metrics should not cost

    return BLEU(effective_order=True, tokenize=tokenizer)


def bleu_rows(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """Statistics [rows, 10]: matches of order 1 to 4, n-grams of order 1 to 4, length of answer and of reference.

    Counted by sacrebleu, each row with the tokenizer that suits its reference (see `scripts.bleu_tokenizer`): "13a",
    sacrebleu's default, takes a sentence of Chinese, Japanese or Thai as one word.
    """
    found = [
        _sacrebleu(bleu_tokenizer(want)).sentence_score(got, [want])
        for want, got in zip(references, predictions, strict=True)
    ]
    rows = [[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in found]
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), 2 * BLEU_ORDER + 2)


def bleu_notes(references: Sequence[str]) -> list[str]:
    """Which of sacrebleu's tokenizers were used, and for how many rows; nothing where it is its default for all."""
    used = Counter(map(bleu_tokenizer, references))
    if set(used) <= {"13a"}:
        return []
    names = ", ".join(f"{name!r} for {count:,} row{'s' * (count != 1)}" for name, count in used.most_common())
    return [f"BLEU is computed with sacrebleu's tokenizer {names}: these scripts put no spaces between words."]


def bleu(sums: Floats) -> Floats:
    """Corpus BLEU (Papineni et al. 2002), as sacrebleu reckons it: exponential smoothing of orders without a match.

    Orders that no answer is long enough for are left out ("effective order"), so that perfect short answers get 100.
    """
    counts, totals = sums[..., :BLEU_ORDER], sums[..., BLEU_ORDER : 2 * BLEU_ORDER]
    got, want = sums[..., -2], sums[..., -1]
    there = totals > 0
    halvings = np.cumsum(there & (counts == 0), axis=-1)
    precision = np.where(counts > 0, counts, 0.5**halvings) / np.maximum(totals, 1)
    logs = np.where(there, np.log(precision), 0.0).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
    short = np.where(got < want, np.exp(1 - want / np.maximum(got, 1)), 1.0)
    return np.where(counts.any(axis=-1), 100 * short * np.exp(logs), 0.0)


def chrf_rows(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """Statistics [rows, 18]: for characters in groups of 1 to 6, white space left out: given, wanted, matching."""
    rows = []
    for want, got in zip(references, predictions, strict=True):
        row: list[int] = []
        want_text, got_text = "".join(want.split()), "".join(got.split())
        for order in range(1, CHRF_ORDER + 1):
            wanted, given = _grams(want_text, order), _grams(got_text, order)
            # As sacrebleu: an order that the reference is too short for does not count against the answer.
            row += [given.total() if wanted else 0, wanted.total(), (wanted & given).total()]
        rows.append(row)
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), 3 * CHRF_ORDER)


def chrf(sums: Floats) -> Floats:
    """Corpus chrF2 (Popović 2015), as sacrebleu reckons it: precision and recall averaged over the orders, then F2."""
    given, wanted, hits = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    there = (given > 0) & (wanted > 0)
    orders = np.maximum(there.sum(axis=-1), 1)
    precision = np.where(there, hits / np.maximum(given, 1), 0.0).sum(axis=-1) / orders
    recall = np.where(there, hits / np.maximum(wanted, 1), 0.0).sum(axis=-1) / orders
    under = CHRF_BETA**2 * precision + recall
    over = 100 * (1 + CHRF_BETA**2) * precision * recall
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)


def _grams(text: str, order: int) -> Counter[str]:
    return Counter(text[i : i + order] for i in range(len(text) - order + 1))
