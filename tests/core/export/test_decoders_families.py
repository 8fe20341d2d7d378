"""Families of decoders, and what their configs may say: each goes by the route that gives PyTorch's answers, or not."""

import json

import pytest

from core.errors import InputError
from core.export.graphs import families
from core.export.options import Options
from tests.bench.export_families import TARGET, TINY, tiny
from tests.core.export.answers import END, PAD, differences

SIZES = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512,
}  # fmt: skip
WIDE = SIZES | {"hidden_size": 128}  # half of each head turns with its place: the runtime wants eight numbers there
TWO = SIZES | {"num_hidden_layers": 2}
FACTORS = [1 + 0.1 * i for i in range(8)]


def stretched(kind, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **more}}


def named(architecture, **settings):
    return {"architectures": [architecture], **settings}


@pytest.mark.parametrize(
    "config, route",
    [
        (named("LlamaForCausalLM"), "builder"),
        (named("LlamaForCausalLM", rope_scaling=None), "builder"),
        (named("LlamaForCausalLM", **stretched("llama3")), "builder"),
        (named("LlamaForCausalLM", rope_scaling={"type": "linear", "factor": 2.0}), "exporter"),
        (named("LlamaForCausalLM", **stretched("yarn")), "exporter"),
        (named("Phi3ForCausalLM", **stretched("longrope")), "builder"),
        (named("Gemma3ForCausalLM", rope_parameters={"full_attention": {"rope_type": "default"}}), "builder"),
        (named("Gemma3ForCausalLM", rope_parameters={"full_attention": {"rope_type": "linear"}}), "exporter"),
        (named("PhiForCausalLM", qk_layernorm=True), "exporter"),
        (named("NemotronForCausalLM", mlp_bias=True), "exporter"),
        (named("GPT2LMHeadModel"), "exporter"),
    ],
)
def test_the_route_of_a_config(config, route):
    families.check_family(config)
    assert families.route(config) == route


def test_what_no_route_makes_is_refused_in_a_sentence():
    with pytest.raises(
        InputError, match="A MambaForCausalLM cannot be exported yet. These families can: Llama, .*GPT-2"
    ):
        families.check_family(named("MambaForCausalLM"))
    with pytest.raises(InputError, match="A model without an architecture cannot"):
        families.check_family({})
    with pytest.raises(InputError, match=r"This Qwen2 stretches .* \(dynamic RoPE\)") as caught:
        families.check_family(named("Qwen2ForCausalLM", **stretched("dynamic")))
    assert caught.value.field == "model.path"
    with pytest.raises(InputError, match="quantised already"):
        families.check_family(named("LlamaForCausalLM", quantization_config={"bits": 4}))


def test_what_only_the_builders_families_have():
    gpt2, llama = named("GPT2LMHeadModel"), named("LlamaForCausalLM")
    rtx = Options("tensorrt-rtx", "int4")
    families.check_device(llama, rtx, "NvTensorRtRtx")
    with pytest.raises(InputError, match="int4 for TensorRT-RTX is made for the builder's families only: Llama"):
        families.check_device(gpt2, rtx, "NvTensorRtRtx")
    families.check_device(gpt2, Options("cpu", "int4", keep_adapter=True), "cpu")


