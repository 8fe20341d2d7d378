"""bitsandbytes is imported without the compiler, and what it hands over is compiled when it is called."""

import subprocess
import sys

import pytest

from core.late_compiling import when_called
from tests.conftest import ROOT

CODE = """
import importlib.util, sys
import core
assert importlib.util.find_spec("bitsandbytes") is not None  # who only asks changes nothing
import torch
compiler = torch.compile
import bitsandbytes
assert torch.compile is compiler
assert bitsandbytes.nn.Linear4bit and torch.ops.bitsandbytes.quantize_4bit
print("torch._inductor.compile_fx" in sys.modules)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("ours", "loaded"), [(True, "False"), (False, "True")])
def test_the_compiler_is_not_loaded(ours: bool, loaded: str) -> None:
    code = CODE if ours else CODE.replace("import core\n", "\n")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, loaded), done.stderr


def test_a_function_is_compiled_once_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    asked = []

    def compiler(function, **options):
        asked.append(options)
        return function

    monkeypatch.setattr(torch, "compile", compiler)
    plain = when_called(lambda x: x + 1)
    assert not asked and [plain(1), plain(2)] == [2, 3] and asked == [{}]

    @when_called(dynamic=False)
    def twice(x: int) -> int:
        return 2 * x

    assert len(asked) == 1 and twice(4) == 8 and asked == [{}, {"dynamic": False}]
