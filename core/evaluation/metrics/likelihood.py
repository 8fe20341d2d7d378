"""How surprised the model is by the right answers: perplexity a token, bits a byte; and whether answers stop."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.evaluation.metrics.base import Floats, ratio, share


def surprise_rows(nll: Sequence[float], units: Sequence[int]) -> Floats:
    """Statistics [rows, 2]: the summed negative log-likelihood of a row's answer in nats, and its tokens or bytes."""
    return np.column_stack([np.asarray(nll, dtype=np.float64), np.asarray(units, dtype=np.float64)])


def perplexity(sums: Floats) -> Floats:
    """exp(nll / tokens) over all counted tokens of all rows: does not depend on batches. 0 when none is counted."""
    return np.where(sums[..., 1] > 0, np.exp(np.minimum(ratio(sums), 700.0)), 0.0)


def bits_per_byte(sums: Floats) -> Floats:
    """Bits for each byte of answer text in UTF-8: comparable between models with different tokenizers."""
    return ratio(sums) / math.log(2)


def stopped_rows(stopped: Sequence[bool]) -> Floats:
    """1 for each answer that ended with an end token."""
    return share([float(s) for s in stopped])
