"""Encoder-decoders to ONNX: the encoder in one file, the decoder with its cache in another, as transformers.js wants.

    encoder_model.onnx          input_ids, attention_mask (rows, read) -> last_hidden_state (rows, read, width)
    decoder_model_merged.onnx   encoder_attention_mask (rows, read), input_ids (rows, written), encoder_hidden_states,
                                past_key_values.N.{decoder,encoder}.{key,value} (rows, heads, so far, head width)
                                -> logits (rows, written, vocabulary), present.N.{decoder,encoder}.{key,value}

One decoder file serves the first step and all later ones, without an `If`: it computes keys and values only of those
hidden states that the cache does not hold yet, which is all of them while the cache is empty and none afterwards.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from peft import PeftModel
from torch import nn
from torch.nn import functional
from transformers import DynamicCache, EncoderDecoderCache

from core.errors import InputError
from core.export.graphs import clean
from core.export.graphs.reader import ORT_ERRORS
from core.export.graphs.trace import trace
from core.methods.prompt import in_front

ENCODER, DECODER = "encoder_model.onnx", "decoder_model_merged.onnx"
# Families by model_type: each came out equal to PyTorch, alone, in batches and token by token; the tests hold T5 and
# BART, which stand for the two layouts that there are, and every export is compared again (`try_out`).
FAMILIES = {
    "t5": "T5 and Flan-T5",
    "mt5": "mT5",
    "umt5": "UMT5",
    "longt5": "LongT5",
    "bart": "BART",
    "pegasus": "Pegasus",
    "marian": "Marian",
}
# (rows, tokens read, tokens written) that each pair of files is tried with; rows after the first are filled up.
TRIED = ((1, 1, 1), (1, 7, 3), (3, 5, 4), (4, 33, 2))
# Of the span of PyTorch's logits, by `half`: float32 sums in another order stay far below; 11 bits of float16.
OFF = {False: 1e-3, True: 0.05}

Cached = tuple[torch.Tensor, ...]  # of a layer: own keys, own values, keys and values of what was read


@dataclass(frozen=True)
class Sizes:
    """Of a decoder: its layers, the heads of each, and the width of a head."""

    layers: int
    heads: int
    width: int

    @classmethod
    def of(cls, config: Any) -> Sizes:
        """By a model's config, as T5 or as BART writes it."""
        values = config.to_dict()
        if "d_kv" in values:
            return cls(int(values["num_decoder_layers"]), int(values["num_heads"]), int(values["d_kv"]))
        heads = int(values["decoder_attention_heads"])
        return cls(int(values["decoder_layers"]), heads, int(values["d_model"]) // heads)


def check_family(config: dict[str, Any]) -> None:
    """InputError where a model's config.json names an encoder-decoder that is not exported."""
    kind = str(config.get("model_type"))
    if kind in FAMILIES:
        return
    why = ""
    if kind in ("mbart", "plbart"):
        why = " It begins an answer with the token that the answer ends with, which nobody knows yet when one is asked."
    raise InputError(
        f"An encoder-decoder of the kind {kind!r} is not exported.{why} These are: {', '.join(FAMILIES.values())}.",
        "model.path",
    )


class Encoder(nn.Module):
    """What is read; the vectors of a tuned prompt stand in front of it. float32 goes out, whatever it reckons in."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder, self.words = _inner(model).get_encoder(), _inner(model).get_input_embeddings()
        front = in_front(model)
        self.front = nn.Parameter(model.get_prompt(batch_size=1).detach()[:, :front]) if front else None

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(rows, read) and its mask -> (rows, vectors + read, width)."""
        if self.front is None:
            out = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        else:
            words = self.words(input_ids)
            front = self.front.to(words.dtype).expand(words.shape[0], -1, -1)
            mask = functional.pad(attention_mask, (self.front.shape[1], 0), value=1)
            out = self.encoder(inputs_embeds=torch.cat([front, words], dim=1), attention_mask=mask)
        found: torch.Tensor = out.last_hidden_state.float()
        return found


class Decoder(nn.Module):
    """What is written, token by token, with a cache of its own keys and of those of what was read, all in float32."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.front = _inner(model), in_front(model)
        self.sizes = Sizes.of(self.model.config)
        self.sources = nn.ModuleList(nn.ModuleList(pair) for pair in _sources(self.model))

    def forward(
        self,
        encoder_attention_mask: torch.Tensor,
        input_ids: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        past: list[Cached],
    ) -> tuple[torch.Tensor, list[Cached]]:
        """As this module says."""
        kind = self.model.get_input_embeddings().weight.dtype
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        hidden = encoder_hidden_states.to(kind)
        fresh = hidden[:, past[0][2].shape[2] :]
        for i, (own_keys, own_values, keys, values) in enumerate(past):
            cache.self_attention_cache.update(own_keys.to(kind), own_values.to(kind), i)
            new = (self._heads(make(fresh)) for make in self.sources[i])
            both = (torch.cat([old.to(kind), more], dim=2) for old, more in zip((keys, values), new, strict=True))
            cache.cross_attention_cache.update(*both, i)
            cache.is_updated[i] = True
        if self.front:
            encoder_attention_mask = functional.pad(encoder_attention_mask, (self.front, 0), value=1)
        out = self.model(
            encoder_outputs=(hidden,),
            attention_mask=encoder_attention_mask,
            decoder_input_ids=input_ids,
            past_key_values=cache,
            use_cache=True,
        )
        own, read = cache.self_attention_cache.layers, cache.cross_attention_cache.layers
        parts = [(a.keys, a.values, b.keys, b.values) for a, b in zip(own, read, strict=True)]
        return out.logits.float(), [tuple(part.float() for part in layer) for layer in parts]

    def _heads(self, made: torch.Tensor) -> torch.Tensor:
        """(rows, read, heads * width) -> (rows, heads, read, width). No size is left to be found: there may be none."""
        rows, read, _ = made.shape
        return made.view(rows, read, self.sizes.heads, self.sizes.width).transpose(1, 2)


def _sources(model: Any) -> list[tuple[nn.Module, nn.Module]]:
    """Of each layer of the decoder what makes keys and values of the hidden states that were read."""
    stack = model.get_decoder()
    if "d_kv" in model.config.to_dict():
        found = [block.layer[1].EncDecAttention for block in stack.block]
        return [(attention.k, attention.v) for attention in found]
    return [(layer.encoder_attn.k_proj, layer.encoder_attn.v_proj) for layer in stack.layers]


def write(model: Any, out: Path, *, half: bool = False, largest: int = clean.LARGEST_FILE) -> None:
    """Write both files, load them with onnxruntime, and compare them with PyTorch at several shapes.

    Args:
        model: an encoder-decoder of transformers in float32, on the CPU, in evaluation mode; an adapter of PEFT may
            still be around it (a bottleneck, a tuned prompt). out: a folder.
        half: weights and activations in float16, of a copy; what goes in and comes out is float32 all the same.
        largest: see clean.save.

    Raises:
        InputError: of a family that is not exported. RuntimeError: the files do not load, or say something else than
        PyTorch. OSError: the disk is full.
    """
    inner = _inner(model)
    check_family(inner.config.to_dict())
    kept = set(inner._keep_in_fp32_modules or ())
    with _eager(inner):
        traced = _halved(model, kept) if half and kept else model
        _write_encoder(traced, out / ENCODER, largest)
        _write_decoder(traced, out / DECODER, largest)
    if half and not kept:
        for name in (ENCODER, DECODER):
            _convert(out / name, largest)
    try_out(out, model, OFF[half])


def _halved(model: Any, kept: set[str]) -> Any:
    """A copy in float16 but for the layers whose numbers grow too large for it (T5: what ends a feed-forward part)."""
    found = copy.deepcopy(model).half()
    for name, module in found.named_modules():
        if name.rpartition(".")[2] in kept:
            module.float()
    return found


def _convert(path: Path, largest: int) -> None:
    """A graph to float16 in place, but for what goes in and comes out.

    BART and its kin are traced in float32 and converted: in float16 their encoder looks for numbers that are too large,
    and what it does then depends on the data, which no trace can hold.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    half = convert_float_to_float16(onnx.load(path), keep_io_types=True, disable_shape_infer=True)
    clean.write(half, path, largest=largest)


def _write_encoder(model: Any, path: Path, largest: int) -> None:
    axes = {0: "batch_size", 1: "encoder_sequence_length"}
    ids = torch.ones(2, 8, dtype=torch.long)
    names = ("input_ids", "attention_mask")
    program = trace(
        Encoder(model).eval(), {"input_ids": ids, "attention_mask": ids.clone()}, dict.fromkeys(names, axes),
        input_names=names, output_names=["last_hidden_state"],
    )  # fmt: skip
    clean.save(program, path, largest=largest)


def _write_decoder(model: Any, path: Path, largest: int) -> None:
    decoder = Decoder(model).eval()
    sizes, width = decoder.sizes, int(_inner(model).config.d_model)
    read, so_far, known = 8, 3, 4  # no two lengths are alike, so that none is taken for another
    lengths = (so_far, so_far, known, known)
    rows = {0: "batch_size"}
    inputs = {
        "encoder_attention_mask": torch.ones(2, read, dtype=torch.long),
        "input_ids": torch.ones(2, 5, dtype=torch.long),
        "encoder_hidden_states": torch.zeros(2, decoder.front + read, width),
        "past": [  # a tensor that stood twice would be one input
            tuple(torch.zeros(2, sizes.heads, length, sizes.width) for length in lengths) for _ in range(sizes.layers)
        ],
    }
    reading = "encoder_sequence_length" if not decoder.front else "encoder_hidden_length"
    so = rows | {2: "past_decoder_sequence_length"}, rows | {2: "past_encoder_sequence_length"}
    axes = {
        "encoder_attention_mask": rows | {1: "encoder_sequence_length"},
        "input_ids": rows | {1: "decoder_sequence_length"},
        "encoder_hidden_states": rows | {1: reading},
        "past": [(so[0], so[0], so[1], so[1])] * sizes.layers,
    }
    names = ["encoder_attention_mask", "input_ids", "encoder_hidden_states", *cache_names(sizes, "past_key_values")]
    program = trace(
        decoder, inputs, axes, input_names=names, output_names=["logits", *cache_names(sizes, "present")]
    )  # fmt: skip
    clean.save(program, path, largest=largest)


def cache_names(sizes: Sizes, prefix: str) -> list[str]:
    """Names of the cache's parts, in their order: past_key_values.0.decoder.key, ..."""
    return [
        f"{prefix}.{layer}.{whose}.{what}"
        for layer in range(sizes.layers)
        for whose in ("decoder", "encoder")
        for what in ("key", "value")
    ]


@torch.inference_mode()
def try_out(out: Path, model: Any, off: float | None) -> None:
    """Load both files and run them, a text at once and token by token, alone and in filled batches (see TRIED).

    Args:
        model: what they were made of. off: how far logits may be from PyTorch's, in their span; None (of quantised
            weights, which are compared on real rows later): they must be numbers.

    Raises:
        RuntimeError: they do not load or run, or say something else; in one sentence.
    """
    try:
        graphs = _opened(out / ENCODER), _opened(out / DECODER)
        for rows, read, written in TRIED:
            ids, mask, fed = _example(model, rows, read, written)
            want = model(input_ids=ids, attention_mask=mask, decoder_input_ids=fed, use_cache=False).logits.numpy()
            for step in sorted({written, 1}):
                cache = empty_cache(Sizes.of(_inner(model).config), rows)
                gap = float(np.abs(_logits(graphs, cache, ids, mask, fed, step) - want).max())
                if not gap <= (off or math.inf) * max(1.0, float(want.max() - want.min())) or math.isinf(gap):
                    raise RuntimeError(
                        f"The graphs are not the model: of {rows} x {read} tokens read and {written} written, "
                        f"{step} at once, the logits are off by {gap:.3g}."
                    )
    except ORT_ERRORS as error:
        raise RuntimeError(f"onnxruntime does not run the graphs: {str(error).strip().splitlines()[0][:300]}") from None


def _example(model: Any, rows: int, read: int, written: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids and mask of what is read (rows, read), and ids of what is written (rows, written), drawn by chance."""
    chance = torch.Generator().manual_seed(rows * read)
    ids = torch.randint(0, _inner(model).config.vocab_size, (rows, read + written), generator=chance)
    lengths = torch.tensor([max(1, read - 2 * i) for i in range(rows)])
    return ids[:, :read], (torch.arange(read) < lengths[:, None]).long(), ids[:, read:]


def _logits(
    graphs: tuple[Any, Any],
    cache: dict[str, np.ndarray],
    ids: torch.Tensor,
    mask: torch.Tensor,
    fed: torch.Tensor,
    step: int,
) -> np.ndarray:
    """What encoder and decoder say (rows, written, vocabulary), so many tokens at a time."""
    encoder, decoder = graphs
    hidden = encoder.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
    feeds, said = {"encoder_attention_mask": mask.numpy(), "encoder_hidden_states": hidden}, []
    for at in range(0, fed.shape[1], step):
        logits, *parts = decoder.run(None, feeds | cache | {"input_ids": fed[:, at : at + step].numpy()})
        cache = dict(zip(cache, parts, strict=True))
        said.append(logits)
    return np.concatenate(said, axis=1)


def _opened(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def empty_cache(sizes: Sizes, rows: int) -> dict[str, np.ndarray]:
    """The cache before anything was written: names of the inputs, and arrays without a token."""
    empty: np.ndarray = np.zeros((rows, sizes.heads, 0, sizes.width), np.float32)
    return dict.fromkeys(cache_names(sizes, "past_key_values"), empty)


def _inner(model: Any) -> Any:
    """The model itself, with what an adapter changed in it."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


@contextlib.contextmanager
def _eager(model: Any) -> Iterator[None]:
    """Attention as plain products: torch 2.13 cannot decompose T5's fused one where lengths are open."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)
