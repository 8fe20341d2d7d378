"""LoRA: two thin matrices beside each chosen linear layer are trained, the base is frozen (Hu et al. 2021)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from core.config import LoraMethod, Section
from core.errors import InputError, nearest
from core.models.heads import CAUSAL, Head
from core.models.load import (
    CHAT_TEMPLATE,
    Precision,
    base_name,
    base_of,
    copy_companions,
    load_base,
    load_run,
    patient_peft,
    weights_of,
)
from core.runs.store import Run

frozen_base = True
mergeable = ""


def prepare(
    model: PreTrainedModel, settings: LoraMethod, base: str, revision: str | None, head: Head = CAUSAL
) -> PeftModel:
    """Put a new adapter on a model; only the adapter is trained, in float32 (PEFT's autocast_adapter_dtype).

    Args:
        model: the base. settings: rank, alpha, dropout, layers. base, revision: where the base came from; the adapter
        records it, so that it finds its base again. head: what the model ends in.

    Raises:
        InputError: (field method.target_modules) the model has no layers of these names.
    """
    model.name_or_path = base_name(base)
    adapter = LoraConfig(
        task_type=TaskType[head.task_type],
        r=settings.r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=_targets(model, settings.target_modules),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
        revision=revision,
    )
    with patient_peft():
        return get_peft_model(model, adapter)


def quantization(settings: Section, on: Precision) -> dict[str, Any] | None:
    """The base is not quantised."""
    return None


def save(model: PeftModel, folder: Path) -> None:
    """Write adapter_config.json and adapter_model.safetensors. Embeddings are never part of it, so no Hub is asked."""
    settings = model.peft_config["default"]
    if isinstance(settings.target_modules, set):
        settings.target_modules = sorted(settings.target_modules)  # a set has another order in each process
    model.save_pretrained(str(folder), save_embedding_layers=False)


def merge(target: str | Path | Run, out: str | Path) -> Path:
    """Write the tuned model as one folder: the adapter of a run is added into its float32 base, and checked.

    Args:
        target: whatever `core.models.load.load_run` takes. out: the folder to write; made, and empty or not there.

    Returns:
        The folder with config, safetensors and tokenizer. For weights that are whole already it is their own folder,
        when that is one here, and nothing is written.

    Raises:
        InputError: nothing to load, or the merged model answers differently from base plus adapter.
    """
    folder = Path(weights_of(target))
    if not (folder / "adapter_config.json").is_file():
        if (folder / "config.json").is_file():
            return folder
        raise InputError(f"There is no tuned model in {str(folder)!r} to merge.", "model.path")
    base, revision = base_of(folder)
    model, _ = load_run(folder)
    ids = torch.arange(8, 8 + 16).remainder(model.config.get_text_config().vocab_size).unsqueeze(0)
    with torch.inference_mode():
        want = model(input_ids=ids).logits
        merged = model.merge_and_unload(safe_merge=True)
        out = Path(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".merging-", dir=out.parent) as name:
            work = Path(name) / "model"
            merged.save_pretrained(work)
            copy_companions(base, revision, work)
            if (folder / CHAT_TEMPLATE).is_file():  # tuned in another format than its base has
                shutil.copyfile(folder / CHAT_TEMPLATE, work / CHAT_TEMPLATE)
            got = load_base(str(work))(input_ids=ids).logits
            _compare(want, got)
            shutil.rmtree(out, ignore_errors=True)
            work.rename(out)
    return out


def _compare(want: torch.Tensor, got: torch.Tensor) -> None:
    """InputError unless the logits agree to rounding: float32 sums in another order, 1e-3 of their spread at most."""
    off = (want - got).abs().max().item()
    if not off <= 1e-3 * max(1.0, want.abs().max().item()):
        raise InputError(f"The merged model differs from base plus adapter: its logits are off by up to {off:.3g}.")


def _targets(model: nn.Module, wanted: str | tuple[str, ...]) -> str | list[str]:
    """The layers to adapt, as PEFT takes them; names are checked against the linear layers that there are."""
    if wanted == "all-linear":
        return wanted
    names = wanted.replace(",", " ").split() if isinstance(wanted, str) else list(wanted)
    layers = [n for n, m in model.named_modules() if isinstance(m, (nn.Linear, Conv1D))]
    known = list(dict.fromkeys(n.rsplit(".", 1)[-1] for n in layers))
    for name in names:
        if not any(layer == name or layer.endswith("." + name) for layer in layers):
            hint = nearest(name, known)
            raise InputError(
                f"The model has no layer named {name!r}."
                + (f" Did you mean {hint!r}?" if hint else "")
                + f" It has {', '.join(known)}; all-linear takes all of them but the last.",
                "method.target_modules",
            )
    if not names:
        raise InputError(
            f"No layers are named: write all-linear, or some of {', '.join(known)}.", "method.target_modules"
        )
    return names
