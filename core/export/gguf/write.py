"""A whole model's folder as one GGUF file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.export.gguf import families, tensors, vocab

NAME = "model.gguf"


def write(
    folder: Path,
    file: Path,
    precision: str,
    tokenizer: Any,
    *,
    ends: list[int],
    pad: int,
    chat: str | None,
    title: str,
    base: str = "",
    licence: str = "",
    check: Callable[[], None] = lambda: None,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> None:
    """Write one file; a weight at a time is in memory.

    Args:
        folder: config.json, safetensors and tokenizer.json. precision: a key of tensors.FILE_TYPES.
        tokenizer, ends, pad, chat: see vocab.fields. title, base, licence: for the file's own card.
        check: called before each weight; what it raises ends the writing. progress: the share done, of 1.

    Raises:
        InputError: a family, a setting or a tokenizer that GGUF has no place for. OSError: the disk is full.
    """
    import gguf

    family, said = families.metadata(folder)
    size = int(said["vocab_size"])
    writer = gguf.GGUFWriter(file, family.arch)
    try:
        writer.add_name(title)
        writer.add_type("model")
        if base:
            writer.add_basename(base)
        if licence:
            writer.add_license(licence)
        writer.add_file_type(tensors.FILE_TYPES[precision])
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        for key, value in said.items():
            _add(writer, f"{family.arch}.{key}", value)
        for key, value in vocab.fields(folder, tokenizer, size, ends, pad, chat).items():
            _add(writer, f"tokenizer.{key}", value)
        for _ in tensors.write(writer, folder, family, precision, lambda share: progress(share, 1.0)):
            check()
    finally:
        writer.close()


def _add(writer: Any, key: str, value: Any) -> None:
    """One key in the type that llama.cpp expects: bool, text, unsigned integer, float, or a list of one kind."""
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    else:
        writer.add_array(key, value)
