"""Losses over the tokens that are trained on."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from core.data.encoded import IGNORED


def token_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | None = None) -> torch.Tensor:
    """Cross-entropy in nats, summed over the trained tokens and divided by their number in the whole update.

    Dividing by `num_items_in_batch` (all batches that are accumulated) instead of taking each batch's mean makes
    accumulation equal to one large batch.

    Args:
        outputs: with logits of shape (rows, tokens, vocabulary). labels: (rows, tokens), -100 where not trained.
        num_items_in_batch: trained tokens of the update; None: those of this batch.
    """
    total, count = summed_nll(outputs.logits, labels)
    return total / (count if num_items_in_batch is None else num_items_in_batch).clamp(min=1)


def summed_nll(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(summed negative log-likelihood in nats, tokens): token t is predicted at t - 1, and the first one never is."""
    wanted = labels[:, 1:]
    trained = wanted != IGNORED
    chosen = logits[:, :-1][trained].float()
    return functional.cross_entropy(chosen, wanted[trained], reduction="sum"), trained.sum()
