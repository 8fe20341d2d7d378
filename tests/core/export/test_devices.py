"""Devices beside the processor: sessions of other runtimes, a decoder that is looped over, what OpenVINO answers."""

import json
import subprocess
import sys

import numpy as np
import pytest

from core.errors import InputError
from core.export.make import make_all
from core.export.options import Options
from core.export.packages import sessions
from core.export.packages.loop import Decoder
from core.export.packages.sessions import open_session
from core.export.proof.fresh import load_run_script
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The demo model for OpenVINO and, in fp16, for a processor: name -> (folder, report). PyTorch is asked once."""
    folder = tmp_path_factory.mktemp("devices")
    choices = [Options("openvino", precision) for precision in ("fp32", "fp16", "int8", "int4")]
    made = make_all(str(ROOT / "assets/demo-model"), [*choices, Options("cpu", "fp16")], folder, rows=4)
    named = [f"{report['device']}-{report['precision']}" for report in made]
    return {name: (folder / name, report) for name, report in zip(named, made, strict=True)}


@pytest.mark.slow
def test_openvino_gives_pytorchs_tokens(packages):
    folder, report = packages["openvino-fp32"]
    assert report["status"] == "verified" and report["max_logit_difference"] < 1e-3, report["message"]
    assert report["tokens_per_second"]["onnx"] > 0
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert not [line for line in lines if "onnxruntime" in line], "OpenVINO alone runs it"
    assert not (folder / "tunesmith" / "run_writer.py").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "gap"), [("int8", 1.0), ("fp16", 0.1)])
def test_openvino_runs_smaller_weights(packages, precision, gap):
    _, report = packages[f"openvino-{precision}"]
    assert report["status"] == "verified" and report["max_logit_difference"] < gap, report["message"]


@pytest.mark.slow
def test_openvino_reads_four_bits_although_the_embedding_is_shared(packages):
    """The builder quantises a shared embedding, too, which OpenVINO's reader of ONNX refuses."""
    folder, report = packages["openvino-int4"]
    assert report["status"] == "verified with loss" and report["max_logit_difference"] < 20, report["message"]
    assert report["bytes"] < packages["openvino-fp32"][1]["bytes"] / 2
    assert json.loads((ROOT / "assets/demo-model/config.json").read_text())["tie_word_embeddings"]


@pytest.mark.slow
def test_openvino_and_onnxruntime_loop_over_the_same_graph_alike(packages):
    folder, _ = packages["openvino-int8"]
    package = load_run_script(folder).Package(folder)
    ids = [5, 100, 200, 300, 17]
    mine = package.logits(ids, [7, 8, 9])
    assert mine.shape == (3, 3072) and mine.dtype == np.float32
    other = Decoder(open_session(folder / "model.onnx", "cpu", 1), folder)
    assert list(package.generate(ids, 6)) == list(other.greedy(ids, package.settings["end_ids"], 6))
    assert np.abs(mine - other.logits(ids, [7, 8, 9])).max() < 0.5, "onnxruntime reads activations in eight bits here"


@pytest.mark.slow
def test_half_precision_runs_on_a_processor(packages):
    """What the builder makes for a CPU in fp16 fails at the second token; what it makes for CUDA does not."""
    folder, report = packages["cpu-fp16"]
    assert report["status"] == "verified" and 0 < report["max_logit_difference"] < 0.1, report["message"]
    config = json.loads((folder / "genai_config.json").read_text())
    assert config["model"]["decoder"]["session_options"]["provider_options"] == []


@pytest.mark.slow
def test_a_place_that_is_not_here_is_named(packages):
    folder, _ = packages["openvino-fp32"]
    done = subprocess.run(
        [sys.executable, "run.py", "Hello", "--on", "NPU", "--max-new-tokens", "2"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.startswith("OpenVINO has no NPU here, but CPU")


def test_openvino_is_imported_without_a_note_to_its_makers():
    """Importing it reports that to Google Analytics, unless the package that does so is not to be found."""
    code = (
        "import sys, socket; from pathlib import Path\n"
        "def never(*a, **k): raise AssertionError('a connection was opened')\n"
        "socket.socket.connect = never; socket.getaddrinfo = never\n"
        "from core.errors import InputError; from core.export.packages import sessions\n"
        "try: sessions._compiled(Path('none.onnx'), 'TPU', 1)\n"
        "except InputError as error: print(error)\n"
        "print([m for m in sys.modules if m.startswith('openvino_telemetry.')])\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said, left = done.stdout.splitlines()
    assert said.startswith("OpenVINO has no TPU here") and left == "[]"


@pytest.fixture(scope="module")
def doubled(tmp_path_factory):
    """A graph that doubles float16 numbers: x (batch, 2) -> y."""
    import onnx
    from onnx import TensorProto, helper

    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT16, ["batch", 2])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT16, ["batch", 2])
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "doubled", [given], [made])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.parametrize("device", ["cpu", "mobile", "openvino"])
def test_sessions_are_alike_whatever_runs_them(doubled, device):
    session = open_session(doubled, device, threads=1)
    assert session.inputs == ["x"] and session.outputs == ["y"]
    assert session.type_of("x") == np.float16 and session.shape_of("x") == [None, 2]
    given = np.array([[1, 2], [3, 4], [0.5, 0]], np.float16)
    first = session.run({"x": given})["y"]
    second = session.run({"x": given[:1] * 4})["y"]
    assert first.tolist() == [[2, 4], [6, 8], [1, 0]] and second.tolist() == [[8, 16]], "a later answer spoils none"


@pytest.mark.parametrize("device", ["tensorrt-rtx", "qnn", "webgpu", "cuda", "dml"])
def test_a_runtime_that_is_not_here_says_what_to_do(doubled, device):
    if sessions.PLUGINS.get(device, ("",))[0] in sys.modules or device in ("cuda", "dml") and _has(device):
        pytest.skip("this machine has it")
    with pytest.raises(InputError, match="requirements.txt names, or take --on cpu"):
        open_session(doubled, device)


def _has(device):
    import onnxruntime

    return sessions.PROVIDERS[device] in onnxruntime.get_available_providers()


def test_only_openvino_has_places():
    settings = {"device": "cuda"}
    with pytest.raises(InputError, match="--on cpu on this processor; not on 'GPU'"):
        sessions.where(settings, "GPU")
    sessions.where(settings, "cpu")
    assert settings == {"device": "cpu"}
    settings = {"device": "openvino"}
    sessions.where(settings, "GPU")
    assert settings == {"device": "openvino", "place": "GPU"}
