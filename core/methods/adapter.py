"""Bottleneck adapters: small networks after the parts of each block are trained, the base is frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import PeftModel, TaskType, get_peft_model
from transformers import PreTrainedModel

from core.config import AdapterMethod, Section
from core.methods.bottleneck import BottleneckConfig
from core.methods.new_layers import new_layers
from core.methods.places import places
from core.models.heads import CAUSAL, Head
from core.models.load import Precision, base_name, patient_peft

frozen_base = True
mergeable = (
    "Bottleneck adapters have a function in their middle, which no weight of the base can take in: they cannot be "
    "merged. Train with LoRA for a model of one piece."
)


def prepare(
    model: PreTrainedModel, settings: AdapterMethod, base: str, revision: str | None, head: Head = CAUSAL
) -> PeftModel:
    """Put a new adapter on a model; only the adapter (and a new head) is trained, in float32.

    Args:
        model: the base. settings: placement, reduction factor, function, dropout. base, revision: where the base came
        from; the adapter records it, so that it finds its base again. head: what the model ends in.

    Raises:
        InputError: (field method.placement) nobody knows where adapters go in this family.
    """
    model.name_or_path = base_name(base)
    adapter = BottleneckConfig(
        task_type=TaskType[head.task_type],
        target_modules=places(model, settings.placement),
        modules_to_save=new_layers(model, head),
        reduction_factor=settings.reduction_factor,
        non_linearity=settings.non_linearity,
        dropout=settings.dropout,
        revision=revision,
    )
    with patient_peft():
        return get_peft_model(model, adapter)


def quantization(settings: Section, on: Precision) -> dict[str, Any] | None:
    """The base is not quantised."""
    return None


def save(model: PeftModel, folder: Path) -> None:
    """Write adapter_config.json and adapter_model.safetensors, which only Tunesmith can load."""
    model.save_pretrained(str(folder), save_embedding_layers=False)
