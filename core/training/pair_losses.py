"""Losses of pairs of texts, from a vector of each: a number a pair. How they are summed is the objective's affair.

In our rows 1 means that two texts are the same and 0 that they differ, as in STS, Quora and most sets of pairs. In
Hadsell et al. (2006), and in the loss that this project set out from (CustomContrastiveLoss), 1 means that they differ:
`contrastive` takes ours and turns it round.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from core.settings import TrainingConfig

SCALE = 20.0  # of cosines before the softmax: the inverse of a temperature of 0.05 (sentence-transformers' default)


def contrastive(
    settings: TrainingConfig, first: torch.Tensor, second: torch.Tensor, alike: torch.Tensor
) -> torch.Tensor:
    """By the distance d: alike * d^2 + (1 - alike) * max(margin - d, 0)^2 (Hadsell et al. 2006, equation 4).

    The distance is Euclidean. CustomContrastiveLoss(margin) is the mean of it with label = 1 - alike;
    sentence-transformers' ContrastiveLoss with the Euclidean distance is half of that mean.

    Args:
        settings: its `margin`. first, second: (pairs, width). alike: (pairs,), 1 the same, 0 different.
    """
    distance = functional.pairwise_distance(first, second)
    apart = (settings.margin - distance).clamp(min=0.0)
    return alike * distance**2 + (1 - alike) * apart**2


def cosine(settings: TrainingConfig, first: torch.Tensor, second: torch.Tensor, alike: torch.Tensor) -> torch.Tensor:
    """(cosine - alike)^2: the cosine of the vectors becomes the score (sentence-transformers' CosineSimilarityLoss).

    Args:
        settings: not used. first, second: (pairs, width). alike: (pairs,), from 0 (or -1) to 1.
    """
    return (functional.cosine_similarity(first, second) - alike) ** 2


def multiple_negatives(
    settings: TrainingConfig, first: torch.Tensor, second: torch.Tensor, alike: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy of finding a first text's own second text among those of the batch (Henderson et al. 2017).

    The others of the batch are the negatives, so a larger batch is a harder and better lesson; batches that are
    accumulated have no more of them than one batch.

    Args:
        settings: not used. first, second: (pairs, width). alike: not used: all pairs are.
    """
    scores = SCALE * functional.normalize(first, dim=-1) @ functional.normalize(second, dim=-1).T
    return functional.cross_entropy(scores, torch.arange(len(first), device=scores.device), reduction="none")
