"""Models that read on other devices: fixed sizes and integers for an NPU, the format of phones, OpenVINO."""

import json
import shutil

import numpy as np
import onnx
import pytest
import torch
import transformers
from onnx import TensorProto, helper, numpy_helper

from core.errors import InputError
from core.export.graphs import qnn, quantize, reader
from core.export.make import make
from core.export.makers.reader import Work
from core.export.mobile import layout
from core.export.options import Options
from core.export.packages.fixed import Fixed, loose
from core.export.packages.sessions import open_session
from core.export.proof.fresh import load_run_script
from core.export.targets import TARGETS
from core.models.heads import LABEL
from tests import factory
from tests.core.export import heads

LENGTH = 24
NAMES = ("input_ids", "attention_mask", "token_type_ids")


def feeds(*lengths, seed=0):
    """A batch of texts of these lengths, filled on the right."""
    numbers = np.random.default_rng(seed)
    ids, mask = np.zeros((len(lengths), max(lengths)), np.int64), np.zeros((len(lengths), max(lengths)), np.int64)
    for n, length in enumerate(lengths):
        ids[n, :length], mask[n, :length] = numbers.integers(5, 200, length), 1
    return dict(zip(NAMES, (ids, mask, np.zeros_like(ids)), strict=True))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A folder with a tiny BERT that chooses one of four labels, of which the head says clearly different things."""
    folder = factory.tiny_model("bert", tmp_path_factory.mktemp("labelled"))
    transformers.logging.set_verbosity_error()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=4)
        torch.nn.init.normal_(model.classifier.weight, std=1.0)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def graph(labelled, tmp_path_factory):
    """The same as a graph in float32."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(labelled)
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    assert reader.export(reader.wrap(model, LABEL, pad_id=0), path) == list(NAMES)
    return path


@pytest.mark.slow
def test_a_graph_of_fixed_size_says_the_same_of_batches_of_any_size(graph, tmp_path):
    qnn.fix(graph, tmp_path / "fixed.onnx", LENGTH)
    whole, fixed = open_session(graph, "cpu", 1), open_session(tmp_path / "fixed.onnx", "cpu", 1)
    assert fixed.shape_of("input_ids") == [1, LENGTH] and whole.shape_of("input_ids") == [None, None]
    assert loose(whole, 0) is whole and isinstance(loose(fixed, 0), Fixed)
    for lengths in [(5,), (3, 9, 1), (LENGTH, 2)]:
        given = feeds(*lengths)
        gap = np.abs(loose(fixed, 0).run(given)["logits"] - whole.run(given)["logits"])
        assert gap.shape == (len(lengths), 4) and gap.max() < 1e-5
    with pytest.raises(InputError, match=f"made for {LENGTH} tokens, and here are {LENGTH + 1}"):
        loose(fixed, 0).run(feeds(LENGTH + 1))


def test_what_stands_for_each_token_is_cut_to_the_tokens_that_were_given():
    class Tags:
        inputs, outputs = ["input_ids"], ["logits", "vector"]

        def shape_of(self, name):
            return [1, 6]

        def run(self, given):
            assert given["input_ids"].shape == (1, 6)
            return {"logits": given["input_ids"][..., None] * 1.0, "vector": given["input_ids"].sum(-1, keepdims=True)}

    found = Fixed(Tags(), pad_id=7).run({"input_ids": np.array([[1, 2, 3], [4, 5, 7]])})
    assert found["logits"][..., 0].tolist() == [[1, 2, 3], [4, 5, 7]]
    assert found["vector"].tolist() == [[6 + 21], [16 + 21]], "filled up with the id that fills"


@pytest.mark.slow
def test_integers_for_an_npu_say_nearly_the_same(graph, tmp_path):
    rows = [feeds(length, seed=length) for length in range(3, LENGTH)]
    qnn.integers(graph, tmp_path / "model.onnx", LENGTH, rows, 0)
    whole, small = open_session(graph, "cpu", 1), loose(open_session(tmp_path / "model.onnx", "cpu", 1), 0)
    theirs, ours = (np.concatenate([one.run(row)["logits"] for row in rows]) for one in (whole, small))
    assert np.ptp(theirs) > 1 and 0 < np.abs(theirs - ours).max() < 0.03 * np.ptp(theirs)
    assert (theirs.argmax(-1) == ours.argmax(-1)).mean() > 0.9
    model = onnx.load(tmp_path / "model.onnx")
    kinds = [node.op_type for node in model.graph.node]
    assert "QuantizeLinear" in kinds and "IsNaN" not in kinds
    products = [node for node in model.graph.node if node.op_type in ("MatMul", "Gemm")]
    made = {name: node.op_type for node in model.graph.node for name in node.output}
    assert products and all(made.get(node.input[0]) == "DequantizeLinear" for node in products)
    types = {weight.data_type for weight in model.graph.initializer if weight.name.endswith("_zero_point")}
    assert {TensorProto.UINT8, TensorProto.UINT16} <= types
    assert (tmp_path / "model.onnx").stat().st_size < graph.stat().st_size / 2
    assert not any(
        word in (tmp_path / "model.onnx").read_bytes() for word in (b"site-packages", str(tmp_path).encode())
    )
    with pytest.raises(InputError, match="measured on rows to train on") as caught:
        qnn.integers(graph, tmp_path / "none.onnx", LENGTH, [], 0)
    assert caught.value.field == "export.calibration" and not (tmp_path / "none.onnx").exists()


