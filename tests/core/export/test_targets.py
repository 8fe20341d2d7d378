"""The table of devices: light, complete, and clear about what this machine can run."""

import subprocess
import sys

import pytest

from core.errors import InputError
from core.export import targets


@pytest.mark.parametrize("device", targets.TARGETS)
def test_every_device_is_complete(device):
    found = targets.target(device)
    assert found.default in found.precisions
    assert set(found.precisions) <= set(targets.PRECISIONS)
    assert all("==" in line for line in found.requirements), "what runs a package is pinned"
    able, reason = found.verifiable()
    assert isinstance(able, bool) and reason.endswith(".")


def test_int8_is_what_a_small_model_on_a_cpu_gets():
    assert targets.check("cpu", None)[1] == "int8"


def test_the_cpu_can_be_verified_and_the_browser_cannot():
    assert targets.target("cpu").verifiable()[0]
    assert not targets.target("webgpu").verifiable()[0]


def test_an_unknown_device_is_guessed_at():
    with pytest.raises(InputError, match="Did you mean 'cuda'") as caught:
        targets.target("cuda:0")
    assert caught.value.field == "export.device"


def test_a_precision_that_a_device_does_not_have():
    with pytest.raises(InputError, match="CUDA packages are made in fp16, int4, not in int8") as caught:
        targets.check("cuda", "int8")
    assert caught.value.field == "export.precision"
    with pytest.raises(InputError, match="Did you mean 'int4'"):
        targets.check("cpu", "int 4")


def test_the_page_can_import_it_without_anything_heavy():
    code = (
        "import sys, core.export.targets as t; [x.verifiable() for x in t.TARGETS.values()]; "
        "print([m for m in ('torch','onnx','onnxruntime','onnxruntime_genai','transformers') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
