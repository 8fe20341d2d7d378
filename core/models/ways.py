"""What each method keeps in memory: its trained weights, the moments of their optimiser, and numbers for the way back.

The numbers are counted as autograd saves them (torch.autograd.graph.saved_tensors_hooks, PEFT 0.21): they are exact,
and tests/core/models/test_memory.py compares them with each method on each family.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from core.config import AdapterMethod, IA3Method, LoraMethod, QLoraMethod, RunConfig
from core.models.scaled import scaled_layers, scales
from core.models.shapes import Linear, Shape

Matrix = tuple[int, int, int]  # rows, columns (1: a vector), and how many there are
_WORDS = ("lm_head", "embed_tokens", "wte", "shared", "word_embeddings")


@dataclass(frozen=True)
class Way:
    """What a method keeps.

    Attributes:
        added: trained weights, where the base is frozen; None: all weights are trained.
        kept: numbers that they make a block keep for each token, besides what it keeps frozen.
        fixed: numbers that they make a block keep, however many tokens there are.
        width: bytes of a frozen weight of a linear layer on a graphics card; None: as the device has it. On a CPU 4
            bits save nothing at the fullest moment (measured with bitsandbytes 0.50).
        spare: memory beyond the activations, as a factor: what lies free between blocks of other sizes, with glibc.
    """

    added: Callable[[Shape, Any], list[Matrix]] | None
    kept: Callable[[Shape, Any], float] | None = None
    fixed: Callable[[Shape, Any], float] | None = None
    width: Callable[[Any], float] | None = None
    spare: float = 1.0


def trained_weights(config: RunConfig, shape: Shape) -> int:
    """How many weights are trained, those of a head that is made anew among them (see `Shape.with_head`)."""
    added = WAYS[config.method.name].added
    own = shape.parameters if added is None else sum(math.prod(matrix) for matrix in added(shape, config.method))
    return own + sum(map(math.prod, shape.fresh))


def optimizer_bytes(config: RunConfig, shape: Shape) -> float:
    """What the optimiser keeps: Adam's two moments, in float32 (Kingma and Ba 2015) or a byte each (Dettmers et al.
    2022); of Adafactor a number for each row and each column of a matrix, and one for each of a vector (Shazeer and
    Stern 2018, section 4)."""
    name, added = config.training.optim, WAYS[config.method.name].added
    if name == "adafactor":
        matrices = added(shape, config.method) if added is not None else _whole(shape)
        matrices = [*matrices, *((rows, columns, 1) for rows, columns in shape.fresh)]
        return 4.0 * sum((rows + columns if columns > 1 else rows) * count for rows, columns, count in matrices)
    return (2.0 if "8bit" in name else 8.0) * trained_weights(config, shape)


def _whole(shape: Shape) -> list[Matrix]:
    """All weights of a model; what lies outside of linear layers and embedding is taken to be vectors."""
    inside = [(linear.inputs, linear.outputs, shape.layers) for linear in shape.linears]
    words = (shape.vocabulary, shape.hidden, 1 if shape.tied else 2)
    rest = shape.parameters - sum(math.prod(matrix) for matrix in (*inside, words))
    return [*inside, words, (max(rest, 0), 1, 1)]


# LoRA and QLoRA


def _lora(shape: Shape, settings: LoraMethod | QLoraMethod) -> list[Matrix]:
    """For each layer with an adapter r * (inputs + outputs) (Hu et al. 2021); with DoRA a length for each output (Liu
    et al. 2024); and a copy of each module that is trained whole."""
    found: list[Matrix] = []
    for layer in shape.targets(settings.target_modules):
        found += [(settings.r, layer.inputs, shape.layers), (layer.outputs, settings.r, shape.layers)]
        found += [(layer.outputs, 1, shape.layers)] if settings.use_dora else []
    return found + _saved_whole(shape, settings.modules_to_save or ())


def _saved_whole(shape: Shape, names: Iterable[str]) -> list[Matrix]:
    """Modules that are trained whole: those of words, once where they share their weights; linear layers; norms."""
    last = {name.rsplit(".", 1)[-1] for name in names}
    words = last.intersection(_WORDS)
    found: list[Matrix] = [(shape.vocabulary, shape.hidden, 1 if shape.tied else len(words))] if words else []
    for name in last - words:
        layers = shape.targets((name,))
        found += [(layer.inputs, layer.outputs, shape.layers) for layer in layers]
        if not layers:
            found.append((shape.hidden, 1, 1 if name in ("norm", "ln_f") else shape.layers))
    return found


def _lora_kept(shape: Shape, settings: LoraMethod | QLoraMethod) -> float:
    """The input of each adapter, and what its first matrix makes of it; with dropout each layer has an input of its
    own, and which of it was switched off. With DoRA what the layer and the adapter make, too."""
    targets = shape.targets(settings.target_modules)
    if settings.lora_dropout:
        inputs = 2 * sum(a.inputs for a in targets)
    else:
        inputs = sum({a.reads: a.inputs for a in targets if a.reads != "heads" or not shape.saved.shared}.values())
    more = 2 * sum(a.outputs for a in targets) if settings.use_dora else 0
    return inputs + settings.r * len(targets) + more


def _lora_fixed(shape: Shape, settings: LoraMethod | QLoraMethod) -> float:
    """PEFT's DoRA sends a unit matrix through each adapter to know its weight: inputs squared, for each layer."""
    if not settings.use_dora:
        return 0.0
    targets = shape.targets(settings.target_modules)
    turned = sum(a.inputs * a.outputs for a in targets) if shape.family == "gpt2" else 0  # weights, inputs first
    return float(sum(a.inputs * (a.inputs + settings.r) + 3 * a.outputs for a in targets) + turned)


