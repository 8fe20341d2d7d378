"""genai_config.json: what onnxruntime-genai must know of a decoder besides its graph; imports nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.errors import InputError

# Greedy, with nothing that bends the choice: what was compared is what runs.
SEARCH: dict[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "temperature": 1.0,
    "top_k": 1,
    "top_p": 1.0,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "length_penalty": 1.0,
    "diversity_penalty": 0.0,
}
# The names under which a config says how many tokens the model reads at once, the usual one first.
CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")
UNBOUNDED = 2048  # tokens: of a model that names no limit (BLOOM counts distances); it was trained on so many


def put_right(path: Path, *, end_ids: Iterable[int], pad_id: int, tied: bool = True) -> None:
    """All end tokens, a pad token for batches, and greedy search in a config that the builder wrote.

    Args:
        tied: it runs on the device that it was built for; else on the processor.
    """
    config = json.loads(path.read_text(encoding="utf-8"))
    if not tied:
        config["model"]["decoder"]["session_options"]["provider_options"] = []
    config["model"].update(eos_token_id=sorted(end_ids), pad_token_id=pad_id)
    config["search"].update(SEARCH)
    write(path, config)


def write(path: Path, config: dict[str, Any]) -> None:
    """Write a genai_config.json, the same bytes for the same config."""
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def context_of(config: dict[str, Any]) -> int:
    """How many tokens a model reads at once, from its config.json; UNBOUNDED where it says nothing of that."""
    return next((int(config[name]) for name in CONTEXT if config.get(name)), UNBOUNDED)


def provider_options(device: str) -> list[dict[str, dict[str, str]]]:
    """The session's providers for a graph whose cache grows: none of them may record the graph and play it again.

    Args:
        device: as the builder names it: cpu, cuda, dml, webgpu or NvTensorRtRtx.
    """
    known: dict[str, dict[str, str]] = {
        "cuda": {"enable_cuda_graph": "0"},
        "dml": {"enable_graph_capture": "0"},
        "webgpu": {"enableGraphCapture": "0", "validationMode": "basic"},
        "NvTensorRtRtx": {"enable_cuda_graph": "0"},
    }
    if device == "cpu":
        return []
    if device not in known:
        raise InputError(
            f"No decoder is exported for {device!r}. Devices: cpu, {', '.join(known)}.",
            "export.device",
        )
    return [{device: known[device]}]
