"""Weights as PyTorch's world takes them: the merged model as safetensors, or the adapter alone; written and loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from core.errors import InputError
from core.methods.merge import merge
from core.models import load
from core.models.heads import HEADS, Head, class_name
from core.models.tokenizer import looks_like_id
from core.paths import resolve
from core.runs import records
from core.runs.files import write_json

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
PEFTS = ("LORA", "IA3")  # kinds that PEFT by itself opens and computes with as was trained


def public_name(base: str) -> str:
    """What to call a base in a file that goes elsewhere: its id, or of a folder here the folder's name."""
    return resolve(base).name if resolve(base).is_dir() else base


def hub_id(base: str) -> str:
    """The id of a base on the Hub; "" for one that is a folder here."""
    return base if looks_like_id(base) and not resolve(base).is_dir() else ""


def write_merged(target: str, work: Path, out: Path, precision: str, head: Head) -> None:
    """Write the whole model into `out`: config, weights in one type, tokenizer.

    Args:
        target: as core.models.load.load_run takes it. work: a folder of the caller's, for what lies between.

    Raises:
        InputError: nothing to load or to merge, or weights that do not fit into the type. OSError: the disk is full.
    """
    whole = load.weights_of(target)
    if (resolve(whole) / "adapter_config.json").is_file():
        whole = str(merge(resolve(whole), work / "merged"))
    model = load.load_base(whole, dtype=DTYPES[precision], head=head)
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise InputError(f"The weight {name} does not fit into {precision}: choose bf16 or fp32.", "export.format")
    model.save_pretrained(out)
    load.copy_companions(whole, None, out)


def write_adapter(folder: Path, out: Path) -> None:
    """Write the adapter of a folder into `out`, with the tokenizer; the base is named by its id or its folder's name.

    Raises:
        InputError: there is no adapter, since the whole model was tuned.
    """
    said = records.ADAPTER.read(folder / "adapter_config.json")
    if said is None:
        raise InputError(
            "This model was tuned whole, so it has no adapter: take the merged safetensors, which are all of it.",
            "export.format",
        )
    base = str(said.get("base_model_name_or_path") or "")
    write_json(out / "adapter_config.json", said | {"base_model_name_or_path": public_name(base)})
    for weights in folder.glob("adapter_model*.safetensors"):
        shutil.copyfile(weights, out / weights.name)
    if note := records.BASE.read(folder / load.BASE_NOTE):
        write_json(out / load.BASE_NOTE, note | {"path": public_name(str(note.get("path") or base))})
    load.copy_companions(base, said.get("revision"), out)
    for name in load.COMPANIONS:  # an adapter that was tuned in another format than its base has brings its own
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)


def open_merged(folder: Path, head: Head) -> tuple[Any, Any]:
    """Model and tokenizer as Transformers alone loads them, in the type that they are written in."""
    import transformers

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = getattr(transformers, class_name(head, config)).from_pretrained(folder, dtype="auto")
    return model.eval(), transformers.PreTrainedTokenizerFast.from_pretrained(folder)


def open_adapter(folder: Path, base: str, revision: str | None) -> tuple[Any, Any]:
    """Model and tokenizer as PEFT loads an adapter onto its base; kinds that PEFT does not know by our own code."""
    import transformers
    from peft import PeftModel

    said = records.ADAPTER.read(folder / "adapter_config.json") or {}
    note = records.BASE.read(folder / load.BASE_NOTE) or {}
    head = HEADS.get(str(note.get("head"))) or load.head_of_weights(str(folder))
    whole = load.load_base(
        base, revision, head=head, labels=note.get("labels") or (), quantization=note.get("quantization")
    )
    own = said.get("peft_type") not in PEFTS
    with load.patient_peft():
        if own:
            import core.methods.bottleneck  # noqa: F401 - tells PEFT of this kind of adapter
        model = PeftModel.from_pretrained(whole, folder)
    if own:
        from core.methods import prompt

        model = prompt.opened(model)
    return model.eval(), transformers.PreTrainedTokenizerFast.from_pretrained(folder)
