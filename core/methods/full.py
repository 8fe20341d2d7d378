"""Full fine-tuning: all weights are trained, in float32, and saved as they are trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from core.config import FullMethod, Section
from core.models.heads import CAUSAL, Head
from core.models.load import Precision

frozen_base = False
mergeable = ""


def prepare(
    model: PreTrainedModel, settings: FullMethod, base: str, revision: str | None, head: Head = CAUSAL
) -> PreTrainedModel:
    """All parameters are trained. In bf16 most small steps would be lost to rounding, so the model must be float32."""
    model.requires_grad_(True)
    return model


def quantization(settings: Section, on: Precision) -> dict[str, Any] | None:
    """The base is not quantised."""
    return None


def save(model: Any, folder: Path) -> None:
    """Write config and weights as safetensors, in float32: what is loaded again is what was trained, exactly."""
    model.save_pretrained(folder)
