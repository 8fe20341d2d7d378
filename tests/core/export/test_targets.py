"""The table of devices: light, complete, and clear about what this machine can build and run."""

import importlib.metadata
import re
import subprocess
import sys

import pytest

from core.errors import InputError
from core.export import here, offers, targets
from core.models.heads import HEADS
from tests.conftest import ROOT

EVERY = [(device, kind) for device, found in targets.TARGETS.items() for kind in found.offers]


@pytest.mark.parametrize("device", targets.TARGETS)
def test_every_device_is_complete(device):
    found = targets.target(device)
    assert found.default in found.precisions
    assert set(found.precisions) <= set(targets.PRECISIONS)
    assert set(found.offers) | set(found.missing) == set(targets.KINDS), "each kind is offered, or it says why not"
    assert not set(found.offers) & set(found.missing)
    assert all(text.endswith(".") for text in (found.sentence, found.needs, *found.missing.values()))
    able, reason = found.verifiable()
    assert isinstance(able, bool) and reason.endswith(".")
    assert found.block_sizes[0] == 32 and found.accuracy_levels[0] in (0, 4)
    assert set(found.stands_in) <= set(found.precisions)


@pytest.mark.parametrize(("device", "kind"), EVERY)
def test_every_offer_is_complete(device, kind):
    found = targets.target(device)
    offer = found.offers[kind]
    assert offer.default in offer.precisions and found.default_for(kind) == offer.default
    assert list(offer.precisions) == [name for name in targets.PRECISIONS if name in found.precisions_for(kind)]
    assert all(re.fullmatch(r"[\w.-]+(\[[\w,]+\])?==[\w.]+", line) for line in offer.requirements), "pinned"
    assert targets.requirements(found, kind) == offer.requirements
    assert found.buildable(kind)[0]
    assert targets.check(device, None, kind) == (found, offer.default)
    assert set(offer.precisions) - set(found.stands_in) <= {"bf16"} or found.verifiable(kind)[0], "nobody compares it"


def test_what_runs_here_is_what_the_app_itself_is_pinned_to():
    """A package is compared by the runtime that its requirements.txt names."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8") + (ROOT / "requirements-dev.txt").read_text(
        encoding="utf-8"
    )
    for line in {line for kind in targets.KINDS for line in targets.requirements(targets.TARGETS["cpu"], kind)}:
        assert f"\n{line}\n" in text, line
        assert importlib.metadata.version(here.name_of(line)) == line.partition("==")[2]


def test_every_head_is_of_a_kind():
    assert set(offers.KIND_OF_HEAD) == set(HEADS)
    assert {targets.kind_of(name) for name in HEADS} == set(targets.KINDS)


def test_int8_is_what_a_small_model_on_a_cpu_gets():
    assert targets.check("cpu", None)[1] == "int8"


def test_the_cpu_can_be_verified_and_the_browser_cannot():
    assert targets.target("cpu").verifiable()[0]
    assert not targets.target("webgpu").verifiable()[0]


def test_a_runtime_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(here, "nvidia", lambda: True)
    monkeypatch.setattr(here, "_installed", lambda name: name == "onnxruntime-gpu")
    able, reason = targets.target("cuda").verifiable("writer")
    assert not able and reason == "The CUDA runtime is not installed here: pip install onnxruntime-genai-cuda==0.18.0."
    assert not targets.target("cuda").verifiable("reader")[0], "numpy is not there either"
    monkeypatch.setattr(here, "_installed", lambda name: True)
    assert targets.target("cuda").verifiable("reader") == (True, "This machine's NVIDIA GPU runs it.")


def test_what_cannot_be_built_here_says_what_is_missing_and_where_it_can(monkeypatch):
    monkeypatch.setattr(here, "_installed", lambda name: name != "onnxscript")
    able, reason = targets.target("cuda").buildable("reader")
    assert not able and "pip install onnxscript." in reason
    assert reason.endswith("python -m core export RUN --device cuda --precision fp16")


def test_a_kind_that_a_device_does_not_take_is_refused_with_another_way():
    able, reason = targets.target("qnn").buildable("writer")
    assert not able and "--device mobile" in reason
    with pytest.raises(InputError, match="QNN does not take this model.*--device mobile") as caught:
        targets.check("qnn", "int8", "writer")
    assert caught.value.field == "export.device"
    assert targets.target("qnn").precisions_for("writer") == ()
    assert targets.target("qnn").default_for("writer") is None


def test_an_unknown_device_is_guessed_at():
    with pytest.raises(InputError, match="Did you mean 'cuda'") as caught:
        targets.target("cuda:0")
    assert caught.value.field == "export.device"


def test_a_precision_that_a_device_does_not_have():
    with pytest.raises(InputError, match="DirectML packages are made in fp32, fp16, int4, not in int8") as caught:
        targets.check("dml", "int8")
    assert caught.value.field == "export.precision"
    with pytest.raises(InputError, match="DirectML packages of a model that writes its answer are made in fp16, int4,"):
        targets.check("dml", "fp32", "writer")
    with pytest.raises(InputError, match="Did you mean 'int4'"):
        targets.check("cpu", "int 4")


def test_blocks_and_accuracy_levels_of_int4():
    cpu, rtx = targets.target("cpu"), targets.target("tensorrt-rtx")
    for size in cpu.block_sizes:
        targets.check_int4(cpu, size, 4)
    with pytest.raises(InputError, match="blocks of 32, 64, 128 weights, not of 16. Take 32") as caught:
        targets.check_int4(rtx, 16, 0)
    assert caught.value.field == "export.block_size"
    with pytest.raises(InputError, match="one of 0, 1, 2, 3, 4, not 5. Take 4") as caught:
        targets.check_int4(cpu, 32, 5)
    assert caught.value.field == "export.accuracy_level"


def test_half_precision_for_a_processor_is_built_as_for_cuda():
    assert targets.target("cpu").builder_for("fp16") == "cuda"
    assert targets.target("cpu").builder_for("int8") == "cpu"
    assert targets.target("tensorrt-rtx").builder_for("fp16") == "NvTensorRtRtx"


def test_only_half_precision_asks_a_browser_for_it():
    names = {
        precision: targets.target("webgpu").builder_for(precision) for precision in ("fp32", "fp16", "int8", "int4")
    }
    assert names == {"fp32": "cpu", "fp16": "webgpu", "int8": "cpu", "int4": "cpu"}


def test_the_page_can_import_it_without_anything_heavy():
    code = (
        "import sys, core.export.targets as t; "
        "[(x.verifiable(k), x.buildable(k)) for x in t.TARGETS.values() for k in t.KINDS]; "
        "print([m for m in ('torch','onnx','onnxruntime','onnxruntime_genai','transformers') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