def test_what_hides_a_token_is_a_number_that_a_scale_can_reach():
    hidden = numpy_helper.from_array(np.array([0, -np.inf, -3.4e38, -5], np.float32), "mask")
    alone = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(-1e9, np.float32)))
    whole = helper.make_node("Constant", [], ["n"], value=numpy_helper.from_array(np.array([-(2**40)], np.int64)))
    made = helper.make_graph([alone, whole], "g", [], [], [hidden])
    qnn._bound(made)
    assert numpy_helper.to_array(made.initializer[0]).tolist() == [0, -100, -100, -5]
    assert numpy_helper.to_array(made.node[0].attribute[0].t).tolist() == -100
    assert numpy_helper.to_array(made.node[1].attribute[0].t).tolist() == [-(2**40)]


@pytest.mark.slow
def test_a_run_is_made_for_an_npu(tiny_models, runs_dir, tmp_path):
    """A whole export: scales from rows that were trained on, and compared on the processor in the NPU's place."""
    run = heads.run_of(tiny_models("bert"), LABEL, folder=tmp_path)
    folder = run.export_dir("qnn", "int8")
    report = make(str(run.dir), Options("qnn", "int8"), folder)
    assert report["status"] == "not verified here" and "no Snapdragon NPU" in report["message"]
    assert report["on_processor"]["status"] in ("verified", "verified with loss"), report["on_processor"]
    assert report["rows"] == 16 and report["same"] > 0.8
    assert report["max_logit_difference"] < 0.1 * report["logit_range"]
    assert "onnxruntime-qnn==" in (folder / "requirements.txt").read_text()
    assert open_session(folder / "model.onnx", "cpu", 1).shape_of("input_ids") == [1, 64], "the run's max_tokens"


@pytest.mark.parametrize(
    ("device", "precision", "says"),
    [
        ("dml", "int8", "fp32, fp16, not in int8"),
        ("cuda", "bf16", "not in bf16"),
        ("qnn", "int4", "fp16, int8, not in"),
    ],
)
def test_what_a_device_does_not_read_is_refused(device, precision, says):
    with pytest.raises(InputError, match=says) as caught:
        Work.check({"model_type": "bert"}, Options(device, precision), TARGETS[device])
    assert caught.value.field == "export.precision"


@pytest.mark.slow
def test_a_model_alone_has_no_rows_to_measure_an_npus_scales_on(labelled, tmp_path):
    with pytest.raises(InputError, match="a model without a run has none"):
        make(str(labelled), Options("qnn", "int8"), tmp_path / "qnn-int8")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_phones_package_is_in_onnxruntimes_own_format_and_runs_here(labelled, tmp_path):
    folder = tmp_path / "mobile-int8"
    report = make(str(labelled), Options("mobile", "int8"), folder)
    assert report["status"] == "not verified here" and "phone" in report["message"]
    assert report["on_processor"]["status"] in ("verified", "verified with loss")
    assert report["bytes"] == (folder / "model.ort").stat().st_size and not (folder / "model.onnx").exists()
    assert json.loads((folder / "tunesmith.json").read_text())["graphs"] == {"model.onnx": "model.ort"}
    needs = (folder / layout.NEEDED).read_text().splitlines()
    assert needs[0] == "# What a runtime needs for model." and any("MatMulInteger" in line for line in needs)
    assert b"/tmp" not in (folder / "model.ort").read_bytes() and not [line for line in needs if str(tmp_path) in line]
    assert "model.ort" in (folder / "PHONE.md").read_text()
    package = load_run_script(folder).Package(folder)
    found = package.answer({name: "good morning" for name in package.settings["fields"]})
    assert set(found) == {"label", "score", "scores"}


@pytest.mark.slow
def test_graphs_in_a_phones_format_say_the_very_same(graph, tmp_path):
    shutil.copy(graph, tmp_path / "model.onnx")
    assert layout.lay_out(tmp_path, "reader") == {"graphs": {"model.onnx": "model.ort"}}
    assert sorted(path.name for path in tmp_path.iterdir()) == [layout.PHONE, "model.ort", layout.NEEDED]
    given = feeds(4, 11)
    one, other = open_session(graph, "cpu", 1), open_session(tmp_path / "model.ort", "mobile", 1)
    assert np.abs(one.run(given)["logits"] - other.run(given)["logits"]).max() < 1e-5


@pytest.mark.parametrize(("kind", "names"), [("writer", ["model.onnx"]), ("reader", ["model.onnx", "model.onnx.data"])])
def test_what_genai_runs_and_what_is_large_stays_as_it_is(tmp_path, kind, names):
    for name in names:
        (tmp_path / name).write_bytes(b"as it was")
    assert layout.lay_out(tmp_path, kind) == {}
    assert all((tmp_path / name).read_bytes() == b"as it was" for name in names)
    assert (tmp_path / layout.PHONE).exists()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8", "int4"])
def test_openvino_says_what_onnxruntime_says(graph, tmp_path, precision):
    small, given = {"fp32": None, "int8": quantize.dynamic, "int4": quantize.four_bits}[precision], feeds(4, 11)
    path = graph
    if small is not None:
        path = tmp_path / "model.onnx"
        small(graph, path)
    one, other = open_session(path, "cpu", 1), open_session(path, "openvino", 1)
    assert sorted(other.inputs) == sorted(NAMES) and other.shape_of("input_ids") == [None, None]
    theirs, ours = one.run(given)["logits"], other.run(given)["logits"]
    assert np.abs(theirs - ours).max() < {"fp32": 1e-5, "int8": 0.05, "int4": 0.05}[precision] * max(1, np.ptp(theirs))
