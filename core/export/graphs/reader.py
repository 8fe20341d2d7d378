"""Models that read, as graphs: a label of a text, a tag of each token, or a vector; encoders, and decoders with a head.

Inputs are input_ids and attention_mask (batch, sequence), filled on the right, and token_type_ids where a model has
more than one type. Outputs have the names that optimum and transformers.js look for.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from core.export.graphs import clean
from core.export.graphs.trace import trace
from core.models.heads import VECTOR, Head
from core.tasks.vectors import pool

LOGITS, VECTORS, STATES = "logits", "sentence_embedding", "last_hidden_state"
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


def export(model: Any, head: Head, path: Path, *, pad_id: int, half: bool = False) -> list[str]:
    """Write a model as a graph; returns the names of its inputs.

    Args:
        model: of transformers or of PEFT, with this head; it is left in evaluation mode, and with `half` in float16.
        path: of the file. pad_id: what fills a batch: a decoder finds the end of each row by it.
        half: weights and activations in float16; what comes out is float32 all the same.

    Raises:
        torch.onnx.errors.OnnxExporterError: torch's exporter cannot trace this model. OSError: the disk is full.
    """
    model.eval()
    model.config.get_text_config().pad_token_id = pad_id
    if half:
        model.half()
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if _has_types(model) else [])]
    rows, tokens = EXAMPLE
    example = dict.fromkeys(names, torch.zeros(EXAMPLE, dtype=torch.long))
    example["input_ids"] = torch.arange(rows * tokens).reshape(EXAMPLE) % model.config.get_text_config().vocab_size
    example["attention_mask"] = torch.ones(EXAMPLE, dtype=torch.long)
    module = (Vectors if head is VECTOR else Labels)(model).eval()
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
