"""Losses of a choice among classes, be they tokens of a vocabulary, labels or tags; and their share of an update.

All are summed over items and divided by the items of the whole update, so that batches which are accumulated have the
gradients of one large batch. Items count as much as the loss weighs them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch.nn import functional

from core.settings import TrainingConfig

Each: TypeAlias = Callable[..., torch.Tensor]
SMALLEST = 1e-7  # of 1 - p in the focal loss, whose slope has no end at 0 for a gamma below 1


def cross_entropy(
    settings: TrainingConfig, logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Cross-entropy of each item in nats (n,), smoothed as settings.label_smoothing_factor says, as torch has it.

    Args:
        logits: (n, classes). targets: (n,). weights: of each class (classes,), or None.
    """
    return functional.cross_entropy(
        logits.float(), targets, weight=weights, label_smoothing=settings.label_smoothing_factor, reduction="none"
    )


def focal(
    settings: TrainingConfig, logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """(1 - p)^gamma times the cross-entropy, p what the model gives to what is right (Lin et al. 2017, equation 4)."""
    nll = functional.cross_entropy(logits.float(), targets, weight=weights, reduction="none")
    right = logits.float().log_softmax(-1).gather(-1, targets[:, None])[:, 0].exp()
    return (1 - right).clamp(min=SMALLEST) ** settings.focal_gamma * nll


class Criterion:
    """A loss with the settings of a run, and the weights of the classes where it has some.

    Attributes:
        weights: of each class (classes,), or None: all weigh 1.
    """

    def __init__(self, each: Each, settings: TrainingConfig, weights: torch.Tensor | None = None) -> None:
        self._each, self._settings, self.weights = each, settings, weights

    def items(self, targets: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """How much the targets (n,) count for; `weights`: of each of them (n,), such as those of their rows."""
        if weights is None and self.weights is not None:
            weights = self.weights.to(targets.device)[targets]
        return torch.tensor(targets.numel(), device=targets.device) if weights is None else weights.double().sum()

    def share(
        self,
        logits: torch.Tensor,
        targets: torch.Tensor,
        items: torch.Tensor | None = None,
        weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The loss of a batch as its share of an update: a sum over `targets`, divided by `items`.

        Args:
            logits: (n, classes). targets: (n,). items: of the whole update; None: those of this batch.
            weights: of each target (n,); None: those of its class, if classes have some.
        """
        table = None if self.weights is None else self.weights.to(logits.device)
        each = self._each(self._settings, logits, targets, table)
        total = each.sum() if weights is None else (each * weights).sum()
        count = self.items(targets, weights) if items is None else items
        return total / count.to(total.dtype).clamp(min=1e-9)