def _four_bits(settings: QLoraMethod) -> float:
    """4 bits, and for the scales 0.5 bits a weight, or 0.127 where they are quantised too (Dettmers et al. 2023)."""
    return (4.127 if settings.bnb_4bit_use_double_quant else 4.5) / 8


# Others


def _ends(shape: Shape, settings: AdapterMethod) -> list[Linear]:
    """The layers of a block that bottleneck adapters follow (core/methods/places.py)."""
    after = ("inner", "heads") if settings.placement == "houlsby" else ("inner",)
    return [linear for linear in shape.linears if linear.reads in after]


def _narrow(layer: Linear, settings: AdapterMethod) -> int:
    return max(1, layer.outputs // settings.reduction_factor)


def _bottleneck(shape: Shape, settings: AdapterMethod) -> list[Matrix]:
    """For each adapter a matrix down and one up, with their biases (Houlsby et al. 2019)."""
    found: list[Matrix] = []
    for layer in _ends(shape, settings):
        width, narrow, count = layer.outputs, _narrow(layer, settings), shape.layers
        found += [(narrow, width, count), (narrow, 1, count), (width, narrow, count), (width, 1, count)]
    return found


def _bottleneck_kept(shape: Shape, settings: AdapterMethod) -> float:
    """What goes in, and which of it was switched off; and what the function in the middle takes and makes."""
    middle = 1 if settings.non_linearity == "relu" else 2
    inputs = 2 if settings.dropout else 1
    return sum(inputs * layer.outputs + middle * _narrow(layer, settings) for layer in _ends(shape, settings))


def _ia3(shape: Shape, settings: IA3Method) -> list[Matrix]:
    """A factor for each output of a layer, for each input of one that ends a feed-forward part (Liu et al. 2022)."""
    if settings.target_modules == "auto":
        names = scaled_layers(shape.family) or ("k_proj", "v_proj", "down_proj")
        layers = [a for a in shape.linears if any(scales(a.name, name) for name in names)]
        layers = [a for a in layers if a.reads != "heads"]
    else:
        layers = shape.targets(settings.target_modules)
    return [(a.inputs if a.reads == "inner" else a.outputs, 1, shape.layers) for a in layers]


def _ia3_kept(shape: Shape, settings: IA3Method) -> float:
    """What is scaled, as it was before."""
    return float(sum(rows for rows, _, _ in _ia3(shape, settings)))


# A new method is one entry here.
WAYS: dict[str, Way] = {
    "full": Way(None),
    "lora": Way(_lora, _lora_kept, _lora_fixed, spare=1.5),
    "qlora": Way(_lora, _lora_kept, _lora_fixed, width=_four_bits, spare=1.5),
    "adapter": Way(_bottleneck, _bottleneck_kept, spare=1.5),
    "ia3": Way(_ia3, _ia3_kept, spare=1.5),
    "prompt": Way(lambda shape, settings: [(settings.num_virtual_tokens, shape.hidden, 1)], spare=1.5),
}
