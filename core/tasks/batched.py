"""Rows of like length through a model together, filled on the left so that all of them end in the same column.

The attention mask and the positions leave the filling out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from core.runs.state import Stopped

MOST_TOKENS = 16_384  # in a batch
MOST_NUMBERS = 2**26  # in a batch's logits: 256 MB


def forward(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, *,
    cache: Any = None, use_cache: bool = False, keep: int = 1, names: list[str] | None = None,
) -> tuple[torch.Tensor, Any]:  # fmt: skip
    """(logits of at least the last `keep` columns, cache). Arguments that an architecture does not know stay away."""
    known = accepts(model)
    more: dict[str, Any] = {"use_cache": use_cache}
    if cache is not None:
        more["past_key_values"] = cache
    if names is not None:
        more["adapter_names"] = names
    if "position_ids" in known:
        more["position_ids"] = positions
    if "logits_to_keep" in known:
        more["logits_to_keep"] = keep
    out = model(input_ids=ids, attention_mask=mask, **more)
    return out.logits, out.past_key_values if use_cache else None


def accepts(model: Any) -> set[str]:
    """The arguments of the architecture's own forward; an adapter's wrapper hands all of them on."""
    inner = model if isinstance(model, PreTrainedModel) else model.get_base_model()
    return set(inspect.signature(inner.forward).parameters)


def batches(lengths: Sequence[int], most_rows: int, numbers: Sequence[int] | None = None) -> Iterator[list[int]]:
    """Row numbers in batches of like length, the longest first: what does not fit into memory shows at once."""
    batch: list[int] = []
    widest = 0
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        wide = max(widest, numbers[i] if numbers else 0)
        size = len(batch) + 1
        if batch and (size > most_rows or size * lengths[batch[0]] > MOST_TOKENS or size * wide > MOST_NUMBERS):
            yield batch
            batch, wide = [], numbers[i] if numbers else 0
        batch.append(i)
        widest = wide
    if batch:
        yield batch


def left(rows: Sequence[Sequence[int]], fill: int, device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows filled on the left to the longest [rows, longest], and the mask: 1 where a row is."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), fill, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for n, row in enumerate(rows):
        if len(row):
            ids[n, longest - len(row) :] = torch.tensor(list(row))
            mask[n, longest - len(row) :] = 1
    return ids.to(device), mask.to(device)


def places_of(mask: torch.Tensor) -> torch.Tensor:
    """The place of each token in its own row."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


def check(should_stop: Callable[[], bool] | None) -> None:
    """Raises core.runs.state.Stopped where somebody asked for it."""
    if should_stop is not None and should_stop():
        raise Stopped
