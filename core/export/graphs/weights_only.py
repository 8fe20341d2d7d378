"""The weights of a graph in 8 or 4 bits, by blocks that share a scale (MatMulNBits); what flows through stays as it is.

For graphs of torch's exporter; the builder of onnxruntime-genai does the same to its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from core.export.graphs import clean

DOMAIN = "com.microsoft"
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)


@dataclass(frozen=True)
class _Weight:
    """An initializer that a product reads: `name`, and whether it lies as (out, in) instead of (in, out)."""

    name: str
    turned: bool


@dataclass(frozen=True)
class _Packed:
    """What became of it: the initializers' names, and its sizes."""

    data: str
    scales: str
    inside: int
    outside: int


def quantise(
    path: Path,
    *,
    bits: int,
    block_size: int = 32,
    accuracy_level: int = 0,
    share: bool = True,
    largest: int = clean.LARGEST_FILE,
) -> int:
    """Replace the weights of a model file by quantised ones, symmetric, in place.

    Each product with a constant matrix (MatMul, Gemm, and MatMul with a transposed one) becomes MatMulNBits; an
    embedding that shares such a matrix reads the quantised one (GatherBlockQuantized), so that it is stored once.
    A matrix that would not become smaller stays.

    Args:
        path: model.onnx, external data beside it or not; float32, float16 or bfloat16.
        bits: 4 or 8. block_size: how many weights along a row share a scale: 16, 32, 64, 128 or 256.
        accuracy_level: the least that activations are rounded to: 0 not at all said, 1 fp32, 2 fp16, 3 bf16, 4 int8.
        share: quantise the embedding, too, where it shares its matrix with the product that ends the model; False for
            a runtime that cannot read it so (OpenVINO). largest: see `core.export.graphs.clean.save`.

    Returns:
        How many matrices were quantised.

    Raises:
        OSError: the disk is full.
    """
    model = onnx.load(path)
    count = _Graph(model, bits, block_size, accuracy_level).quantise(share)
    clean.write(model, path, largest=largest)
    return count


