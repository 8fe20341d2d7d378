"""bitsandbytes is imported without the compiler, and what it hands over is compiled when it is called."""

import os
import subprocess
import sys

import pytest

from core.late_compiling import when_called
from tests.conftest import ROOT

FETCHED = """
import bitsandbytes.functional, sys
assert not getattr(sys.modules.get("kernels"), "asked", []), sys.modules["kernels"].asked
import kernels
assert kernels.asked == []
"""
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


@pytest.mark.slow
def test_no_native_code_is_fetched_from_the_hub(tmp_path) -> None:
    """On a processor with AVX512-BF16 bitsandbytes does so when it is imported, where `kernels` is installed."""
    planted = "asked = []\ndef get_kernel(name, **more):\n    asked.append(name)\n    raise OSError(name)\n"
    (tmp_path / "kernels.py").write_text(planted)
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    line = [sys.executable, "-c", "import core\n" + FETCHED]
    done = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first = "import bitsandbytes.functional as f, kernels; print(int(f.has_avx512bf16()), len(kernels.asked))"
    line = [sys.executable, "-c", first]
    done = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True)
    able, asked = done.stdout.split()
    assert able == asked, "without core it is asked on such a processor, and on no other"
