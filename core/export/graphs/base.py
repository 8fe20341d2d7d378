"""The base under an adapter, as a folder that the builder can read: the weights that the adapter was trained on."""

from __future__ import annotations

from pathlib import Path

from transformers.pytorch_utils import Conv1D

from core.models.load import BASE_NOTE, base_of, copy_companions, load_base, load_run
from core.models.quantize import dequantized
from core.paths import resolve
from core.runs import records


def whole_base(adapter: Path, work: Path) -> Path:
    """A folder with config, safetensors and tokenizer of the base of an adapter's folder.

    Where the base is a folder of its own and not quantised, it is that very folder. A base in 4 bits is taken out of
    them, into float32: those are the numbers that the adapter was trained beside (see core.methods.merge).

    Args:
        work: a folder of the caller's, made where it is needed.

    Raises:
        InputError: the base is gone, or has other weights than the adapter was trained on.
    """
    base, revision = base_of(adapter)
    quantised = (records.BASE.read(adapter / BASE_NOTE) or {}).get("quantization")
    if not quantised and (resolve(base) / "config.json").is_file():
        return resolve(base)
    plain = load_base(base, revision)
    if quantised:
        tuned, _ = load_run(adapter)
        weights = dequantized(tuned.unload()).state_dict()
        for name, module in plain.named_modules():
            if isinstance(module, Conv1D):  # its weights lie inputs first; in 4 bits all lie outputs first
                weights[f"{name}.weight"] = weights[f"{name}.weight"].T.contiguous()
        plain.load_state_dict(weights)
    work.mkdir(parents=True, exist_ok=True)
    plain.save_pretrained(work)
    copy_companions(base, revision, work)
    return work
