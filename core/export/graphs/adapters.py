"""LoRA beside a decoder's graph: kept in it as constants, or as inputs that `.onnx_adapter` files fill at run time.

Both are put into the graph that the builder or torch's exporter made of the base alone, in whatever precision: a LoRA
is two thin MatMuls and an Add after the product of its layer. What the base was quantised to makes no difference to
them, and the thin weights themselves are never quantised. An input that no adapter fills has rank 0, and adds nothing:
that is the base.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from core.errors import InputError
from core.export.graphs.trace import INNER
from core.runs import records
from core.runs.store import Run

SUFFIX = ".onnx_adapter"
BUILDER = ("fuse_qkv=false",)  # what the builder must be told: queries, keys and values stay MatMuls of their own
_PREFIX = "base_model.model."  # PEFT's, in front of the name of each module
# Layers that transformers has in one and the builder's graph in several, in this order (Phi-3).
_PACKED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}
_TYPES: dict[int, Any] = {TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16}


@dataclass(frozen=True)
class Thin:
    """A LoRA of one layer: what it adds to the layer's output is `x @ a @ b`.

    Attributes:
        a: (inputs, rank) float32. b: (rank, outputs) float32, with alpha / r (rsLoRA: alpha / sqrt(r)) multiplied in.
    """

    a: np.ndarray
    b: np.ndarray


def why_not(said: Mapping[str, Any]) -> str:
    """Why the adapter of an adapter_config.json cannot stand beside a graph, as the end of a sentence; "" if it can."""
    if said.get("peft_type") != "LORA":
        return f"its adapter is of the kind {said.get('peft_type')}, and only a LoRA is two matrices beside a layer"
    if said.get("use_dora"):
        return "its LoRA is weight-decomposed (DoRA), which is no sum of the base and two matrices"
    if whole := said.get("modules_to_save"):
        return f"it trained layers whole ({', '.join(sorted(whole))}), and the base of a package has one set of them"
    if said.get("lora_bias") or said.get("bias") not in (None, "none"):
        return "it trained biases of the base too"
    return ""


def folder_of(run: Run | None) -> Path:
    """The folder of a run's adapter. InputError where there is none."""
    folder = run.dir / "model" if run is not None else None
    if folder is None or not (folder / "adapter_config.json").is_file():
        raise InputError(
            "Only a LoRA can stay beside its base, and this is a whole model: export it without keeping an adapter "
            "apart.",
            "export.keep_adapter",
        )
    return folder


def read(folder: Path, who: str = "This run") -> dict[str, Thin]:
    """The LoRA of a folder with adapter_config.json and adapter_model.safetensors, by its modules' names in the base.

    Args:
        who: whom an error names.

    Raises:
        InputError: see `why_not`; or it holds weights that are none of a linear layer's LoRA.
    """
    from peft.utils.other import get_pattern_key  # how PEFT itself finds the rank and alpha of a layer
    from safetensors.torch import load_file

    said = records.ADAPTER.read(folder / "adapter_config.json") or {}
    if reason := why_not(said):
        raise InputError(f"{who} cannot be exported as an adapter beside its base: {reason}.", "export.adapters")
    halves: dict[str, dict[str, np.ndarray]] = {}
    for key, value in load_file(folder / "adapter_model.safetensors").items():
        module, _, kind = key.removeprefix(_PREFIX).removesuffix(".weight").rpartition(".")
        if kind not in ("lora_A", "lora_B"):
            raise InputError(
                f"{who} trained {module or key} in a way that no graph takes beside its base ({kind}): only LoRAs of "
                "linear layers can. Export it merged.",
                "export.adapters",
            )
        halves.setdefault(module, {})[kind] = value.float().numpy()
    alphas = said.get("alpha_pattern") or {}
    found = {}
    for module, pair in sorted(halves.items()):
        rank = pair["lora_A"].shape[0]
        alpha = alphas.get(get_pattern_key(alphas, module), said["lora_alpha"])
        scale = alpha / (math.sqrt(rank) if said.get("use_rslora") else rank)
        found[module] = Thin(pair["lora_A"].T, pair["lora_B"].T * np.float32(scale))
    return found


def keep(graph: Path, adapter: Path) -> None:
    """Put the LoRA of a folder into the graph of its base, as constants; the file is written anew.

    Args:
        graph: model.onnx of a base without adapters; from the builder with BUILDER as its extra options. Its external
            data stay as they are.

    Raises:
        InputError: see `read`; or a layer that the graph does not have.
    """
    model = onnx.load(graph, load_external_data=False)
    _insert(model, _spread(read(adapter), _places(model)), constant=True)
    _save(model, graph)


def open_up(graph: Path, adapters: Mapping[str, Path]) -> None:
    """Give the graph of a base an input for every LoRA of several folders, and write NAME.onnx_adapter beside it.

    Args:
        graph: as in `keep`. adapters: name -> folder. Their ranks and layers may differ.

    Raises:
        InputError: as `keep`.
    """
    import onnxruntime

    model = onnx.load(graph, load_external_data=False)
    places = _places(model)
    spread = {name: _spread(read(folder), places) for name, folder in adapters.items()}
    kind = _insert(model, {place: thin for thins in spread.values() for place, thin in thins.items()}, constant=False)
    for name, thins in spread.items():
        weights = {
            key: np.ascontiguousarray(value, kind)
            for place, thin in sorted(thins.items())
            for key, value in zip(_names(place), (thin.a, thin.b), strict=True)
        }
        form = onnxruntime.AdapterFormat()
        form.set_adapter_version(1)
        form.set_model_version(1)
        form.set_parameters({k: onnxruntime.OrtValue.ortvalue_from_numpy(value) for k, value in weights.items()})
        form.export_adapter(str(graph.with_name(name + SUFFIX)))
    _save(model, graph)


