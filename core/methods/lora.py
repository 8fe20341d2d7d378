"""LoRA: two thin matrices beside each chosen linear layer are trained, the base is frozen (Hu et al. 2021)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import PreTrainedModel

from core.config import LoraMethod, QLoraMethod, Section
from core.errors import InputError
from core.methods import names
from core.models.heads import CAUSAL, Head
from core.models.load import Precision, base_name, patient_peft
from core.runs import records
from core.runs.files import write_json

frozen_base = True
mergeable = ""
ALL = "all-linear"


def prepare(
    model: PreTrainedModel, settings: LoraMethod | QLoraMethod, base: str, revision: str | None, head: Head = CAUSAL
) -> PeftModel:
    """Put a new adapter on a model; only the adapter is trained, in float32 (PEFT's autocast_adapter_dtype).

    The scale is alpha / r, with `use_rslora` alpha / sqrt(r) (Kalajdzievski 2023); with `use_dora` the length of each
    weight is trained too (Liu et al. 2024). The head's own layers are trained whole, and saved.

    Args:
        model: the base. settings: rank, alpha, dropout, layers. base, revision: where the base came from; the adapter
        records it, so that it finds its base again. head: what the model ends in.

    Raises:
        InputError: (field method.target_modules, method.modules_to_save) the model has no layers of these names.
    """
    model.name_or_path = base_name(base)
    whole = names.whole(model, settings.modules_to_save, head)
    every = settings.target_modules == ALL
    targets = names.all_linear(model) if every else names.targets(model, settings.target_modules, ALL)
    if not {layer for name in targets for layer in names.matching(name, names.linear_layers(model))}.difference(whole):
        raise InputError(
            "Every layer that would get an adapter is among the modules that are trained whole: leave some of them "
            "out, or choose the method full.",
            names.WHOLE,
        )
    adapter = LoraConfig(
        task_type=TaskType[head.task_type],
        r=settings.r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        use_rslora=settings.use_rslora,
        use_dora=settings.use_dora,
        target_modules=ALL if every else targets,
        modules_to_save=whole or None,
        ensure_weight_tying=bool(set(whole).intersection(names.tied_names(model))),
        fan_in_fan_out=names.has_conv1d(model),
        revision=revision,
    )
    with patient_peft():
        return get_peft_model(model, adapter)


def quantization(settings: Section, on: Precision) -> dict[str, Any] | None:
    """The base is not quantised."""
    return None


def save(model: PeftModel, folder: Path) -> None:
    """Write adapter_config.json and adapter_model.safetensors. No Hub is asked for the embeddings.

    Embeddings that are trained whole are part of it all the same, as any module of `modules_to_save`. Of modules that
    share their weights PEFT writes down one, and by GPT-2's name of it (wte) does not know it again: all are written.
    """
    model.save_pretrained(str(folder), save_embedding_layers=False)
    written = records.ADAPTER.read(folder / "adapter_config.json") or {}
    tied = vars(model.peft_config["default"]).get("modules_to_tie") or ()
    for name in ("target_modules", "modules_to_save", "feedforward_modules"):
        if isinstance(written.get(name), list):
            more = tied if name == "modules_to_save" else ()
            written[name] = sorted({*written[name], *more})  # a set has another order in each process
    write_json(folder / "adapter_config.json", written)
