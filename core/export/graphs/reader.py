"""Models that read, as graphs: a label of a text, a tag of each token, or a vector; encoders, and decoders with a head.

Inputs are input_ids and attention_mask (batch, sequence), filled on the right, and token_type_ids where a model has
more than one type. Outputs have the names that optimum and transformers.js look for.
"""

from __future__ import annotations

import copy
import inspect
import math
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,
    RuntimeException,
)
from torch import nn
from transformers import PreTrainedModel

from core.export.graphs import clean
from core.export.graphs.trace import trace
from core.models.heads import VECTOR, Head
from core.tasks.vectors import pool

LOGITS, VECTORS, STATES = "logits", "sentence_embedding", "last_hidden_state"
SHAPES = ((1, 1), (1, 7), (3, 5), (8, 64))  # texts, tokens of the longest; the others are shorter by two each
OFF = {False: 1e-3, True: 0.05}  # of the span of what the model says, by `half`: sums in another order; 11 bits
# What onnxruntime raises where a graph is wrong; its errors have no class in common but Exception.
ORT_ERRORS = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented, RuntimeException)
EXAMPLE = (2, 8)  # rows, tokens: an axis of length 1 would be taken for one that never changes


class Labels(nn.Module):
    """Logits: (batch, labels) of a text, (batch, sequence, tags) of its tokens; float32."""

    outputs: tuple[str, ...] = (LOGITS,)

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.more = {"use_cache": False} if "use_cache" in _takes(model) else {}

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> Any:
        """One pass."""
        return self.said(input_ids, attention_mask, token_type_ids).logits.float()

    def said(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor | None) -> Any:
        """What the model answers."""
        more = self.more if types is None else self.more | {"token_type_ids": types}
        return self.model(input_ids=ids, attention_mask=mask, **more)


class Vectors(Labels):
    """The last hidden states (batch, sequence, width), and the vector of each text (batch, width), of length 1."""

    outputs = (STATES, VECTORS)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> Any:
        """One pass, and the mean over the tokens of each text."""
        hidden = self.said(input_ids, attention_mask, token_type_ids).last_hidden_state
        return hidden.float(), pool(hidden, attention_mask)


def wrap(model: Any, head: Head, *, pad_id: int) -> Labels:
    """A model as the module that is traced.

    Args:
        model: of transformers or of PEFT, with this head; it is left in evaluation mode.
        pad_id: what fills a batch: a decoder finds the end of each text by it.
    """
    model.eval()
    model.config.get_text_config().pad_token_id = pad_id
    return (Vectors if head is VECTOR else Labels)(model).eval()


def export(module: Labels, path: Path, *, half: bool = False) -> list[str]:
    """Write a model as a graph; returns the names of its inputs.

    Args:
        module: see `wrap`. path: of the file.
        half: weights and activations in float16, of a copy; what comes out is float32 all the same.

    Raises:
        torch.onnx.errors.OnnxExporterError: torch's exporter cannot trace this model. OSError: the disk is full.
    """
    module = copy.deepcopy(module).half() if half else module
    config = module.model.config
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if _has_types(module.model) else [])]
    example = dict.fromkeys(names, torch.zeros(EXAMPLE, dtype=torch.long))
    example["input_ids"] = torch.arange(math.prod(EXAMPLE)).reshape(EXAMPLE) % config.get_text_config().vocab_size
    example["attention_mask"] = torch.ones(EXAMPLE, dtype=torch.long)
    program = trace(
        module,
        example,
        {name: {0: "batch", 1: "sequence"} for name in names},
        input_names=names,
        output_names=module.outputs,
    )
    clean.save(program, path)
    return names


def _takes(model: Any) -> set[str]:
    """What the pass of the model within takes."""
    inner = model if isinstance(model, PreTrainedModel) else model.get_base_model()
    return set(inspect.signature(inner.forward).parameters)


def _has_types(model: Any) -> bool:
    """Whether a model tells the second of two texts from the first: others would leave the input without any use."""
    kinds = getattr(model.config, "type_vocab_size", None) or 0
    return kinds > 1 and "token_type_ids" in _takes(model)


def try_out(
    path: Path, module: Labels | None, names: list[str], *, pad_id: int, longest: int, half: bool = False
) -> float:
    """Load a graph that was just written and run it at several shapes, alone and in filled batches, by onnxruntime.

    Returns the largest difference from `module`.

    Args:
        module: what it was made of, in float32: both must say the same. None (of quantised weights, which are compared
            on real rows later): it must run, and give numbers.
        names: of its inputs. pad_id: what fills a batch. longest: so many tokens the model can read.

    Raises:
        RuntimeError: it does not load or run, or says something else; in one sentence.
    """
    session, worst = _opened(path), 0.0
    for texts, most in SHAPES:
        tokens = min(most, longest)
        ids, mask = _texts(texts, tokens, pad_id)
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
        try:
            found = session.run(None, {name: feeds[name].numpy() for name in names})
        except ORT_ERRORS as error:
            raise RuntimeError(f"The graph does not run on {texts} x {tokens} tokens: {_first(error)}") from None
        got = [torch.from_numpy(one) for one in found]
        if not all(torch.isfinite(one[mask.bool()] if one.ndim == 3 else one).all() for one in got):
            raise RuntimeError(f"The graph gives numbers that are none on {texts} x {tokens} tokens.")
        if module is None:
            continue
        with torch.inference_mode():
            said = module(ids, mask)
        for mine, theirs in zip(got, said if isinstance(said, tuple) else (said,), strict=True):
            there = mask.bool() if theirs.ndim == 3 else torch.ones(len(theirs), dtype=torch.bool)
            gap = (mine - theirs)[there].abs().max().item()
            worst = max(worst, gap)
            if gap > OFF[half] * max(1.0, theirs[there].abs().max().item()):
                raise RuntimeError(
                    f"The graph is not the model: on {texts} x {tokens} tokens its numbers are off by {gap:.2g}."
                )
    return worst


def _opened(path: Path) -> Any:
    """The file in onnxruntime. RuntimeError: it does not load."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise RuntimeError(f"onnxruntime does not load the graph: {_first(error)}") from None


def _texts(texts: int, tokens: int, pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask (texts, tokens) of texts of different lengths, filled on the right; never the id that fills."""
    ids = torch.arange(texts * tokens).reshape(texts, tokens) % 40 + 5
    ids[ids == pad_id] = 4
    mask = torch.ones_like(ids)
    for n in range(1, texts):
        length = max(1, tokens - 2 * n)
        ids[n, length:], mask[n, length:] = pad_id, 0
    return ids, mask


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]