def test_the_page_about_families_has_a_line_for_each():
    known = {**families.BUILDER, **families.EXPORTER}
    assert list(TINY) == list(known)
    lines = [line.split(" | ") for line in TARGET.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert [line[0].removeprefix("| ") for line in lines[1:-1]] == list(known.values())
    assert all(line[2].startswith("3/3, ") for line in lines[1:]), "in fp32 every family answers as PyTorch does"


def built(model, folder, out, precision="fp32"):
    from core.export.graphs.decoder import build

    options = Options("cpu", precision)
    build(folder, "cpu", options, out, end_ids=[END], pad_id=PAD, model=model)
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, settings",
    [
        ("phi", WIDE | {"partial_rotary_factor": 0.5}),
        ("gemma", TWO | {"head_dim": 16, "num_key_value_heads": 1}),
        ("smollm3", TWO | {"num_hidden_layers": 4}),  # whose fourth layer knows no places
        ("granite", TWO | {"embedding_multiplier": 3.0, "residual_multiplier": 0.6, "logits_scaling": 1.7}),
        ("nemotron", WIDE | {"partial_rotary_factor": 0.5}),
        ("ernie4_5", TWO | {"head_dim": 16, "use_bias": True}),
        ("hunyuan_v1_dense", TWO | {"head_dim": 16, **stretched("dynamic", alpha=1000.0, factor=1.0)}),
        ("llama", TWO | stretched("llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                  original_max_position_embeddings=64)),
        ("qwen2", TWO | {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_families_of_the_builder(tmp_path, kind, settings):
    model = tiny(kind, settings, tmp_path / "model")
    assert families.route(json.loads((tmp_path / "model" / "config.json").read_text())) == "builder"
    found = differences(model, built(model, tmp_path / "model", tmp_path / "out"))
    assert all(same for same, _ in found) and max(gap for _, gap in found) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Qwen3ForCausalLM", "Gemma3ForCausalLM"])
def test_norms_of_queries_and_keys_run_on_a_processor_in_half_precision(tmp_path, name):
    """What the builder makes for a GPU would fuse them into attention, of which a processor has no such kernel."""
    from core.export import targets
    from core.export.graphs.decoder import build

    model = tiny(*TINY[name], tmp_path / "model")
    device = targets.target("cpu").builder_for("fp16")
    build(tmp_path / "model", device, Options("cpu", "fp16"), tmp_path / "out", end_ids=[END], pad_id=PAD, tied=False)
    found = differences(model, tmp_path / "out")
    assert device == "cuda" and all(same for same, _ in found) and max(gap for _, gap in found) < 0.05


@pytest.mark.slow
def test_the_builder_takes_blocks_and_levels(tmp_path):
    import onnx

    from core.export.graphs.decoder import build

    tiny("llama", TWO, tmp_path / "model")
    for block_size, level in ((16, 1), (128, 0)):
        options, out = Options("cpu", "int4", block_size=block_size, accuracy_level=level), tmp_path / str(block_size)
        build(tmp_path / "model", "cpu", options, out, end_ids=[END], pad_id=PAD)
        graph = onnx.load(out / "model.onnx", load_external_data=False).graph
        found = [{a.name: a.i for a in node.attribute} for node in graph.node if node.op_type == "MatMulNBits"]
        assert found and {node["block_size"] for node in found} == {block_size}
        assert {node.get("accuracy_level", 0) for node in found} == {level}


@pytest.mark.slow
def test_the_long_and_the_short_texts_of_phi3(tmp_path):
    """LongRoPE turns otherwise in texts beyond the length that the model was first trained on."""
    settings = TWO | {"original_max_position_embeddings": 64}
    settings |= stretched("longrope", short_factor=FACTORS, long_factor=[2 * f for f in FACTORS])
    model = tiny("phi3", settings, tmp_path / "model")
    out = built(model, tmp_path / "model", tmp_path / "out")
    prompts = [[7, 8, 9] * 5, [7, 8, 9, 60] * 20]
    found = differences(model, out, prompts)
    assert all(same for same, _ in found) and max(gap for _, gap in found) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, settings",
    [
        ("bloom", {"hidden_size": 64, "n_layer": 1, "n_head": 4}),  # which takes no places
        ("llama", SIZES | stretched("yarn", factor=2.0, original_max_position_embeddings=256)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_families_of_the_exporter(tmp_path, kind, settings):
    model = tiny(kind, settings, tmp_path / "model")
    assert families.route(json.loads((tmp_path / "model" / "config.json").read_text())) == "exporter"
    found = differences(model, built(model, tmp_path / "model", tmp_path / "out"))
    assert all(same for same, _ in found) and max(gap for _, gap in found) < 1e-4


@pytest.mark.slow
def test_an_adapter_that_cannot_be_merged_is_a_part_of_the_graph(tmp_path):
    import torch

    from core.config import AdapterMethod
    from core.methods import adapter

    base = tiny("llama", SIZES, tmp_path / "model")
    tuned = adapter.prepare(base, AdapterMethod(name="adapter"), str(tmp_path / "model"), None).eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.1)
    out = built(tuned, tmp_path / "model", tmp_path / "out")
    found = differences(tuned, out)
    assert all(same for same, _ in found) and max(gap for _, gap in found) < 1e-4
    with tuned.disable_adapter():
        assert max(gap for _, gap in differences(tuned, out)) > 0.1, "without the adapter it would answer otherwise"


@pytest.mark.slow
def test_a_tuned_prompt_is_refused(tmp_path):
    from core.config import PromptMethod
    from core.methods import prompt

    base = tiny("llama", SIZES, tmp_path / "model")
    tuned = prompt.prepare(base, PromptMethod(name="prompt"), str(tmp_path / "model"), None)
    with pytest.raises(InputError, match="A prompt that was tuned stands in front"):
        built(tuned, tmp_path / "model", tmp_path / "out")
