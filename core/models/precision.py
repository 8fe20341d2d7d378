"""What a device computes in: the types of weights that are frozen and trained, and mixed precision."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.errors import InputError


@dataclass(frozen=True)
class Precision:
    """How to compute on a device: `frozen` is the type of weights that stay as they are; trained ones are float32.

    `autocast` is the name that TrainingArguments has for mixed precision: "bf16", "fp16" or "".
    """

    device: str
    frozen: torch.dtype
    autocast: str


def precision(mixed: str = "auto") -> Precision:
    """What to compute in.

    Args:
        mixed: "auto" is our policy: float32 on a CPU; on CUDA bf16 from compute capability 8.0, fp16 below. The
            capability's number is asked, since `is_bf16_supported` can be true by emulation. "no" is float32
            everywhere; "bf16" and "fp16" are what they say, with weights in float32 on a CPU.

    Raises:
        InputError: (field training.mixed_precision) this device cannot do it.
    """
    cuda = torch.cuda.is_available()
    modern = cuda and torch.cuda.get_device_capability()[0] >= 8
    if mixed == "fp16" and not cuda:
        raise InputError(
            "fp16 needs a graphics card, and this machine has none: choose auto.", "training.mixed_precision"
        )
    if mixed == "bf16" and cuda and not modern:
        raise InputError(
            f"bf16 needs a graphics card of compute capability 8.0 or more, and {torch.cuda.get_device_name()} has "
            "less: choose auto, which takes fp16.",
            "training.mixed_precision",
        )
    if mixed == "auto":
        mixed = "bf16" if modern else "fp16" if cuda else "no"
    kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
    frozen = kinds.get(mixed, torch.float32) if cuda else torch.float32
    return Precision("cuda" if cuda else "cpu", frozen, mixed if mixed in kinds else "")
