"""Vectors of texts: the mean of a model's last hidden states over the tokens of a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from core.tasks.batched import check

MOST_ROWS, MOST_TOKENS = 64, 16_384  # in a batch


def pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean over the tokens of each text, of length 1 (rows, width) in float32 (Reimers and Gurevych 2019).

    Of length 1, so that cosine, dot product and Euclidean distance say the same, and a margin means the same for every
    model: two texts without anything in common are 1.41 apart.

    Args:
        hidden: (rows, tokens, width); of more tokens than the mask has, such as a tuned prompt in front, the last
            count.
        mask: (rows, tokens), 1 where the text is.
    """
    there = mask[..., None].float()
    summed = (hidden[:, -mask.shape[1] :].float() * there).sum(1)
    return functional.normalize(summed / there.sum(1).clamp(min=1), dim=-1)


def embed(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The vectors of texts filled up on the right (rows, width)."""
    return pool(model(input_ids=ids, attention_mask=mask).last_hidden_state, mask)


def fill(texts: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts filled up on the right to the longest (rows, longest), and the mask."""
    shape = (len(texts), max(map(len, texts)))
    ids, mask = torch.full(shape, pad), torch.zeros(shape, dtype=torch.long)
    for n, text in enumerate(texts):
        ids[n, : len(text)] = torch.tensor(list(text), dtype=torch.long)
        mask[n, : len(text)] = 1
    return ids, mask


def vectors(
    model: Any,
    texts: Sequence[Sequence[int]],
    pad: int,
    on_progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> torch.Tensor:
    """The vectors of all texts (texts, width), in their order, float32 on the CPU; those of like length share a batch.

    Raises:
        core.runs.state.Stopped: `should_stop` said so; it is asked at every batch.
    """
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    found: list[torch.Tensor] = [torch.empty(0)] * len(texts)
    start = 0
    with torch.no_grad():
        while start < len(order):
            check(should_stop)
            size = max(1, min(MOST_ROWS, MOST_TOKENS // max(1, len(texts[order[start]]))))
            batch = order[start : start + size]
            ids, mask = fill([texts[i] for i in batch], pad)
            made = embed(model, ids.to(model.device), mask.to(model.device)).cpu()
            for i, vector in zip(batch, made, strict=True):
                found[i] = vector
            start += len(batch)
            if on_progress:
                on_progress(start)
    return torch.stack(found) if found else torch.empty(0, 0)
