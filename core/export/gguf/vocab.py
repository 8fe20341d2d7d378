"""The tokenizer of a model as a GGUF file holds it: tokens, merges or scores, beginnings and ends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

from core.errors import InputError
from core.export.gguf.families import FIELD
from core.models.tokenizer import traits

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # llama.cpp's token types
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
METASPACE = "▁"


def fields(folder: Path, tokenizer: Any, size: int, ends: list[int], pad: int, chat: str | None) -> dict[str, Any]:
    """What a file says of the tokenizer: key -> value, without the "tokenizer." that all keys begin with.

    Args:
        folder: with tokenizer.json. tokenizer: the same as transformers has it. size: rows of the embedding.
        ends, pad: ids, see core.models.tokenizer. chat: the chat template, or None.

    Raises:
        InputError: (field export.format) a tokenizer that llama.cpp has no kind for.
    """
    whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    if whole["model"].get("type") != "BPE":
        raise _no_kind(f"of the kind {whole['model'].get('type')}, not BPE")
    if over := [text for text, i in whole["model"]["vocab"].items() if i >= size]:
        raise InputError(
            f"The tokenizer knows {len(over):,} tokens more than the {size:,} rows of the model's embedding: llama.cpp "
            "would not load it. Take the merged safetensors instead.",
            FIELD,
        )
    said = _byte_level(whole) if _last(whole["pre_tokenizer"]) == "ByteLevel" else _sentencepiece(whole)
    tokens, types = _tokens(whole, tokenizer, size)
    said |= {"ggml.tokens": tokens, "ggml.token_type": types}
    if "ggml.merges" not in said:
        said["ggml.scores"] = _scores(whole, tokens)
    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else ends[0]
    said["ggml.eos_token_id"] = end
    if turn := next((i for i in ends if i != end), None):
        said["ggml.eot_token_id"] = turn
    said["ggml.padding_token_id"] = pad
    if tokenizer.bos_token_id is not None:
        said["ggml.bos_token_id"] = tokenizer.bos_token_id
    if tokenizer.unk_token_id is not None:
        said["ggml.unknown_token_id"] = tokenizer.unk_token_id
    said["ggml.add_bos_token"], said["ggml.add_eos_token"] = bool(traits(tokenizer).bos), False
    return said | ({"chat_template": chat} if chat else {})


def normal_form(folder: Path) -> Literal["NFC", "NFKC"] | None:
    """The Unicode form that a tokenizer brings texts into, which a file does not say; None where it leaves them."""
    whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    kind = (whole.get("normalizer") or {}).get("type")
    return kind if kind in ("NFC", "NFKC") else None


def _byte_level(whole: dict[str, Any]) -> dict[str, Any]:
    normal = (whole.get("normalizer") or {}).get("type", "NFC")
    if normal not in ("NFC", "NFKC"):
        raise _no_kind(f"one that changes texts first ({normal})")
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in whole["model"]["merges"]]
    return {"ggml.model": "gpt2", "ggml.pre": _split(whole["pre_tokenizer"]), "ggml.merges": merges}


def _split(rule: dict[str, Any]) -> str:
    """llama.cpp's name of the way that a tokenizer cuts texts before it merges."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    parts = rule["pretokenizers"] if rule["type"] == "Sequence" else [rule]
    if any(part.get("add_prefix_space") for part in parts):
        raise _no_kind("one that puts a space in front of a text")
    kinds = [part["type"] for part in parts]
    if kinds == ["ByteLevel"] and parts[0].get("use_regex", True):
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and parts[0].get("individual_digits") and parts[1].get("use_regex", True):
        return "smollm"
    if kinds == ["Split", "ByteLevel"] and not parts[1].get("use_regex", True):
        pattern = parts[0]["pattern"].get("Regex")
        names = {split: name for name, split in reversed(GGUF_PRE_TOKENIZER_SPLITS.items())}
        if pattern in names and parts[0]["behavior"] == "Isolated" and not parts[0].get("invert"):
            return names[pattern]
    raise _no_kind("one that cuts texts in a way that llama.cpp has no name for")


def _sentencepiece(whole: dict[str, Any]) -> dict[str, Any]:
    """SentencePiece's BPE, as tokenizer.json has it after its conversion: spaces are ▁, unknown characters bytes."""
    if not whole["model"].get("byte_fallback"):
        raise _no_kind("a BPE of characters without bytes to fall back on")
    rule, pre = whole.get("normalizer") or {}, whole.get("pre_tokenizer") or {}
    rules = rule["normalizers"] if rule.get("type") == "Sequence" else [rule] if rule else []
    kinds = {part["type"] for part in rules}
    if kinds - {"Prepend", "Replace"} or pre.get("type", "Metaspace") not in ("Metaspace", "Split"):
        raise _no_kind(f"one that changes texts first ({', '.join(sorted(kinds)) or pre['type']})")
    prefix = "Prepend" in kinds or pre.get("prepend_scheme", "never") != "never"
    return {"ggml.model": "llama", "ggml.pre": "default", "ggml.add_space_prefix": prefix}


def _tokens(whole: dict[str, Any], tokenizer: Any, size: int) -> tuple[list[str], list[int]]:
    """The text and the type of every id; rows of the embedding that no token has are named and marked as unused.

    A special token beyond the embedding (Gemma 3's for images) is left out: the model cannot read it in any case.
    """
    tokens, types = [f"[PAD{i}]" for i in range(size)], [UNUSED] * size
    for text, i in whole["model"]["vocab"].items():
        tokens[i], types[i] = text, BYTE if _BYTE.fullmatch(text) else NORMAL
    for added in (added for added in whole.get("added_tokens") or [] if added["id"] < size):
        tokens[added["id"]] = added["content"]
        types[added["id"]] = CONTROL if added["special"] else USER_DEFINED
    if tokenizer.unk_token_id is not None and whole["model"].get("byte_fallback"):
        types[tokenizer.unk_token_id] = UNKNOWN
    return tokens, types


def _scores(whole: dict[str, Any], tokens: list[str]) -> list[float]:
    """A score for each token, the best for what is merged first: llama.cpp merges by them."""
    first: dict[str, int] = {}
    for rank, merge in enumerate(whole["model"]["merges"]):
        first.setdefault("".join(merge.split(" ") if isinstance(merge, str) else merge), rank)
    last = len(whole["model"]["merges"])
    return [-float(first.get(token, last + place)) for place, token in enumerate(tokens)]


def _last(rule: dict[str, Any] | None) -> str:
    if rule is None:
        return ""
    return str(rule["pretokenizers"][-1]["type"] if rule["type"] == "Sequence" else rule["type"])


def _no_kind(what: str) -> InputError:
    return InputError(
        f"The tokenizer of this model is {what}: GGUF has no kind for it. Take the merged safetensors instead.", FIELD
    )
