"""LoRA beside a graph: as constants in it, and as inputs that adapter files fill; against PEFT's own sums."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.export.graphs import adapters
from core.export.options import Options
from tests import factory
from tests.bench import export_families

pytestmark = pytest.mark.slow
IDS = [5, 30, 41, 7, 88, 120, 9]


def lora(base: Path, folder: Path, seed: int, **settings):
    """A random LoRA on a base, in a folder; returns base plus adapter as PEFT has them."""
    import torch
    from peft import LoraConfig, get_peft_model

    from core.models.load import load_base, patient_peft

    with torch.random.fork_rng(devices=[]), patient_peft():
        torch.manual_seed(seed)
        model = get_peft_model(load_base(str(base)), LoraConfig(task_type="CAUSAL_LM", **settings))
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        model.save_pretrained(str(folder), save_embedding_layers=False)
    return model.eval()


def of_torch(model) -> np.ndarray:
    import torch

    with torch.inference_mode():
        return model(torch.tensor([IDS])).logits[0].numpy()


def of_package(folder: Path, *names: str | None) -> list[np.ndarray]:
    """The logits of one runtime by each adapter in turn; None is the base."""
    import onnxruntime_genai as og

    model = og.Model(str(folder))
    held = og.Adapters(model)
    for name in {name for name in names if name is not None}:
        held.load(str(folder / (name + adapters.SUFFIX)), name)
    found = []
    for name in names:
        params = og.GeneratorParams(model)
        params.set_search_options(max_length=len(IDS) + 4, do_sample=False)
        generator = og.Generator(model, params)
        if name is not None:
            generator.set_active_adapter(held, name)
        generator.append_tokens(IDS)
        found.append(np.array(generator.get_output("logits"))[0, -len(IDS) :].astype(np.float32))
    return found


def graph(base: Path, out: Path, precision: str = "fp32") -> Path:
    from core.export.graphs import decoder

    decoder.build(base, "cpu", Options("cpu", precision), out, end_ids=[2], pad_id=0, extra=adapters.BUILDER)
    return out / "model.onnx"


def tiny(family: str, folder: Path) -> Path:
    if family in factory.FAMILIES:
        return factory.tiny_model(family, folder)
    export_families.tiny(*export_families.TINY[family], folder)
    return folder


@pytest.mark.parametrize(
    ("family", "one_layer"),
    [
        ("llama", "o_proj"),
        ("qwen2", "o_proj"),
        ("phi3", "o_proj"),
        ("gemma3_text", "o_proj"),
        ("gpt2", "c_proj"),  # these two by torch's exporter: Conv1D, and linear layers whose weights it turns
        ("BloomForCausalLM", "dense"),
    ],
)
def test_adapters_of_other_ranks_and_layers_on_one_base(tmp_path, family, one_layer):
    base = tiny(family, tmp_path / family)
    wanted = {
        "wide": lora(base, tmp_path / "wide", 1, r=8, lora_alpha=4, target_modules="all-linear"),
        "thin": lora(base, tmp_path / "thin", 2, r=2, lora_alpha=6, use_rslora=True, target_modules=[one_layer]),
    }
    place = graph(base, tmp_path / "out")
    adapters.open_up(place, {name: tmp_path / name for name in wanted})
    plain, wide, thin, again = of_package(place.parent, None, "wide", "thin", None)
    peft = wanted["wide"]
    with peft.disable_adapter():
        want = of_torch(peft)
    assert np.abs(plain - want).max() < 1e-4, "no adapter is the base"
    assert np.array_equal(plain, again), "and stays it, after others"
    for name, got in (("wide", wide), ("thin", thin)):
        assert np.abs(got - of_torch(wanted[name])).max() < 1e-4
        assert np.abs(got - plain).max() > 1e-2, "the adapter does something"


@pytest.mark.parametrize(("family", "precision"), [("llama", "int4"), ("llama", "int8"), ("gpt2", "int4")])
def test_a_quantised_base_leaves_the_adapter_as_it_is(tmp_path, family, precision):
    base = factory.tiny_model(family, tmp_path / family)
    model = lora(base, tmp_path / "one", 1, r=4, target_modules="all-linear")
    place = graph(base, tmp_path / "out", precision)
    adapters.open_up(place, {"one": tmp_path / "one"})
    plain, one = of_package(place.parent, None, "one")
    with model.disable_adapter():
        off = np.abs(plain - of_torch(model)).max()
    assert 0 < np.abs(one - of_torch(model)).max() < 4 * off, "about as far off as the base itself"


def test_a_lora_that_stays_in_the_graph(tmp_path):
    base = factory.tiny_model("phi3", tmp_path / "phi3")
    model = lora(
        base, tmp_path / "one", 3, r=4, target_modules=["qkv_proj", "down_proj"], alpha_pattern={"down_proj": 32}
    )
    place = graph(base, tmp_path / "out")
    before = place.stat().st_size
    adapters.keep(place, tmp_path / "one")
    [found] = of_package(place.parent, None)
    assert np.abs(found - of_torch(model)).max() < 1e-4
    assert place.stat().st_size - before > (tmp_path / "one" / "adapter_model.safetensors").stat().st_size


def test_the_same_adapter_gives_the_same_bytes(tmp_path):
    base = factory.tiny_model("llama", tmp_path / "llama")
    lora(base, tmp_path / "one", 1, r=4, target_modules="all-linear")
    place = graph(base, tmp_path / "out")
    built, made = place.read_bytes(), []
    for _ in range(2):
        place.write_bytes(built)
        adapters.open_up(place, {"one": tmp_path / "one"})
        made.append((place.read_bytes(), (place.parent / "one.onnx_adapter").read_bytes()))
    assert made[0] == made[1]


def test_what_no_graph_takes_beside_its_base(tmp_path):
    base = factory.tiny_model("llama", tmp_path / "llama")
    for name, settings, why in (
        ("dora", {"use_dora": True, "target_modules": ["q_proj"]}, "weight-decomposed"),
        ("whole", {"modules_to_save": ["lm_head"], "target_modules": ["q_proj"]}, r"layers whole \(lm_head\)"),
        ("embeds", {"target_modules": ["embed_tokens"]}, "only LoRAs of linear layers"),
    ):
        lora(base, tmp_path / name, 1, r=2, **settings)
        with pytest.raises(InputError, match=why) as caught:
            adapters.read(tmp_path / name, "The run x")
        assert str(caught.value).startswith("The run x ") and caught.value.field == "export.adapters"
    (tmp_path / "ia3").mkdir()
    (tmp_path / "ia3" / "adapter_config.json").write_text(json.dumps({"peft_type": "IA3"}))
    with pytest.raises(InputError, match="of the kind IA3"):
        adapters.read(tmp_path / "ia3")


def test_an_adapter_of_another_base(tmp_path):
    base = factory.tiny_model("llama", tmp_path / "llama")
    other = factory.tiny_model("llama", tmp_path / "other", intermediate_size=96)
    lora(other, tmp_path / "one", 1, r=2, target_modules=["down_proj"])
    place = graph(base, tmp_path / "out")
    before = place.read_bytes()
    with pytest.raises(InputError, match="made for 96 inputs and 64 outputs, and that layer has 128 and 64"):
        adapters.open_up(place, {"one": tmp_path / "one"})
    assert place.read_bytes() == before
