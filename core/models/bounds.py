"""What may stand in the JSON of somebody's model: read within bounds, and refused in a sentence where it is absurd.

The values are those that sizes are computed from and that a model is built by: a number of layers that is no number
ends in a traceback otherwise, and one of ten millions in minutes of building.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.errors import InputError

FIELD = "model.path"
MOST_BYTES = 8 * 2**20  # of a JSON file that describes a model; the longest known ones have some hundred labels
MOST_TOKENIZER_BYTES = 256 * 2**20  # of tokenizer.json; that of a vocabulary of 256,000 has 35 MB
# Keys of config.json -> the least and the most that they may say.
LAYERS, HEADS, WIDTH, INNER, PLACES, WORDS = (1, 1_000), (1, 65_536), (1, 2**20), (0, 2**22), (0, 2**31), (1, 2**24)
SIZES: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers"), LAYERS),
    **dict.fromkeys(("encoder_layers", "decoder_layers"), LAYERS),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "num_key_value_heads"), HEADS),
    **dict.fromkeys(("hidden_size", "n_embd", "dim", "d_model", "d_kv", "head_dim"), WIDTH),
    **dict.fromkeys(("intermediate_size", "n_inner", "hidden_dim", "d_ff", "type_vocab_size"), INNER),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "relative_attention_num_buckets"), PLACES),
    "vocab_size": WORDS,
}
TEXTS = ("model_type",)
SWITCHES = ("tie_word_embeddings", "is_encoder_decoder", "is_decoder", "attention_bias", "mlp_bias")
RANKS = {"r": (1, 65_536), "num_virtual_tokens": (1, 2**20)}  # of adapter_config.json
MOST_TENSORS, MOST_AXES, MOST_NUMBERS = 1_000_000, 8, 2**48


def read_object(file: Path, name: str, most: int = MOST_BYTES) -> dict[str, Any]:
    """The object that a JSON file of a model holds.

    Args:
        name: of the model, for a sentence. most: bytes.

    Raises:
        InputError: field "model.path": it is too long, cannot be read, is nested too deeply, or holds no object.
    """
    try:
        size = file.stat().st_size
        if size > most:
            raise InputError(f"The {file.name} of {name!r} has {size / 2**20:,.0f} MB, which none needs.", FIELD)
        value = json.loads(file.read_text(encoding="utf-8"))
    except InputError:
        raise
    except RecursionError:
        raise InputError(f"The {file.name} of {name!r} cannot be read: it is nested too deeply.", FIELD) from None
    except (OSError, ValueError) as error:
        raise InputError(f"The {file.name} of {name!r} cannot be read: {error}.", FIELD) from None
    if not isinstance(value, dict):
        raise InputError(f"The {file.name} of {name!r} holds no object.", FIELD)
    return value


def check_config(config: dict[str, Any], name: str) -> None:
    """Whether what a config.json says can be true of a model.

    Args:
        config: its values. name: of the model, for a sentence.

    Raises:
        InputError: field "model.path": a size is no number or absurd, a name is no text.
    """
    _in_bounds(config, SIZES, name, "config.json")
    for key in TEXTS:
        if not isinstance(config.get(key, ""), str | None):
            raise _wrong(name, "config.json", key, config[key], "a text is meant")
    for key in SWITCHES:
        if not isinstance(config.get(key), bool | None) and config[key] not in (0, 1):
            raise _wrong(name, "config.json", key, config[key], "true or false is meant")
    kinds = config.get("architectures")
    if kinds is not None and not (isinstance(kinds, list) and all(isinstance(kind, str) for kind in kinds)):
        raise _wrong(name, "config.json", "architectures", kinds, "a list of names is meant")
    inner = config.get("text_config")
    if inner is not None and not isinstance(inner, dict):
        raise _wrong(name, "config.json", "text_config", inner, "an object is meant")
    if inner:
        check_config(inner | {"text_config": None}, name)


def check_adapter(config: dict[str, Any], name: str) -> None:
    """Whether what an adapter_config.json says can be true. Raises InputError as `check_config`."""
    _in_bounds(config, RANKS, name, "adapter_config.json")
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str | None):
        raise _wrong(name, "adapter_config.json", "base_model_name_or_path", base, "a path or an id is meant")


def check_tensor(name: str, tensor: Any) -> tuple[tuple[int, ...], str]:
    """(shape, dtype) of a tensor in a safetensors header. ValueError: it says what no tensor can be."""
    if not isinstance(tensor, dict) or not isinstance(tensor.get("dtype"), str):
        raise ValueError(f"the tensor {name[:80]!r} has no dtype")
    shape = tensor.get("shape")
    if not isinstance(shape, list) or len(shape) > MOST_AXES or not all(_whole(n, 0, MOST_NUMBERS) for n in shape):
        raise ValueError(f"the shape of the tensor {name[:80]!r} is {shape!r:.80}")
    return tuple(shape), tensor["dtype"]


def _in_bounds(config: dict[str, Any], bounds: dict[str, tuple[int, int]], name: str, file: str) -> None:
    for key, (least, most) in bounds.items():
        value = config.get(key)
        each = value if isinstance(value, list) and value else [value]  # some families say it for each layer
        if value is not None and not all(_whole(one, least, most) for one in each):
            raise _wrong(name, file, key, value, f"a whole number from {least:,} to {most:,} is meant")


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _wrong(name: str, file: str, key: str, value: Any, meant: str) -> InputError:
    shown = (
        json.dumps(value, default=str) if not isinstance(value, int) or value.bit_length() < 200 else "a huge number"
    )
    return InputError(f"The {file} of {name!r} says {key}: {shown[:80]}, where {meant}.", FIELD)
