"""Merging: what was trained beside a base is added into its weights, and the answers stay the same."""

from __future__ import annotations

import gc
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from core.errors import InputError
from core.methods import method
from core.models.heads import SEQ2SEQ, Head
from core.models.load import (
    BASE_NOTE,
    CHAT_TEMPLATE,
    base_of,
    copy_companions,
    head_of_weights,
    load_base,
    load_run,
    patient_peft,
    weights_of,
)
from core.models.quantize import dequantized
from core.paths import resolve
from core.runs import records
from core.runs.store import Run

KINDS = {"LORA": "lora", "IA3": "ia3", "PROMPT_TUNING": "prompt", "BOTTLENECK": "adapter"}  # peft_type -> method
LENGTHS = (5, 16, 31)  # tokens of the inputs that the answers are compared on
TOLERANCE = 1e-3  # of the answers' spread: float32 sums in another order


def merge(target: str | Path | Run, out: str | Path) -> Path:
    """Write the tuned model as one folder: what was trained is added into the float32 base, and checked.

    A base in 4 bits is taken out of them first (`dequantize`): added into 4 bits, most of what was learned is lost to
    rounding. The result is in the type that the base has on the disk where the answers stay the same in it, in float32
    otherwise.

    Args:
        target: whatever `core.models.load.load_run` takes. out: the folder to write; made, and empty or not there.

    Returns:
        The folder with config, safetensors and tokenizer. For weights that are whole already it is their own folder,
        when that is one here, and nothing is written.

    Raises:
        InputError: nothing to load, nothing that can be merged, or the merged model answers differently.
    """
    folder = Path(weights_of(target))
    return folder if _is_whole(folder) else merge_and_load(target, out)[0]


def merge_and_load(target: str | Path | Run, out: str | Path) -> tuple[Path, PreTrainedModel]:
    """The same, and the tuned model as it is loaded from there, in float32. One copy of it at a time is in memory."""
    folder = Path(weights_of(target))
    if _is_whole(folder):
        return folder, load_base(str(folder), head=head_of_weights(str(folder)))
    adapter = records.ADAPTER.read(folder / "adapter_config.json")
    if adapter is None:
        raise InputError(f"There is no tuned model in {str(folder)!r} to merge.", "model.path")
    kind = str(adapter.get("peft_type"))
    if reason := method(KINDS[kind]).mergeable if kind in KINDS else f"An adapter of the kind {kind} cannot be merged.":
        raise InputError(reason, "method.name")
    (base, revision), head = base_of(folder), head_of_weights(str(folder))
    model, _ = load_run(folder)
    inputs = [_input(model, length, seed) for seed, length in enumerate(LENGTHS)]
    with torch.inference_mode():
        want = [_answer(model, head, ids) for ids in inputs]
    note = records.BASE.read(folder / BASE_NOTE) or {}
    merged = _into_float(model, folder, head, note) if note.get("quantization") else _merged(model)
    del model
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".merging-", dir=out.parent) as name:
        work = Path(name) / "model"
        merged.save_pretrained(work)
        copy_companions(base, revision, work)
        if (folder / CHAT_TEMPLATE).is_file():  # tuned in another format than its base has
            shutil.copyfile(folder / CHAT_TEMPLATE, work / CHAT_TEMPLATE)
        half, own = Path(name) / "half", _type_of(base)
        if own is not torch.float32:
            shutil.copytree(work, half, ignore=shutil.ignore_patterns("*.safetensors*"))
            merged.to(own).save_pretrained(half)
        del merged
        model, off = _loaded(work, head, inputs, want)
        if off > TOLERANCE:
            raise InputError(
                f"The merged model differs from base plus adapter: its outputs are off by {off:.3g} of their spread."
            )
        if half.exists():
            del model
            model, off = _loaded(half, head, inputs, want)
            if off <= TOLERANCE:
                work = half
            else:
                del model
                model, _ = _loaded(work, head, inputs, want)
        if out.is_mount():  # a volume of a container: nothing takes its place
            shutil.copytree(work, out, dirs_exist_ok=True)
        else:
            shutil.rmtree(out, ignore_errors=True)
            work.rename(out)
    return out, model


def _is_whole(folder: Path) -> bool:
    """Whether a folder's weights are a model by themselves, with nothing to merge."""
    return records.ADAPTER.read(folder / "adapter_config.json") is None and (folder / "config.json").is_file()


def _merged(model: PeftModel) -> PreTrainedModel:
    with torch.no_grad():
        whole: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    return whole


def _into_float(model: PeftModel, folder: Path, head: Head, note: dict[str, Any]) -> PreTrainedModel:
    """The merged model of an adapter on a base in 4 bits, in float32 and in the shapes of the original base."""
    base, revision = base_of(folder)
    plain = load_base(base, revision, head=head, labels=note.get("labels") or ())
    with patient_peft():
        merged = _merged(PeftModel.from_pretrained(dequantized(model.unload()), str(folder)))
    weights = merged.state_dict()
    for name, module in plain.named_modules():
        if isinstance(module, Conv1D):  # its weights lie inputs first; in 4 bits all lie outputs first
            weights[f"{name}.weight"] = weights[f"{name}.weight"].T.contiguous()
    plain.load_state_dict(weights)
    return plain


def _input(model: Any, length: int, seed: int) -> torch.Tensor:
    """Token ids (1, length) drawn by chance; the end token last and nowhere else, as some heads look for it."""
    config = model.config.get_text_config()
    end = config.eos_token_id
    end = end[0] if isinstance(end, list) else end
    ids = torch.randint(0, config.vocab_size, (1, length), generator=torch.Generator().manual_seed(seed))
    if end is not None:
        ids[ids == end] = (end + 1) % config.vocab_size
        ids[0, -1] = end
    return ids


def _answer(model: Any, head: Head, ids: torch.Tensor) -> torch.Tensor:
    """What a model says of token ids, in float32."""
    more = {"decoder_input_ids": ids} if head is SEQ2SEQ else {}
    out = model(input_ids=ids, attention_mask=torch.ones_like(ids), **more)
    said: torch.Tensor = out.logits if "logits" in out else out.last_hidden_state
    return said.float()


def _loaded(
    folder: Path, head: Head, inputs: list[torch.Tensor], want: list[torch.Tensor]
) -> tuple[PreTrainedModel, float]:
    """A folder's model in float32, and how far its answers are off, as a share of their spread (at least 1)."""
    gc.collect()  # adapters hold on to their base in circles
    model = load_base(str(folder), head=head)
    with torch.inference_mode():
        got = [_answer(model, head, ids) for ids in inputs]
    off = max((w - g).abs().max().item() / max(1.0, w.abs().max().item()) for w, g in zip(want, got, strict=True))
    return model, off


def _type_of(base: str) -> torch.dtype:
    """The type of a base's weights on the disk: of the first one; float32 where they are not here."""
    files = sorted(resolve(base).glob("*.safetensors")) if resolve(base).is_dir() else []
    if not files:
        return torch.float32
    with safe_open(files[0], "pt") as weights:
        found: torch.dtype = weights.get_tensor(next(iter(weights.keys()))).dtype
    return found
