"""QLoRA: LoRA on a base that is held in 4 bits (Dettmers et al. 2023), by bitsandbytes; on a CPU, too."""

from __future__ import annotations

from typing import Any

from peft import PeftModel, prepare_model_for_kbit_training
from transformers import PreTrainedModel

from core.config import QLoraMethod, Section
from core.methods import lora
from core.methods.lora import save as save
from core.models.heads import CAUSAL, Head
from core.models.load import Precision

frozen_base = True
mergeable = ""

# What a model ends in stays as it is: new layers for labels and tags are trained whole, and 4 bits cannot be; the
# layer that writes words loses more than it saves (transformers' own choice for it). By the end of their names.
KEPT = (
    "lm_head", "embed_out", "score", "classifier", "pooler.dense", "classification_head.dense",
    "classification_head.out_proj",
)  # fmt: skip


def quantization(settings: Section, on: Precision) -> dict[str, Any] | None:
    """The arguments of BitsAndBytesConfig. Computed in: as set; "auto" is the type of frozen weights on this device."""
    if not isinstance(settings, QLoraMethod):
        raise TypeError(f"settings of {type(settings).__name__} are not QLoRA's")
    compute = settings.bnb_4bit_compute_dtype
    return {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": settings.bnb_4bit_quant_type,
        "bnb_4bit_use_double_quant": settings.bnb_4bit_use_double_quant,
        "bnb_4bit_compute_dtype": str(on.frozen).removeprefix("torch.") if compute == "auto" else compute,
        "llm_int8_skip_modules": list(KEPT),
    }


def prepare(
    model: PreTrainedModel, settings: QLoraMethod, base: str, revision: str | None, head: Head = CAUSAL
) -> PeftModel:
    """As LoRA's, on a base that was loaded in 4 bits; what is not in 4 bits is computed in float32 (as the paper does).

    Args, Raises: see core.methods.lora.prepare.
    """
    return lora.prepare(
        prepare_model_for_kbit_training(model, use_gradient_checkpointing=False), settings, base, revision, head
    )