class _Graph:
    """The main graph of a model while it is changed."""

    def __init__(self, model: Any, bits: int, block_size: int, accuracy_level: int) -> None:
        self.model, self.graph = model, model.graph
        self.bits, self.block, self.level = bits, block_size, accuracy_level
        self.weights = {i.name: i for i in model.graph.initializer if i.data_type in FLOATS and len(i.dims) == 2}
        self.turned = {
            node.output[0]: node.input[0]
            for node in model.graph.node
            if node.op_type == "Transpose" and node.input[0] in self.weights and _value(node, "perm", [1, 0]) == [1, 0]
        }
        self.packed: dict[_Weight, _Packed | None] = {}

    def quantise(self, share: bool) -> int:
        """Change the nodes, then drop what nobody reads any more; how many matrices were quantised."""
        nodes = []
        for node in self.graph.node:
            nodes += self._product(node)
        if share:
            nodes = [new for node in nodes for new in self._lookup(node)]
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        self._sweep()
        if not any(opset.domain == DOMAIN for opset in self.model.opset_import):
            self.model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
        return sum(packed is not None for packed in self.packed.values())

    def _product(self, node: Any) -> list[Any]:
        """The nodes in the place of a product with a constant matrix; the node itself where it is none."""
        weight = self._weight(node)
        packed = self._pack(weight) if weight is not None else None
        if packed is None:
            return [node]
        bias = node.input[2] if len(node.input) > 2 else ""
        product = f"{node.output[0]}_product" if bias else node.output[0]
        level = {"accuracy_level": self.level} if self.level else {}
        new = helper.make_node(
            "MatMulNBits",
            [node.input[0], packed.data, packed.scales],
            [product],
            name=f"{node.name}_Q{self.bits}",
            domain=DOMAIN,
            K=packed.inside,
            N=packed.outside,
            bits=self.bits,
            block_size=self.block,
            **level,
        )
        if not bias:
            return [new]
        return [new, helper.make_node("Add", [product, bias], [node.output[0]], name=f"{node.name}_bias")]

    def _weight(self, node: Any) -> _Weight | None:
        """The constant matrix that a node multiplies with, or None."""
        if node.domain or node.op_type not in ("MatMul", "Gemm"):
            return None
        name = node.input[1]
        if node.op_type == "MatMul":
            if name in self.turned:
                return _Weight(self.turned[name], True)
            return _Weight(name, False) if name in self.weights else None
        plain = _value(node, "alpha", 1.0) == _value(node, "beta", 1.0) == 1.0 and not _value(node, "transA", 0)
        return _Weight(name, bool(_value(node, "transB", 0))) if plain and name in self.weights else None

    def _pack(self, weight: _Weight) -> _Packed | None:
        """Quantise a matrix, once however often it is read. None where it would not become smaller."""
        if weight in self.packed:
            return self.packed[weight]
        from onnxruntime.quantization.matmul_nbits_quantizer import (
            DefaultWeightOnlyQuantConfig,
            DefaultWeightOnlyQuantizer,
        )

        values = numpy_helper.to_array(self.weights[weight.name])
        kind = values.dtype
        matrix = np.ascontiguousarray(values.T if weight.turned else values)
        if kind not in (np.float32, np.float16):  # bfloat16, which the kernel does not read
            matrix = matrix.astype(np.float32)
        config = DefaultWeightOnlyQuantConfig(block_size=self.block, is_symmetric=True, bits=self.bits)
        data, scales, _ = DefaultWeightOnlyQuantizer(config).qbits_block_quant(matrix)
        scales = scales.astype(kind)
        if data.nbytes + scales.nbytes >= values.nbytes:
            self.packed[weight] = None
            return None
        name = f"{weight.name}{'_turned' if weight.turned else ''}_Q{self.bits}"
        packed = _Packed(name, f"{name}_scales", *matrix.shape)
        self.graph.initializer.append(numpy_helper.from_array(data, packed.data))
        self.graph.initializer.append(numpy_helper.from_array(scales, packed.scales))
        self.packed[weight] = packed
        return packed

    def _lookup(self, node: Any) -> list[Any]:
        """The nodes in the place of an embedding whose matrix was quantised for a product, too."""
        if node.op_type != "Gather" or node.domain or _value(node, "axis", 0) != 0:
            return [node]
        packed = self.packed.get(_Weight(node.input[0], True))
        if packed is None:
            return [node]
        blocks = -(-packed.inside // self.block)
        wide, out = blocks * self.block, node.output[0]
        data, rows = f"{packed.data}_rows", f"{out}_padded" if wide != packed.inside else out
        nodes = []
        if not any(name.name == f"{data}_shape" for name in self.graph.initializer):
            shape = np.array([packed.outside, wide * self.bits // 8], np.int64)
            self.graph.initializer.append(numpy_helper.from_array(shape, f"{data}_shape"))
            nodes.append(helper.make_node("Reshape", [packed.data, f"{data}_shape"], [data], name=f"{data}_reshape"))
        nodes.append(
            helper.make_node(
                "GatherBlockQuantized",
                [data, node.input[1], packed.scales],
                [rows],
                name=f"{node.name}_Q{self.bits}",
                domain=DOMAIN,
                bits=self.bits,
                block_size=self.block,
                gather_axis=0,
                quantize_axis=1,
            )
        )
        if rows != out:
            ends = {"starts": 0, "ends": packed.inside, "axes": -1}
            for name, number in ends.items():
                self.graph.initializer.append(numpy_helper.from_array(np.array([number], np.int64), f"{out}_{name}"))
            nodes.append(helper.make_node("Slice", [rows, *(f"{out}_{e}" for e in ends)], [out], name=f"{out}_cut"))
        return nodes

    def _sweep(self) -> None:
        """Drop transposes, weights and notes of shapes that nobody reads any more."""
        read = Counter(name for node in _all_nodes(self.graph) for name in node.input)
        read.update(value.name for value in self.graph.output)
        nodes = [node for node in self.graph.node if node.output[0] not in self.turned or read[node.output[0]]]
        read = Counter(name for node in nodes for inner in _with_inner(node) for name in inner.input)
        read.update(value.name for value in self.graph.output)
        kept = [i for i in self.graph.initializer if read[i.name]]
        made = {name for node in nodes for name in node.output}
        known = [value for value in self.graph.value_info if value.name in made]
        for field, items in (("node", nodes), ("initializer", kept), ("value_info", known)):
            self.graph.ClearField(field)
            getattr(self.graph, field).extend(items)


def _all_nodes(graph: Any) -> list[Any]:
    return [inner for node in graph.node for inner in _with_inner(node)]


def _with_inner(node: Any) -> list[Any]:
    """A node and the nodes of its branches."""
    inside = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    return [node, *(inner for graph in inside for inner in _all_nodes(graph))]


def _value(node: Any, name: str, default: Any) -> Any:
    """An attribute of a node, lists as lists."""
    for attribute in node.attribute:
        if attribute.name == name:
            value = helper.get_attribute_value(attribute)
            return list(value) if isinstance(default, list) else value
    return default
