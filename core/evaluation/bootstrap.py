"""How sure a difference is: a paired bootstrap over rows, for every metric at once.

Rows are drawn with replacement, the same rows for both models (Efron and Tibshirani 1993, chapter 16; for BLEU: Koehn
2004). A metric is a function of sums over rows, so a resample is one row of a matrix of counts.
"""

from __future__ import annotations

import numpy as np

from core.evaluation.metrics.base import Floats, Metric

RESAMPLES = 2000
LEVEL = 0.95
_CELLS = 2**22  # counts that are held at once


def paired(
    pairs: dict[str, tuple[Metric, Floats, Floats]], seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, dict[str, float]]:
    """The difference of each metric, with a percentile interval and a two-sided p.

    Args:
        pairs: name -> metric, and its statistics [rows, k] for the one model and for the other, of the same rows.

    Returns:
        name -> {"mean": other minus one on all rows, "low", "high": its 95 % interval, "p": how often chance alone
        would turn the sign, both ways}. Empty for fewer than two rows, which say nothing about chance.
    """
    rows = next((len(one) for _, one, _ in pairs.values()), 0)
    if rows < 2:
        return {}
    chance = np.random.default_rng(seed)
    found: dict[str, list[Floats]] = {name: [] for name in pairs}
    step = max(1, _CELLS // rows)
    for start in range(0, resamples, step):
        draws = chance.multinomial(rows, np.full(rows, 1 / rows), size=min(step, resamples - start)).astype(np.float64)
        for name, (metric, one, other) in pairs.items():
            found[name].append(metric.value(draws @ other) - metric.value(draws @ one))
    return {
        name: _summary(np.concatenate(found[name]), metric, one, other) for name, (metric, one, other) in pairs.items()
    }


def _summary(drawn: Floats, metric: Metric, one: Floats, other: Floats) -> dict[str, float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    against = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return {
        "mean": float(metric.value(other.sum(axis=0)) - metric.value(one.sum(axis=0))),
        "low": float(low),
        "high": float(high),
        "p": float(min(1.0, 2 * (against + 1) / (len(drawn) + 1))),
    }
