"""A GGUF file read back by transformers' own reader: all that is known of the model comes from the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.export.gguf.families import BY_ARCH, config_of
from core.export.gguf.vocab import METASPACE


def open_gguf(file: Path) -> tuple[Any, Any]:
    """Model (float32, on the CPU, in evaluation mode) and tokenizer of a file.

    The config is made of the file's keys, since the reader passes over some that llama.cpp reads (the head size of
    Qwen3, the caps of Gemma 2, the rotary factors of Llama 3).

    Raises:
        OSError, ValueError, RuntimeError, KeyError: the file cannot be read.
    """
    import gguf
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    reader = gguf.GGUFReader(file)
    arch = str(reader.fields["general.architecture"].contents())
    said = {
        key.removeprefix(f"{arch}."): field.contents()
        for key, field in reader.fields.items()
        if key.startswith(f"{arch}.")
    }
    places = {"bos": "bos", "eos": "eos", "pad": "padding"}
    keys = {name: f"tokenizer.ggml.{key}_token_id" for name, key in places.items()}
    ids = {name: int(reader.fields[key].contents()) for name, key in keys.items() if key in reader.fields}
    config = config_of(BY_ARCH[arch], said, ids)
    names = {tensor.name for tensor in reader.tensors}
    config.tie_word_embeddings = "output.weight" not in names
    model, report = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, config=config, dtype=torch.float32, output_loading_info=True
    )
    if lost := sorted(report["missing_keys"]) + sorted(map(str, report.get("mismatched_keys") or ())):
        raise ValueError(f"{len(lost)} weights are missing or of another shape in the file, such as {lost[0]}")
    for tensor in reader.tensors:
        if tensor.name == "rope_freqs.weight":
            factors = torch.from_numpy(np.array(tensor.data, dtype=np.float32))
            model.model.rotary_emb.inv_freq /= factors
    tokenizer = PreTrainedTokenizerFast.from_pretrained(file.parent, gguf_file=file.name)
    if "tokenizer.ggml.add_space_prefix" in reader.fields:
        _as_llama_cpp(tokenizer, bool(reader.fields["tokenizer.ggml.add_space_prefix"].contents()))
    return model.eval(), tokenizer


def _as_llama_cpp(tokenizer: Any, prefix: bool) -> None:
    """Spaces of a SentencePiece tokenizer by llama.cpp's rule; transformers' reader takes the family's newest instead.

    llama.cpp puts a space in front of each stretch of text between special tokens (`add_space_prefix`), also where one
    is there already, and turns every space into the mark (llama-vocab.cpp, LLAMA_VOCAB_TYPE_SPM).
    """
    from tokenizers import normalizers

    rules = [normalizers.Prepend(METASPACE)] if prefix else []
    backend = tokenizer.backend_tokenizer
    backend.normalizer = normalizers.Sequence([*rules, normalizers.Replace(" ", METASPACE)])
    backend.pre_tokenizer = None
