"""Decoders that the builder does not know, by torch's exporter: one graph for the prompt and for every step after it.

What comes out is laid out as the builder's own packages are, so that the same runtime, browser and code run it.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from core.errors import InputError
from core.export.graphs import clean, genai, weights_only
from core.export.graphs.trace import INNER, trace

BITS = {"int8": 8, "int4": 4}
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
BATCH, LENGTH, PAST = 2, 3, 4  # of the example: all different, none 0 or 1, which would be taken for fixed


@dataclass(frozen=True)
class _Shape:
    """What a model keeps of each token: `layers` pairs of (batch, heads, tokens, size), and whether it takes places."""

    layers: int
    heads: int
    size: int
    positions: bool


def dtype_of(precision: str, device: str) -> torch.dtype:
    """What flows through the graph: as the builder does it, float32 on a processor and float16 on anything else."""
    if precision in DTYPES:
        return DTYPES[precision]
    return torch.float32 if device == "cpu" else torch.float16


def export_decoder(
    model: Any,
    out: Path,
    *,
    end_ids: Iterable[int],
    pad_id: int,
    precision: str = "fp32",
    device: str = "cpu",
    tied: bool = True,
    share: bool = True,
    block_size: int = 32,
    accuracy_level: int = 4,
    largest: int = clean.LARGEST_FILE,
) -> None:
    """Write model.onnx, its data where it is large, and genai_config.json.

    Graph: input_ids (batch, length), attention_mask (batch, past + length), position_ids (batch, length) where the
    model takes them, past_key_values.I.key and .value (batch, heads, past, size) -> logits (batch, length, vocabulary),
    present.I.key and .value (batch, heads, past + length, size). The past may be empty.

    Args:
        model: a causal transformers model on the CPU, in eval mode, in `dtype_of(precision, device)`.
        out: a folder that is there. end_ids, pad_id: see `core.export.graphs.builder.build`.
        precision, device: as the builder names them. tied: it runs on that device; else on the processor.
        share: see `core.export.graphs.weights_only.quantise`. block_size, accuracy_level: of int8 and int4, see
            `core.export.graphs.weights_only.quantise`. largest: see `core.export.graphs.clean.save`.

    Raises:
        InputError: the model keeps something else than keys and values of every token, or cannot be traced.
        OSError: the disk is full.
    """
    providers = genai.provider_options(device if tied else "cpu")
    shape = _shape(model)
    program = _trace(model, shape)
    _name_turned(program, model)
    path = out / "model.onnx"
    clean.save(program, path, largest=largest)
    del program
    if precision in BITS:
        level = accuracy_level if device == "cpu" else 0  # other providers know no levels
        weights_only.quantise(
            path,
            bits=BITS[precision],
            block_size=block_size,
            accuracy_level=level,
            share=share,
            largest=largest,
        )
    genai.write(out / "genai_config.json", _config(model, shape, providers, sorted(end_ids), pad_id))


class _Step(torch.nn.Module):
    """A model as a function of tensors: the cache goes in and comes out as pairs of keys and values."""

    def __init__(self, model: Any, positions: bool) -> None:
        super().__init__()
        self.model, self.positions = model, positions

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        position_ids: torch.Tensor | None = None,
        past_key_values: list[list[torch.Tensor]] | None = None,
    ) -> tuple[torch.Tensor, ...]:
        cache = DynamicCache()
        for keys, values in past_key_values or ():
            layer = DynamicLayer()  # whole, in layers that slide, too: there the mask hides what lies behind the window
            layer.lazy_initialization(keys, values)
            layer.keys, layer.values = keys, values
            cache.layers.append(layer)
        places = {"position_ids": position_ids} if self.positions else {}
        found = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            past_key_values=cache,
            use_cache=True,
            return_dict=True,
            **places,
        )
        kept = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
        return (found.logits, *kept)


@torch.inference_mode()
def _shape(model: Any) -> _Shape:
    """Ask the model itself what it keeps: one look at two tokens."""
    cache = model(input_ids=torch.ones(1, 2, dtype=torch.long), use_cache=True).get("past_key_values")
    layers = cache.layers if isinstance(cache, DynamicCache) else []
    pairs = [(layer.keys, layer.values) for layer in layers if isinstance(layer, DynamicLayer)]
    shapes = {tuple(tensor.shape) for pair in pairs for tensor in pair if tensor is not None}
    if len(pairs) != len(layers) or len(shapes) != 1 or len(next(iter(shapes))) != 4:
        raise _refused(model, "it keeps something else than one key and one value of every token")
    _, heads, tokens, size = next(iter(shapes))
    if tokens != 2:
        raise _refused(model, "it keeps something else than one key and one value of every token")
    return _Shape(len(layers), heads, size, "position_ids" in inspect.signature(model.forward).parameters)


def _trace(model: Any, shape: _Shape) -> Any:
    """The torch.onnx.ONNXProgram of a step."""
    ids = torch.ones(BATCH, LENGTH, dtype=torch.long)
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones(BATCH, PAST + LENGTH, dtype=torch.long)}
    rows = {0: "batch_size", 1: "sequence_length"}
    axes: dict[str, Any] = {"input_ids": rows, "attention_mask": {0: "batch_size", 1: "total_sequence_length"}}
    if shape.positions:
        inputs["position_ids"] = (torch.arange(LENGTH) + PAST).expand(BATCH, LENGTH).clone()
        axes["position_ids"] = rows
    names = [*inputs]
    past = torch.zeros(BATCH, shape.heads, PAST, shape.size, dtype=model.dtype)
    inputs["past_key_values"] = [[past.clone(), past.clone()] for _ in range(shape.layers)]
    kept = {0: "batch_size", 2: "past_sequence_length"}
    axes["past_key_values"] = [[kept, kept] for _ in range(shape.layers)]
    pairs = [f"{layer}.{part}" for layer in range(shape.layers) for part in ("key", "value")]
    try:
        return trace(
            _Step(model, shape.positions).eval(),
            inputs,
            axes,
            input_names=[*names, *(f"past_key_values.{pair}" for pair in pairs)],
            output_names=["logits", *(f"present.{pair}" for pair in pairs)],
        )
    except torch.onnx.errors.OnnxExporterError as error:
        raise _refused(model, "torch's exporter cannot trace it") from error


def _name_turned(program: Any, model: Any) -> None:
    """Give the weights that the exporter has transposed their names again, by which a LoRA finds its layer.

    That of a layer NAME is then called model.NAME.weight_turned, and lies (inputs, outputs).
    """
    held = program.model.graph.initializers
    known = {INNER + name for name, _ in model.named_parameters()}
    lost = [value for name, value in held.items() if name not in known and len(value.const_value.shape) == 2]
    if not lost:
        return
    shapes = {tuple(value.const_value.shape) for value in lost}
    names: dict[bytes, str | None] = {}
    for name, weight in model.named_parameters():
        if weight.dim() == 2 and tuple(weight.shape[::-1]) in shapes:
            key = hashlib.sha256(weight.detach().T.contiguous().view(torch.uint8).numpy()).digest()
            names[key] = None if key in names else name  # equal weights cannot be told apart
    for value in lost:
        name = names.get(hashlib.sha256(value.const_value.numpy().tobytes()).digest())
        if name is not None:
            del held[value.name]
            value.name = f"{INNER}{name}_turned"
            held[value.name] = value


def _config(
    model: Any, shape: _Shape, providers: list[dict[str, dict[str, str]]], end_ids: list[int], pad_id: int
) -> dict[str, Any]:
    """The runtime's "decoder" runs any graph of this form; of the named families it wants more."""
    config = model.config
    places = {"position_ids": "position_ids"} if shape.positions else {}
    context = genai.context_of(config.to_dict())
    return {
        "model": {
            "bos_token_id": config.bos_token_id if config.bos_token_id is not None else end_ids[0],
            "context_length": context,
            "decoder": {
                "session_options": {"log_id": "onnxruntime-genai", "provider_options": providers},
                "filename": "model.onnx",
                "head_size": shape.size,
                "hidden_size": int(config.hidden_size),
                "inputs": {
                    "input_ids": "input_ids",
                    "attention_mask": "attention_mask",
                    **places,
                    "past_key_names": "past_key_values.%d.key",
                    "past_value_names": "past_key_values.%d.value",
                },
                "outputs": {
                    "logits": "logits",
                    "present_key_names": "present.%d.key",
                    "present_value_names": "present.%d.value",
                },
                "num_attention_heads": int(config.num_attention_heads),
                "num_hidden_layers": shape.layers,
                "num_key_value_heads": shape.heads,
            },
            "eos_token_id": end_ids,
            "pad_token_id": pad_id,
            "type": "decoder",
            "vocab_size": int(config.vocab_size),
        },
        "search": {
            **genai.SEARCH,
            "early_stopping": True,
            "max_length": context,
            "min_length": 0,
            "num_return_sequences": 1,
            "past_present_share_buffer": False,
        },
    }


def _refused(model: Any, why: str) -> InputError:
    return InputError(
        f"A {type(model).__name__} cannot be exported: {why}. Tune and export one of the families that "
        "docs/export_families.md lists.",
        "model.path",
    )
