"""A base in 4 bits, by bitsandbytes: how it is loaded, and that it computes the same in training and out of it."""

from __future__ import annotations

import logging
from typing import Any

from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel


def bits_and_bytes(quantization: dict[str, Any] | None) -> BitsAndBytesConfig | None:
    """A config of transformers from plain values, as base.json has them; None where weights stay as they are."""
    return None if quantization is None else BitsAndBytesConfig(**quantization)


def steady(model: nn.Module) -> None:
    """Switch off what bitsandbytes 0.50 does on processors with AVX512-BF16: in the first pass without gradients it
    packs the weights anew for a kernel in bf16, whatever type was asked for, and they stay so when training goes on."""
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def dequantized(model: PreTrainedModel) -> PreTrainedModel:
    """The same model with all weights taken out of 4 bits, as numbers that it computes with; not its original ones."""
    logging.getLogger("transformers.integrations.bitsandbytes").setLevel(logging.ERROR)  # it tells of each type
    whole: PreTrainedModel = model.dequantize()
    return whole
