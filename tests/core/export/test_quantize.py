"""Smaller weights: close to the float32 graph, smaller, and with nothing of this machine in the file."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.errors import InputError
from core.export.graphs import quantize

WIDTH, LABELS = 64, 4


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A graph of two matrix products and a head of four outputs, in float32."""
    chance = np.random.default_rng(0)

    def weight(name, *shape):
        return numpy_helper.from_array(chance.normal(size=shape).astype(np.float32), name)

    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "one"], ["h"], "first"),
            helper.make_node("Gelu", ["h"], ["g"]),
            helper.make_node("Gemm", ["g", "two", "bias"], ["k"], "second", transB=1),
            helper.make_node("MatMul", ["k", "head"], ["logits"], "head"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", LABELS])],
        [
            weight("one", WIDTH, 256),
            weight("two", 128, 256),
            weight("bias", 128),
            weight("head", 128, LABELS),
        ],
    )
    path = tmp_path_factory.mktemp("graph") / "full.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def rows(count=16, seed=1):
    chance = np.random.default_rng(seed)
    return [{"x": chance.normal(size=(1, WIDTH)).astype(np.float32)} for _ in range(count)]


def said(path, given):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, row)[0] for row in given])


@pytest.mark.parametrize(
    ("make", "near", "least"),
    [
        (lambda full, out: quantize.dynamic(full, out), 0.02, 0.35),
        (lambda full, out: quantize.static(full, out, rows(seed=2)), 0.05, 0.35),
        (lambda full, out: quantize.four_bits(full, out, block_size=32), 0.2, 0.3),
    ],
    ids=["dynamic", "static", "four bits"],
)
def test_a_quantised_graph_is_smaller_and_says_nearly_the_same(full, tmp_path, make, near, least):
    before = full.read_bytes()
    out = tmp_path / "out.onnx"
    make(full, out)
    want, got = said(full, rows()), said(out, rows())
    assert 0 < np.abs(want - got).max() < near * (want.max() - want.min())
    assert out.stat().st_size < least * full.stat().st_size
    assert full.read_bytes() == before and sorted(p.name for p in tmp_path.iterdir()) == ["out.onnx"]
    for mark in (b"/tmp", str(tmp_path).encode(), b"site-packages"):
        assert mark not in out.read_bytes()


def test_blocks_and_levels_are_what_was_asked_for_and_a_small_head_stays_whole(full, tmp_path):
    errors = {}
    for size in (16, 128):
        out = tmp_path / f"{size}.onnx"
        quantize.four_bits(full, out, block_size=size, accuracy_level=1)
        packed = [n for n in onnx.load(out).graph.node if n.op_type == "MatMulNBits"]
        values = [{a.name: helper.get_attribute_value(a) for a in node.attribute} for node in packed]
        assert [v["block_size"] for v in values] == [size, size] and {v["accuracy_level"] for v in values} == {1}
        assert [n.name for n in onnx.load(out).graph.node if n.op_type == "MatMul"] == ["head"]
        errors[size] = np.abs(said(full, rows()) - said(out, rows())).mean()
    assert errors[16] < errors[128]


def test_static_scales_come_from_the_rows(full, tmp_path):
    """Calibrated on rows that are far too small, large ones are cut off."""
    quantize.static(full, tmp_path / "small.onnx", [{"x": row["x"] * 0.01} for row in rows(seed=2)])
    quantize.static(full, tmp_path / "right.onnx", rows(seed=2))
    want = said(full, rows())
    off = {name: np.abs(want - said(tmp_path / f"{name}.onnx", rows())).mean() for name in ("small", "right")}
    assert off["small"] > 10 * off["right"]


def test_static_scales_need_rows(full, tmp_path):
    with pytest.raises(InputError, match="and there are none: give data, or take dynamic ones") as error:
        quantize.static(full, tmp_path / "out.onnx", [])
    assert error.value.field == "export.calibration"


def test_the_same_graph_gives_the_same_bytes(full, tmp_path):
    for name in ("one", "two"):
        quantize.dynamic(full, tmp_path / f"{name}-int8.onnx")
        quantize.four_bits(full, tmp_path / f"{name}-int4.onnx")
    for kind in ("int8", "int4"):
        assert (tmp_path / f"one-{kind}.onnx").read_bytes() == (tmp_path / f"two-{kind}.onnx").read_bytes()
