"""The layers of a head that are made at random: a method with a frozen base trains them whole, and keeps them."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from core.models.heads import Head


def new_layers(model: PreTrainedModel, head: Head) -> list[str] | None:
    """Names for PEFT's `modules_to_save`: what lies outside of the base model, and what pools for it.

    PEFT itself knows of `classifier` and `score` alone: BERT's pooler and DistilBERT's pre_classifier would stay as
    they are made, and be made otherwise when the adapter is loaded again. None where the head writes or makes vectors.
    """
    if head.writes or model.base_model is model:
        return None
    outside = [name for name, part in model.named_children() if part is not model.base_model and _weighs(part)]
    pooling = [name for name, part in model.base_model.named_children() if name == "pooler" and _weighs(part)]
    return [*outside, *pooling]


def _weighs(part: nn.Module) -> bool:
    return next(part.parameters(), None) is not None
