"""Decoders by torch's exporter: the graph computes what PyTorch computes, in each precision and however it is asked."""

import json
import shutil

import numpy as np
import pytest

from core.errors import InputError
from core.export.graphs import genai
from tests import factory
from tests.core.export.answers import END, PAD, PROMPTS, ask, differences

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    """A GPT-2 with weights large enough that its answers wander: (model, folder with its fp32 graph)."""
    from core.export.graphs.exported import export_decoder
    from core.models.load import load_base

    folder = tmp_path_factory.mktemp("gpt2")
    model = load_base(str(factory.tiny_model("gpt2", folder / "model", initializer_range=0.1)))
    (folder / "fp32").mkdir()
    export_decoder(model, folder / "fp32", end_ids=[END], pad_id=PAD)
    return model, folder / "fp32"


def test_prompt_and_steps_are_pytorchs(gpt2):
    model, folder = gpt2
    found = differences(model, folder)
    assert all(same for same, _ in found) and max(gap for _, gap in found) < 1e-4
    answers = [tokens for tokens, _ in ask(folder, PROMPTS)]
    assert max(len(set(tokens)) for tokens in answers) > 4, "answers that wander, so that a wrong step would show"


def test_rows_of_unequal_length_filled_on_either_side(gpt2):
    """The runtime fills on the right; a plain loop, such as the browser's, fills on the left and says the places."""
    import onnxruntime as ort
    import torch

    model, folder = gpt2
    session = ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    longest = max(map(len, PROMPTS))
    ids = np.array([[PAD] * (longest - len(p)) + p for p in PROMPTS], np.int64)
    mask = np.array([[0] * (longest - len(p)) + [1] * len(p) for p in PROMPTS], np.int64)
    past = {i.name: np.zeros((3, 4, 0, 16), np.float32) for i in session.get_inputs() if "past" in i.name}
    made = []
    for _ in range(6):
        places = np.maximum(mask.cumsum(1) - 1, 0)[:, -ids.shape[1] :]
        feeds = {"input_ids": ids, "attention_mask": mask, "position_ids": places, **past}
        outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))
        ids = outputs["logits"][:, -1].argmax(-1)[:, None]
        made.append(ids[:, 0])
        mask = np.concatenate([mask, np.ones_like(ids)], 1)
        past = {name: outputs[name.replace("past_key_values", "present")] for name in past}
    for prompt, tokens in zip(PROMPTS, np.array(made).T.tolist(), strict=True):
        with torch.inference_mode():
            want = model.generate(torch.tensor([prompt]), max_new_tokens=6, do_sample=False, pad_token_id=PAD)
        want = want[0, len(prompt) :].tolist()
        assert tokens[: len(want)] == want


@pytest.mark.parametrize(
    "bits, block_size, level, gap", [(8, 32, 4, 0.3), (8, 128, 1, 0.1), (4, 32, 4, 3), (4, 16, 1, 3)]
)
def test_weights_in_fewer_bits(gpt2, tmp_path, bits, block_size, level, gap):
    import onnx

    from core.export.graphs.weights_only import quantise

    model, folder = gpt2
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    assert quantise(tmp_path / "model.onnx", bits=bits, block_size=block_size, accuracy_level=level) == 9
    assert max(found for _, found in differences(model, tmp_path)) < gap
    graph = onnx.load(tmp_path / "model.onnx").graph
    products = [node for node in graph.node if node.op_type == "MatMulNBits"]
    assert len(products) == 9 and not any(node.op_type == "Gemm" for node in graph.node)
    settings = {a.name: a.i for a in products[0].attribute}
    assert (settings["bits"], settings["block_size"], settings["accuracy_level"]) == (bits, block_size, level)
    kept = sum(len(i.raw_data) for i in graph.initializer if 400 in i.dims)
    assert kept < 0.6 * 400 * 64 * 4, "the embedding is stored once, quantised"


def test_a_large_model_lies_in_two_files(gpt2, tmp_path):
    from core.export.graphs.weights_only import quantise

    model, folder = gpt2
    two = tmp_path / "two"
    shutil.copytree(folder, two)
    import onnx

    from core.export.graphs import clean

    clean.write(onnx.load(two / "model.onnx"), two / "model.onnx", largest=1000)
    assert (two / "model.onnx.data").stat().st_size > 500_000 > (two / "model.onnx").stat().st_size
    clean.clean(two / "model.onnx")
    found = differences(model, two)
    assert all(same for same, _ in found) and max(gap for _, gap in found) < 1e-4
    quantise(two / "model.onnx", bits=8, largest=1000)
    assert 100_000 < (two / "model.onnx.data").stat().st_size < 300_000, "nothing of the old weights is left"
    assert max(gap for _, gap in differences(model, two)) < 0.3
    quantise(two / "model.onnx", bits=8)
    assert not (two / "model.onnx.data").exists(), "a model that is small again is one file"


def test_half_precision_for_a_gpu(tmp_path, gpt2):
    """Built as for CUDA; onnxruntime's processor kernels can run it, slowly, so that its numbers are known here."""
    import copy

    import torch

    from core.export.graphs.exported import dtype_of, export_decoder

    model, _ = gpt2
    assert dtype_of("int4", "cuda") == dtype_of("fp16", "webgpu") == torch.float16
    assert dtype_of("int4", "cpu") == torch.float32 and dtype_of("bf16", "cuda") == torch.bfloat16
    export_decoder(copy.deepcopy(model).half(), tmp_path, end_ids=[END], pad_id=PAD, precision="fp16", device="cuda")
    config = json.loads((tmp_path / "genai_config.json").read_text())
    assert config["model"]["decoder"]["session_options"]["provider_options"] == [{"cuda": {"enable_cuda_graph": "0"}}]
    config["model"]["decoder"]["session_options"]["provider_options"] = []
    genai.write(tmp_path / "genai_config.json", config)
    assert 1e-5 < max(gap for _, gap in differences(model, tmp_path)) < 0.05


def test_what_keeps_no_cache_of_tokens_is_refused(tmp_path):
    import transformers

    from core.export.graphs.exported import export_decoder

    config = transformers.MambaConfig(vocab_size=400, hidden_size=32, state_size=8, num_hidden_layers=2)
    with pytest.raises(InputError, match="MambaForCausalLM cannot be exported: it keeps something else"):
        export_decoder(transformers.MambaForCausalLM(config).eval(), tmp_path, end_ids=[END], pad_id=PAD)
    assert not list(tmp_path.iterdir())


def test_a_device_that_nobody_knows(tmp_path):
    with pytest.raises(InputError, match="No decoder is exported for 'tpu'. Devices: cpu, cuda"):
        genai.provider_options("tpu")
    assert genai.context_of({"n_positions": 128}) == 128 and genai.context_of({}) == genai.UNBOUNDED


def test_a_gpt2_becomes_a_package_like_any_other(tmp_path, tiny_models):
    from core.export import make
    from core.export.options import Options

    report = make.make(str(tiny_models("gpt2")), Options("cpu", "int8"), tmp_path / "out", rows=8)
    assert report["status"] in ("verified", "verified with loss"), report["message"]
    assert report["greedy_match"] > 0.5 and report["max_logit_difference"] < 0.3
    assert {"model.onnx", "genai_config.json", "tokenizer.json", "run.py"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }
    assert str(tmp_path).encode() not in (tmp_path / "out" / "model.onnx").read_bytes()
