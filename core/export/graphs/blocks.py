"""int4 and int8 in blocks, a weight at a time: the builder has the whole model in memory twice while it quantises.

The numbers are onnxruntime's own: each weight goes through its quantiser, in a graph of one node.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from core.export.frugal import give_back

# Where the constant of each kind of node stands among its inputs.
WEIGHT = {"MatMul": 1, "Gather": 0}


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Within it the builder quantises one weight after the other, and gives each one's memory back."""
    from onnxruntime_genai.models.builder import Model

    theirs = Model.to_nbits
    Model.to_nbits = lambda self: quantized(self) if _plain(self) else theirs(self)
    try:
        yield
    finally:
        Model.to_nbits = theirs


def _plain(model: Any) -> bool:
    """Whether one width and one method hold for all that is quantised."""
    attrs = model.quant_attrs
    return bool(
        model.quantization_algo == "default"
        and not attrs["use_qdq"]
        and not (model.int4_customized_weight_config or model.exact_quant_overrides or model.exact_quant_override_names)
        and not model.matmul_attrs["weights_prepacked"] > 0
        and set(attrs["op_types_to_quantize"]) <= set(WEIGHT)
        and all(len(weight.const_value.shape) == 2 for _, weight in _chosen(model))
    )


def _chosen(model: Any) -> list[tuple[Any, Any]]:
    """The nodes whose weight is quantised, each with that weight."""
    attrs, found = model.quant_attrs, []
    for node in model.model.graph:
        if node.op_type in attrs["op_types_to_quantize"] and node.name not in attrs["nodes_to_exclude"]:
            weight = node.inputs[WEIGHT[node.op_type]]
            if weight is not None and weight.const_value is not None:
                found.append((node, weight))
    return found


def quantized(model: Any) -> Any:
    """The graph of a builder (onnxruntime_genai.models.builders.base.Model), with the weights of its nodes in blocks.

    The nodes, names and numbers are those of `Model.to_nbits` (held by tests/core/export/test_blocks.py).
    """
    give_back()  # the builder's PyTorch model is held in circles; from here on its weights are the graph's alone
    graph = model.model.graph
    model.model.opset_imports.setdefault("com.microsoft", 1)
    for node, weight in _chosen(model):
        _replace(graph, node, weight, _alone(model, node, weight))
        _drop(graph, weight)
    for weight in list(graph.initializers.values()):
        _drop(graph, weight)
    return model.model


def _drop(graph: Any, weight: Any) -> None:
    """Let go of a weight that nothing uses."""
    if not weight.uses() and not weight.is_graph_output():
        del graph.initializers[weight.name]
        weight.const_value = None  # whoever holds the node holds the weight


def _alone(model: Any, node: Any, weight: Any) -> Any:
    """What the quantiser makes of one node: a graph (onnx.GraphProto)."""
    import onnx
    import onnx_ir as ir
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    attrs, tensor = model.quant_attrs, ir.serde.serialize_tensor(weight.const_value)
    tensor.name = weight.name
    one = onnx.helper.make_graph([ir.serde.serialize_node(node)], "one", [], [], [tensor])
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in model.model.opset_imports.items()]
    quantizer = MatMulNBitsQuantizer(
        onnx.helper.make_model(one, opset_imports=opsets, ir_version=model.model.ir_version),
        bits=attrs["bits"],
        block_size=attrs["matmul_block_size"],
        is_symmetric=attrs["is_symmetric"],
        accuracy_level=attrs["accuracy_level"],
        op_types_to_quantize=attrs["op_types_to_quantize"],
    )
    quantizer.process()
    return quantizer.model.model.graph


def _replace(graph: Any, node: Any, weight: Any, made: Any) -> None:
    """Put what was made in a node's place."""
    import onnx
    import onnx_ir as ir

    values = {value.name: value for value in node.inputs if value is not None}
    for proto in made.initializer:
        if proto.name in graph.initializers:  # of a weight that two nodes share
            values[proto.name] = graph.initializers[proto.name]
        elif proto.name != weight.name:
            own = onnx.TensorProto.FromString(proto.SerializeToString())  # a part holds all of its message in memory
            tensor: Any = ir.serde.deserialize_tensor(own)
            value = ir.Value(name=proto.name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
            graph.register_initializer(value)
            values[proto.name] = value
    [one] = made.node
    if one.op_type == node.op_type:
        return
    attributes = [ir.serde.deserialize_attribute(attribute) for attribute in one.attribute]
    new = ir.Node(one.domain, one.op_type, [values[name] for name in one.input], attributes, name=one.name)
    ir.convenience.replace_nodes_and_values(graph, node, [node], [new], node.outputs, new.outputs)
