"""What suits a machine: memory decides, and says so."""

import pytest

from core.errors import InputError
from core.models.catalog_table import BY_ID, CATALOGUE
from core.models.recommend import find, recommended
from core.runs.machine import Machine

GIB = 2**30


def machine(free: float, device: str = "cuda") -> Machine:
    return Machine(device, "", 4, 3, int(free * GIB), int(free * GIB))


@pytest.mark.parametrize(("name", "free", "method"), [
    ("Qwen/Qwen3-4B", 200, "lora"), ("Qwen/Qwen3-4B", 13, "qlora"), ("Qwen/Qwen3-4B", 2, ""),
    ("google-bert/bert-base-uncased", 16, "full"), ("google-t5/t5-small", 16, "full"),
    ("openai-community/gpt2", 16, "lora"),
])  # fmt: skip
def test_the_method_that_memory_allows(name, free, method):
    found = recommended(name, machine(free))
    assert found.method == method
    assert found.fits == {m: peak <= free * GIB for m, peak in found.peak_bytes.items()}
    said = {"lora": "LoRA: it needs", "qlora": "QLoRA: in 4 bits", "full": "Full: it is small", "": "does not fit this"}
    assert said[method] in found.sentence and "GiB" in found.sentence


def test_4_bits_save_nothing_on_a_cpu():
    found = recommended("Qwen/Qwen3-4B", machine(12, "cpu"))
    assert found.peak_bytes["qlora"] >= found.peak_bytes["lora"] and found.method == ""


def test_more_memory_never_fits_less_and_a_larger_model_never_more():
    family = ["HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-360M-Instruct",
              "HuggingFaceTB/SmolLM2-1.7B-Instruct"]  # fmt: skip
    for free in (1, 2, 4, 8, 16, 64):
        fits = [recommended(name, machine(free)).fits for name in family]
        assert all(not larger[m] or smaller[m] for smaller, larger in zip(fits, fits[1:], strict=False) for m in larger)
    peaks = recommended("Qwen/Qwen3-1.7B", machine(1)).peak_bytes
    assert peaks["full"] > peaks["lora"] > peaks["qlora"]


def test_a_folder_will_do_and_one_that_is_none_is_said(tiny_llama):
    assert recommended(str(tiny_llama), machine(4, "cpu")).method == "full"
    with pytest.raises(InputError, match="no model folder"):
        recommended(str(tiny_llama / "nothing"), machine(4))


def test_find_narrows_by_each():
    assert find() == list(CATALOGUE)
    assert [e.id for e in find("QWEN3 0.6")] == ["Qwen/Qwen3-0.6B"]
    assert {e.family for e in find(task="similarity")} == {"bert", "distilbert", "roberta", "modernbert", "t5"}
    assert {e.commercial for e in find(commercial="yes")} == {"yes"}
    assert {e.commercial for e in find(commercial="conditions")} == {"yes", "conditions"}
    assert BY_ID["Qwen/Qwen2.5-3B-Instruct"] not in find(commercial="conditions")
    assert not any(e.gated for e in find(gated=False)) and all(e.gated for e in find(gated=True))
    small = find(machine=machine(2))
    assert small and len(small) < len(CATALOGUE) and BY_ID["Qwen/Qwen3-4B"] not in small
