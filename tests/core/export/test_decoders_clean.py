"""Nothing of this machine is in a model file, wherever an exporter may have put it, and the model is still the same."""

from pathlib import Path

import numpy as np
import pytest

from core.export.graphs import clean

onnx = pytest.importorskip("onnx")
SECRET = "/home/somebody/project/train.py"


def note(part):
    part.doc_string = SECRET
    part.metadata_props.add(key="pkg.torch.onnx.stack_trace", value=SECRET)


def noted_model():
    """The model y = If(c, x + w, x + w + w) through a function, with a note at every place that can hold one."""
    from onnx import TensorProto, helper, numpy_helper

    def branch(name, times):
        nodes = [helper.make_node("Twice" if times == 2 else "Once", ["x", "w"], ["out"], domain="own")]
        out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [2])
        graph = helper.make_graph(nodes, name, [], [out])
        for part in (*graph.node, *graph.output, graph):
            note(part)
        return graph

    opset = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    once = helper.make_function("own", "Once", ["a", "b"], ["c"], [helper.make_node("Add", ["a", "b"], ["c"])], opset)
    twice = [helper.make_node("Add", ["a", "b"], ["t"]), helper.make_node("Add", ["t", "b"], ["c"])]
    two = helper.make_function("own", "Twice", ["a", "b"], ["c"], twice, opset)
    choose = helper.make_node("If", ["c"], ["y"], then_branch=branch("one", 1), else_branch=branch("two", 2))
    values = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
        helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [2]),
    ]
    weight = numpy_helper.from_array(np.array([1, 2], np.float32), "w")
    graph = helper.make_graph([choose], "main", values[:2], values[2:], [weight], value_info=[values[2]])
    model = helper.make_model(graph, functions=[once, two], opset_imports=opset, ir_version=10)
    for function in model.functions:
        note(function)
        for node in function.node:
            note(node)
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer, graph, model):
        note(part)
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        note(part)
    note(model.graph.initializer[0])
    note(model.graph)
    model.producer_name, model.producer_version = "pytorch", "2.13.0+git1234"
    return model


def answers(path: Path):
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [session.run(None, {"x": np.zeros(2, np.float32), "c": np.array(c)})[0].tolist() for c in (True, False)]


def test_a_note_at_every_place_is_gone(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(noted_model().SerializeToString())
    assert path.read_bytes().count(SECRET.encode()) > 30
    before = answers(path)
    clean.clean(path)
    assert SECRET.encode() not in path.read_bytes() and b"git1234" not in path.read_bytes()
    assert answers(path) == before == [[1.0, 2.0], [2.0, 4.0]]
    again = path.read_bytes()
    clean.clean(path)
    assert path.read_bytes() == again and [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_weights_beside_the_file_stay_there(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(noted_model(), path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    weights = (tmp_path / "model.onnx.data").read_bytes()
    clean.clean(path)
    assert SECRET.encode() not in path.read_bytes()
    assert (tmp_path / "model.onnx.data").read_bytes() == weights
    assert answers(path) == [[1.0, 2.0], [2.0, 4.0]]


@pytest.mark.slow
def test_what_torch_exported_names_no_path(tmp_path):
    import onnxruntime as ort
    import torch

    from core.export.graphs.trace import trace

    layer = torch.nn.Linear(16, 32).eval()
    program = trace(layer, {"input": torch.ones(2, 16)}, {"input": {0: "batch"}}, input_names=["x"], output_names=["y"])
    x = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
    want = layer(torch.from_numpy(x)).detach().numpy()
    for largest, files in [(10**9, ["model.onnx"]), (1000, ["model.onnx", "model.onnx.data"])]:
        folder = tmp_path / str(largest)
        folder.mkdir()
        clean.save(program, folder / "model.onnx", largest=largest)
        assert sorted(p.name for p in folder.iterdir()) == files
        text = (folder / "model.onnx").read_bytes()
        assert b"site-packages" not in text and str(Path(__file__).parent).encode() not in text
        session = ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        np.testing.assert_allclose(session.run(["y"], {"x": x})[0], want, atol=1e-5)
