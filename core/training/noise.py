"""NEFTune: uniform noise on the embeddings while a model is trained (Jain et al. 2023)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch


@contextlib.contextmanager
def noisy(model: Any, alpha: float | None) -> Iterator[None]:
    """Add noise of at most alpha / sqrt(length * width) to each number that the embeddings give, in training mode only.

    The length is that of the batch, padding included, as transformers has it. The noise is drawn from torch's own
    state, which checkpoints keep, so that a resumed run draws the same. Own hook: transformers' looks for the
    embeddings at a place where prompt tuning of a GPT-2 has none.

    Args:
        model: with `get_input_embeddings`. alpha: 5 is usual; None: no noise.
    """
    if alpha is None:
        yield
        return

    def add(module: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        if not module.training:
            return output
        most = alpha / math.sqrt(output.shape[-2] * output.shape[-1])
        return output + torch.empty_like(output).uniform_(-most, most)

    handle = model.get_input_embeddings().register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()
