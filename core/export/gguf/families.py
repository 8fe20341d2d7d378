"""Which models GGUF has a place for, what a file says of their config, and what it cannot say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError

FIELD = "export.format"

# Config field of transformers -> key of the file (after the family's name). Keys: the GGUF specification,
# https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
_SHAPES = {
    "hidden_size": "embedding_length",
    "num_hidden_layers": "block_count",
    "intermediate_size": "feed_forward_length",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "head_dim": "attention.key_length",
    "rms_norm_eps": "attention.layer_norm_rms_epsilon",
    "max_position_embeddings": "context_length",
    "vocab_size": "vocab_size",
}
_PHI = {name: key for name, key in _SHAPES.items() if name != "head_dim"}
_QWEN2 = _PHI
_GEMMA2 = _SHAPES | {
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
    "sliding_window": "attention.sliding_window",
}
_GEMMA3 = _SHAPES | {"sliding_window": "attention.sliding_window"}
_GPT2 = {
    "n_embd": "embedding_length",
    "n_layer": "block_count",
    "n_inner": "feed_forward_length",
    "n_head": "attention.head_count",
    "layer_norm_epsilon": "attention.layer_norm_epsilon",
    "n_positions": "context_length",
    "vocab_size": "vocab_size",
}
ROPE_BASE, ROPE_SCALING, ROPE_FACTOR = "rope.freq_base", "rope.scaling.type", "rope.scaling.factor"
LOCAL_BASE = 10000.0  # of Gemma 3's sliding layers: llama.cpp has it built in


@dataclass(frozen=True)
class Family:
    """How models of one kind lie in a file.

    Attributes:
        arch: GGUF's name of the kind, which the keys begin with. reads: transformers' model_type of what comes back.
        says: config field -> key. rotary: whether positions turn queries and keys.
        permuted: rows of q and k lie in another order. plus_one: norms hold w + 1.
        inputs_first: the weights are Conv1D's, which lie the other way round.
        windowless: a sliding window has no place, so that the context ends where the window does.
    """

    arch: str
    reads: str
    says: dict[str, str]
    rotary: bool = True
    permuted: bool = False
    plus_one: bool = False
    inputs_first: bool = False
    windowless: bool = False


FAMILIES = {
    "llama": Family("llama", "llama", _SHAPES, permuted=True),
    "mistral": Family("llama", "llama", _SHAPES, permuted=True, windowless=True),
    "qwen2": Family("qwen2", "qwen2", _QWEN2),
    "qwen3": Family("qwen3", "qwen3", _SHAPES),
    "phi3": Family("phi3", "phi3", _PHI, windowless=True),
    "gemma2": Family("gemma2", "gemma2", _GEMMA2, plus_one=True),
    "gemma3_text": Family("gemma3", "gemma3_text", _GEMMA3, plus_one=True),
    "gpt2": Family("gpt2", "gpt2", _GPT2, rotary=False, inputs_first=True),
}
BY_ARCH = {family.arch: family for family in FAMILIES.values() if family.reads in FAMILIES}
KNOWN = "Llama, Mistral, Qwen2, Qwen3, Phi-3, Gemma 2, Gemma 3 and GPT-2"
# Differences that say nothing of what a model computes when it answers.
_IDLE = ("architectures", "dtype", "transformers_version", "bos_token_id", "eos_token_id", "pad_token_id", "use_cache",
         "initializer_range", "attention_dropout", "attn_pdrop", "embd_pdrop", "resid_pdrop", "embd_dropout",
         "summary_", "tie_word_embeddings", "pretraining_tp", "max_window_layers", "original_max_position_embeddings",
         "model_type", "task_specific_params", "_name_or_path", "id2label", "label2id", "rope_parameters",
         "n_ctx")  # fmt: skip


def family_of(config: dict[str, Any]) -> Family:
    """The family of a model, by its config.json.

    Raises:
        InputError: (field export.format) GGUF is not written for it here, or it has a setting that no file can say.
    """
    kind = str(config.get("model_type"))
    if kind not in FAMILIES:
        named = str((config.get("architectures") or [kind])[0])
        raise InputError(
            f"A {named} is not written as GGUF here; {KNOWN} are. Take the merged safetensors instead.", FIELD
        )
    return FAMILIES[kind]


def open_config(folder: Path) -> Any:
    """A model's config as transformers completes it."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def metadata(folder: Path) -> tuple[Family, dict[str, int | float | str]]:
    """The family of a model's folder, and what a file says of its config: key -> value.

    Raises:
        InputError: as `family_of`.
    """
    config = open_config(folder)
    whole = config.to_dict()
    family = family_of(whole)
    said: dict[str, int | float | str] = {}
    for name, key in family.says.items():
        value = getattr(config, name)
        if name == "n_inner":
            value = value or 4 * config.n_embd
        if name == "max_position_embeddings" and family.windowless:
            value = min(value, whole.get("sliding_window") or value)
        if value is not None:
            said[key] = value
    if "head_dim" in family.says:
        said["attention.value_length"] = said["rope.dimension_count"] = config.head_dim
    elif family.rotary:
        said["rope.dimension_count"] = config.hidden_size // config.num_attention_heads
    if family.arch == "phi3":
        said["rope.scaling.original_context_length"] = said["context_length"]
    if family.rotary:
        said |= _rope(whole["rope_parameters"])
    _all_said(whole, config_of(family, said).to_dict(), family)
    return family, said