@dataclass(frozen=True)
class _Place:
    """The product of a layer in a graph (MatMul, Gemm, MatMulNBits), with the width of what goes in and comes out."""

    node: onnx.NodeProto
    inputs: int
    outputs: int


def _names(place: str) -> tuple[str, str]:
    return f"{place}.lora_A.weight", f"{place}.lora_B.weight"


def _places(model: onnx.ModelProto) -> dict[str, _Place]:
    """The product of each layer, quantised or not, by the layer's name: "model.layers.0.attn.q_proj" where the builder
    made the graph, and where torch's exporter did, the very name of the module.

    A layer whose weight several products share (which the exporter makes of equal ones) is left out.
    """
    shapes = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    turned = {
        node.output[0]: node.input[0]
        for node in model.graph.node
        if node.op_type == "Transpose" and len(shapes.get(node.input[0], ())) == 2
    }
    found: dict[str, _Place] = {}
    times: Counter[str] = Counter()
    for node in model.graph.node:
        if node.op_type not in ("MatMul", "Gemm", "MatMulNBits"):
            continue
        weight = turned.get(node.input[1], node.input[1])
        said = {item.name: item.i for item in node.attribute}
        if node.op_type == "MatMulNBits":
            sizes = said["K"], said["N"]
        elif len(shapes.get(weight, ())) == 2:
            sizes = shapes[weight][::-1] if weight != node.input[1] or said.get("transB") else shapes[weight]
        else:
            continue
        name = _layer(node.name, weight)
        times[name] += 1
        found[name] = _Place(node, *sizes)
    return {name: place for name, place in found.items() if times[name] == 1}


def _layer(node: str, weight: str) -> str:
    """The layer of a product, by the name of its node (the builder's) or of its weight (the exporter's)."""
    if not node.startswith("/"):
        plain = re.sub(r"(_turned)?(_Q[48])?$", "", weight)  # as graphs.exported and graphs.weights_only call them
        return plain.removeprefix(INNER).removesuffix(".weight")
    plain = node.removesuffix("_Q4").removesuffix("_Q8")  # as the builder's quantiser does
    return plain.removeprefix("/").removesuffix("/MatMul").replace("/", ".")


def _spread(thins: Mapping[str, Thin], places: Mapping[str, _Place]) -> dict[str, Thin]:
    """The same by the graph's layers; what stands before one layer of transformers may stand before several there."""
    found = {}
    for module, thin in thins.items():
        above, dot, last = module.replace(".self_attn.", ".attn.").rpartition(".")
        parts = (last,) if f"{above}{dot}{last}" in places else _PACKED.get(last, (last,))
        names = [module] if module in places else [f"{above}{dot}{part}" for part in parts]
        there = [places[name] for name in names if name in places]
        if len(there) < len(names):
            raise InputError(
                f"A LoRA stands on {module}, and the graph of this model has no layer of its own for that: "
                "export the run merged.",
                "export.adapters",
            )
        ends = np.cumsum([place.outputs for place in there])
        if ends[-1] != thin.b.shape[1] or any(place.inputs != thin.a.shape[0] for place in there):
            raise InputError(
                f"The LoRA on {module} is made for {thin.a.shape[0]} inputs and {thin.b.shape[1]} outputs, and that "
                f"layer has {there[0].inputs} and {ends[-1]}: it belongs to another base.",
                "export.adapters",
            )
        for name, b in zip(names, np.split(thin.b, ends[:-1], axis=1), strict=True):
            found[name] = Thin(thin.a, b)
    return found


def _insert(model: onnx.ModelProto, thins: Mapping[str, Thin], *, constant: bool) -> Any:
    """Put two MatMuls and an Add after each of the layers; returns numpy's type of what the graph computes in."""
    places, graph = _places(model), model.graph
    past = next(item for item in graph.input if item.name.startswith("past_key_values"))
    kind = past.type.tensor_type.elem_type  # the activations' too
    if kind not in _TYPES:
        raise InputError(
            f"This graph computes in {TensorProto.DataType.Name(kind)}, which no adapter file holds: take another "
            "precision, or export each run merged.",
            "export.precision",
        )
    after: dict[str, list[onnx.NodeProto]] = {}
    for place, thin in thins.items():
        node, (a, b) = places[place].node, _names(place)
        for name, weight, none in ((a, thin.a, (thin.a.shape[0], 0)), (b, thin.b, (0, thin.b.shape[1]))):
            value = np.ascontiguousarray(weight, _TYPES[kind]) if constant else np.zeros(none, _TYPES[kind])
            graph.initializer.append(numpy_helper.from_array(value, name))
            if not constant:  # an input that has an initializer need not be given
                shape = [size or None for size in none]
                graph.input.append(helper.make_tensor_value_info(name, kind, shape))
        whole, base, root = node.output[0], f"{node.output[0]}/base", "/" + place.replace(".", "/")
        node.output[0] = base
        thick, thinned = f"{root}/lora_B/output_0", f"{root}/lora_A/output_0"
        after[node.name] = [
            helper.make_node("MatMul", [node.input[0], a], [thinned], f"{root}/lora_A/MatMul"),
            helper.make_node("MatMul", [thinned, b], [thick], f"{root}/lora_B/MatMul"),
            helper.make_node("Add", [base, thick], [whole], f"{root}/lora/Add"),
        ]
    nodes = [new for node in graph.node for new in (node, *after.get(node.name, ()))]
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]  # they live in what is cleared now
    del graph.node[:]
    graph.node.extend(nodes)
    return _TYPES[kind]


def _save(model: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString(deterministic=True))
