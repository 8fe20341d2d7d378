"""Losses over the tokens that are trained on."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from core.data.encoded import IGNORED
from core.losses.classes import Criterion, cross_entropy
from core.settings import TrainingConfig

PLAIN = Criterion(cross_entropy, TrainingConfig())


def token_loss(
    outputs: Any,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | None = None,
    criterion: Criterion = PLAIN,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """A loss in nats, summed over the trained tokens and divided by their number in the whole update.

    Dividing by `num_items_in_batch` (all batches that are accumulated) instead of taking each batch's mean makes
    accumulation equal to one large batch.

    Args:
        outputs: with logits of shape (rows, tokens, vocabulary). labels: (rows, tokens), -100 where not trained.
        num_items_in_batch: trained tokens of the update, by weight; None: those of this batch.
        criterion: the loss of one token; plain cross-entropy if not given.
        weights: of the rows (rows,), of each token (rows, tokens) where several rows share one, or None.
    """
    wanted, trained = shifted(labels)
    each = _of_tokens(weights, trained)
    return criterion.share(outputs.logits[:, :-1][trained], wanted[trained], num_items_in_batch, each)


def token_items(
    labels: torch.Tensor, criterion: Criterion = PLAIN, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """What `token_loss` is a mean over: trained tokens, shifted as it shifts them, by weight."""
    wanted, trained = shifted(labels)
    return criterion.items(wanted[trained], _of_tokens(weights, trained))


def _of_tokens(weights: torch.Tensor | None, trained: torch.Tensor) -> torch.Tensor | None:
    """The weights of the trained tokens (n,), from those of rows (rows,) or of all tokens (rows, tokens)."""
    if weights is None:
        return None
    weights = weights.to(trained.device)
    return (weights[:, 1:] if weights.ndim == 2 else weights[:, None].expand_as(trained))[trained]


def shifted(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(labels that positions 0 to n - 2 are to say, which of them are trained): the first token is never predicted."""
    wanted = labels[:, 1:]
    return wanted, wanted != IGNORED


def summed_nll(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(summed negative log-likelihood in nats, tokens): token t is predicted at t - 1, and the first one never is."""
    wanted, trained = shifted(labels)
    chosen = logits[:, :-1][trained].float()
    return functional.cross_entropy(chosen, wanted[trained], reduction="sum"), trained.sum()