def _rope(rope: dict[str, Any]) -> dict[str, int | float | str]:
    """What a file says of rotary positions; llama3's factors lie in a tensor of their own, see `tensors`."""
    if nested := rope.get("full_attention"):
        local = rope.get("sliding_attention") or {}
        if (local.get("rope_theta"), local.get("rope_type")) != (LOCAL_BASE, "default"):
            raise _unsaid("rope_parameters.sliding_attention", local)
        rope = nested
    kind = rope.get("rope_type", "default")
    if kind not in ("default", "llama3", "linear") or rope.get("partial_rotary_factor", 1.0) != 1.0:
        raise _unsaid("rope_parameters", rope)
    said: dict[str, int | float | str] = {ROPE_BASE: float(rope["rope_theta"])}
    if kind == "linear":
        said |= {ROPE_SCALING: "linear", ROPE_FACTOR: float(rope["factor"])}
    return said


def config_of(family: Family, said: dict[str, Any], ids: dict[str, int] | None = None) -> Any:
    """The config that a file describes, as transformers has it; the other way round from `metadata`.

    Args:
        said: key (without the family's name) -> value. ids: "bos", "eos", "pad" -> id, of those that there are.
    """
    from transformers import AutoConfig

    values = {name: said[key] for name, key in family.says.items() if key in said}
    values |= {f"{name}_token_id": (ids or {}).get(name) for name in ("bos", "eos", "pad")}
    if "n_inner" in values and values["n_inner"] == 4 * values["n_embd"]:
        values["n_inner"] = None
    if family.arch in ("gemma2", "gemma3"):
        values["query_pre_attn_scalar"] = values["head_dim"]  # which llama.cpp scales attention by
    if family.rotary:
        rope: dict[str, Any] = {"rope_type": "default", "rope_theta": said[ROPE_BASE]}
        if said.get(ROPE_SCALING) == "linear":
            rope |= {"rope_type": "linear", "factor": said[ROPE_FACTOR]}
        local = {"rope_type": "default", "rope_theta": LOCAL_BASE}
        nested = family.arch == "gemma3"
        values["rope_parameters"] = {"full_attention": rope, "sliding_attention": local} if nested else rope
    if family.windowless:
        values["sliding_window"] = None
    return AutoConfig.for_model(family.reads, **values)


def _all_said(have: dict[str, Any], read: dict[str, Any], family: Family) -> None:
    """InputError where the config that comes back from a file would compute something else."""
    idle = (*_IDLE, *(("sliding_window", "max_position_embeddings", "layer_types") if family.windowless else ()))
    for name, value in have.items():  # what the family's own config does not know, its code does not read
        if name in read and read[name] != value and not name.startswith(idle):
            raise _unsaid(name, value)


def _unsaid(name: str, value: Any) -> InputError:
    return InputError(
        f"A GGUF file cannot say {name}: {value!r} of this model, so what it answers would differ. Take the merged "
        "safetensors instead.",
        FIELD,
    )
