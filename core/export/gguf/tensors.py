"""The weights of a model as a GGUF file holds them: names, order of rows, and the types that they are rounded to."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from core.export.gguf.families import FIELD, Family, open_config

# What the formats round a matrix to. Vectors, and positions that are looked up, stay in float32 as in llama.cpp's own.
FILE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7}  # llama.cpp's numbers of them (llama_ftype)
BLOCK = 32  # weights that share a scale in Q8_0 and Q4_0
KEPT = ("position_embd.weight", "rope_freqs.weight")
_BUFFERS = (".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq")


def tensors(folder: Path, family: Family) -> list[tuple[str, tuple[int, ...], Callable[[], np.ndarray]]]:
    """(name in the file, shape, a function that reads it as float32) of every weight, in the order of the layers.

    Raises:
        InputError: a weight that the file has no place for.
    """
    import gguf
    from safetensors import safe_open

    config = open_config(folder)
    arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == family.arch)
    names = gguf.get_tensor_name_map(arch, config.num_hidden_layers)
    found = []
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as weights:
            for key in weights.keys():  # noqa: SIM118 - safe_open is no dict
                if key.endswith(_BUFFERS):
                    continue
                name = names.get_name(key, try_suffixes=(".weight", ".bias"))
                if name is None:
                    raise InputError(f"GGUF's {family.arch} has no place for the weight {key}.", FIELD)
                shape = tuple(weights.get_slice(key).get_shape())
                turned = family.inputs_first and len(shape) == 2 and name.startswith("blk.")
                found.append((name, shape[::-1] if turned else shape, _reader(file, key, name, family, config)))
    if (factors := _rope_factors(config, family)) is not None:
        found.append(("rope_freqs.weight", factors.shape, lambda: factors))
    return sorted(found, key=lambda item: _place(item[0]))


def _reader(file: Path, key: str, name: str, family: Family, config: Any) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        from safetensors import safe_open

        with safe_open(file, "pt") as weights:
            value: np.ndarray = weights.get_tensor(key).float().numpy()
        if family.permuted and ".attn_q." in name:
            value = _permuted(value, config.num_attention_heads)
        elif family.permuted and ".attn_k." in name:
            value = _permuted(value, config.num_key_value_heads)
        elif family.plus_one and name.endswith("norm.weight"):
            value = value + 1
        elif family.inputs_first and value.ndim == 2 and name.startswith("blk."):
            value = value.T
        return np.ascontiguousarray(value)

    return read


def _permuted(value: np.ndarray, heads: int) -> np.ndarray:
    """Rows (heads * head size, ...) so that the two halves of each head, which turn together, lie by turns."""
    half = value.shape[0] // heads // 2
    return value.reshape(heads, 2, half, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)


def _rope_factors(config: Any, family: Family) -> np.ndarray | None:
    """llama3's rotary scaling: by what each frequency (head size / 2) is divided; None where there is none."""
    if not family.rotary or config.rope_parameters.get("rope_type") != "llama3":
        return None
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scaled = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")[0].double().numpy()
    size = 2 * len(scaled)
    plain = 1.0 / config.rope_parameters["rope_theta"] ** (np.arange(0, size, 2) / size)
    factors: np.ndarray = (plain / scaled).astype(np.float32)
    return factors


def _place(name: str) -> tuple[int, int, str]:
    """The embedding first, then layer by layer, then what comes after them."""
    if name.startswith("blk."):
        return 1, int(name.split(".")[1]), name
    return (0 if name.startswith(("token_embd", "position_embd", "rope_freqs")) else 2), 0, name


def type_of(name: str, shape: tuple[int, ...], precision: str, last: str) -> Any:
    """The type that a weight is written in (gguf.GGMLQuantizationType).

    In q4_0 the matrix that gives the logits (`last`) keeps 8 bits: llama.cpp's own q4_0 keeps it finer as well (in
    Q6_K, which the gguf package cannot write). Rows that do not fall into blocks of 32 are kept in F16.
    """
    from gguf import GGMLQuantizationType as Type

    if len(shape) < 2 or name in KEPT or precision == "f32":
        return Type.F32
    if precision == "f16" or shape[-1] % BLOCK:
        return Type.F16
    return Type.Q8_0 if precision == "q8_0" or name == last else Type.Q4_0


def write(writer: Any, folder: Path, family: Family, precision: str, on_part: Callable[[float], None]) -> Iterator[str]:
    """Announce the weights to a gguf.GGUFWriter, then write them one by one; yields each name before it is written.

    The writer's own keys must be complete. on_part: called with the share that is done, 0 to 1.

    Raises:
        InputError: a weight that the file has no place for, or that is too large for the type. OSError: no space.
    """
    import gguf

    found = tensors(folder, family)
    names = {name for name, _, _ in found}
    last = "output.weight" if "output.weight" in names else "token_embd.weight"
    types = [type_of(name, shape, precision, last) for name, shape, _ in found]
    for (name, shape, _), kind in zip(found, types, strict=True):
        stored = gguf.quant_shape_to_byte_shape(shape, kind)
        size = int(np.prod(stored))
        plain = {gguf.GGMLQuantizationType.F32: np.float32, gguf.GGMLQuantizationType.F16: np.float16}.get(kind)
        dtype = np.dtype(plain or np.uint8)
        writer.add_tensor_info(name, shape if plain else stored, dtype, size, None if plain else kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for place, ((name, _, read), kind) in enumerate(zip(found, types, strict=True)):
        yield name
        value = gguf.quants.quantize(read(), kind)
        if kind == gguf.GGMLQuantizationType.F16 and not np.isfinite(value).all():
            raise InputError(f"The weight {name} does not fit into {precision}: choose q8_0 or f32.", FIELD)
        try:
            writer.write_tensor_data(value)
        except OSError as error:  # numpy says how much it wrote, and not why it was no more
            raise OSError(error.errno or errno.ENOSPC, f"No space left on device: {error}") from error
        on_part((place + 1) / len(found))
