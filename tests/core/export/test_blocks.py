"""Quantised a weight at a time, a model is the very one that the builder makes of the whole."""

import contextlib

import numpy as np
import onnx_ir as ir
import pytest

from core.export.graphs import blocks, builder
from core.export.options import Options
from tests import factory

pytestmark = pytest.mark.slow


def graph_of(folder):
    """(nodes, tensors) of a model, by name: all that it computes with."""
    model = ir.load(folder / "model.onnx")
    nodes = {
        n.name: (n.op_type, n.domain, [i and i.name for i in n.inputs], [o.name for o in n.outputs],
                 {k: str(a.value) for k, a in n.attributes.items()})
        for n in model.graph
    }  # fmt: skip
    tensors = {name: value.const_value.numpy() for name, value in model.graph.initializers.items()}
    return nodes, tensors, [o.name for o in model.graph.outputs]


@pytest.mark.parametrize(
    ("family", "precision", "extra", "device"),
    [
        ("llama", "int4", (), "cpu"),
        ("llama", "int8", (), "cpu"),
        ("llama", "int4", (), "cuda"),
        ("qwen2", "int4", (), "cpu"),
        ("gemma3_text", "int4", ("shared_embeddings=false",), "cpu"),
        ("phi3", "int4", ("op_types_to_quantize=MatMul/Gather",), "cpu"),
    ],
)
def test_it_is_the_builders_own(family, precision, extra, device, tmp_path, monkeypatch):
    from core.models.load import load_base

    base = factory.tiny_model(family, tmp_path / "base")
    options, seen, quantized = Options(device, precision), [], []
    real = blocks.quantized
    monkeypatch.setattr(blocks, "quantized", lambda model: quantized.append(model) or real(model))
    for name in ("theirs", "ours"):
        with monkeypatch.context() as patch:
            if name == "theirs":
                patch.setattr(builder, "one_at_a_time", contextlib.nullcontext)
            holder = [load_base(str(base))]  # given away: nobody keeps it
            loaded = holder.pop if name == "ours" else None
            builder.build(base, device, options, tmp_path / name, end_ids=[1], pad_id=0, extra=extra, loaded=loaded)
        seen.append(graph_of(tmp_path / name))
        assert (len(holder), len(quantized)) == ((1, 0) if name == "theirs" else (0, 1))
    (nodes, tensors, outputs), (our_nodes, our_tensors, our_outputs) = seen
    assert our_nodes == nodes and our_outputs == outputs and our_tensors.keys() == tensors.keys()
    assert any(kind == "MatMulNBits" for kind, *_ in nodes.values())
    assert all(np.array_equal(our_tensors[name], tensors[name]) for name in tensors)
