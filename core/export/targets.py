"""The devices a model can be exported for: provider, precisions, the package that runs it, and whether it runs here."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError, unknown

# What a package needs to run, pinned to what was built against. The builder and the CPU runtime are tested here; of the
# others, 0.14.1 is the newest DirectML runtime on PyPI, and WebGPU is a plug-in beside the CPU runtime.
GENAI = "onnxruntime-genai==0.18.0"
GENAI_CUDA = "onnxruntime-genai-cuda==0.18.0"
GENAI_DML = "onnxruntime-genai-directml==0.14.1"
WEBGPU_PLUGIN = "onnxruntime-ep-webgpu==0.4.0"


@dataclass(frozen=True)
class Precision:
    """How the weights are stored: `bytes_per_weight` is the rough size before what stays in full is added."""

    name: str
    sentence: str
    bytes_per_weight: float


PRECISIONS: dict[str, Precision] = {
    p.name: p
    for p in (
        Precision("fp32", "Full precision: the same numbers as in training, four bytes a weight.", 4.0),
        Precision("fp16", "Half precision: two bytes a weight, the usual choice on a GPU.", 2.0),
        Precision("int8", "One byte a weight: a third of the size, and answers that hardly ever change.", 1.3),
        Precision(
            "int4",
            "Half a byte a weight: smallest. Models of a billion weights bear it, one of a few million loses a lot.",
            0.8,
        ),
    )
}


@dataclass(frozen=True)
class Target:
    """A device: its name, what runs it, the precisions the builder makes for it, and the one to take by default.

    `requirements` are the lines of the package's requirements.txt. `verifiable()` says whether this very machine can
    run such a package, and why (not) in one sentence; it imports nothing heavy.
    """

    device: str
    label: str
    provider: str
    precisions: tuple[str, ...]
    default: str
    requirements: tuple[str, ...]
    sentence: str
    verifiable: Callable[[], tuple[bool, str]]


def _installed(requirement: str) -> bool:
    try:
        importlib.metadata.distribution(requirement.partition("==")[0])
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _cpu() -> tuple[bool, str]:
    if _installed(GENAI):
        return True, "This machine's processor runs it."
    return False, f"The runtime is not installed here: pip install {GENAI}."


def _cuda() -> tuple[bool, str]:
    nvidia = Path("/proc/driver/nvidia/gpus")
    if not (nvidia.is_dir() and any(nvidia.iterdir())) and not shutil.which("nvidia-smi"):
        return False, "This machine has no NVIDIA GPU."
    if not _installed(GENAI_CUDA):
        return False, f"The CUDA runtime is not installed here: pip install {GENAI_CUDA}."
    return True, "This machine's NVIDIA GPU runs it."


def _dml() -> tuple[bool, str]:
    if platform.system() != "Windows":
        return False, "DirectML is a part of Windows, and this machine does not run Windows."
    if not _installed(GENAI_DML):
        return False, f"The DirectML runtime is not installed here: pip install {GENAI_DML}."
    return True, "This machine's DirectX 12 GPU runs it."


def _webgpu() -> tuple[bool, str]:
    return False, "Tunesmith does not run WebGPU itself: try the package on the machine that will use it."


TARGETS: dict[str, Target] = {
    target.device: target
    for target in (
        Target(
            "cpu",
            "CPU",
            "CPUExecutionProvider",
            ("fp32", "int8", "int4"),
            "int8",
            (GENAI,),
            "Any computer with an x86 or ARM processor.",
            _cpu,
        ),
        Target(
            "cuda",
            "CUDA",
            "CUDAExecutionProvider",
            ("fp16", "int4"),
            "fp16",
            (GENAI_CUDA,),
            "NVIDIA GPUs, on Linux and Windows.",
            _cuda,
        ),
        Target(
            "dml",
            "DirectML",
            "DmlExecutionProvider",
            ("fp16", "int4"),
            "fp16",
            (GENAI_DML,),
            "Any GPU under Windows that speaks DirectX 12.",
            _dml,
        ),
        Target(
            "webgpu",
            "WebGPU",
            "WebGpuExecutionProvider",
            ("fp16", "int4"),
            "fp16",
            (GENAI, WEBGPU_PLUGIN),
            "Any modern GPU, through the interface that browsers use too.",
            _webgpu,
        ),
    )
}


def target(device: str) -> Target:
    """The target of a name. InputError, with the name that was probably meant, where there is none."""
    if device not in TARGETS:
        raise InputError(unknown("device", device, TARGETS), "export.device")
    return TARGETS[device]


def check(device: str, precision: str | None) -> tuple[Target, str]:
    """The target and the precision to build; None takes the default. InputError where the two do not go together."""
    found = target(device)
    if precision is None:
        return found, found.default
    if precision not in found.precisions:
        known = precision in PRECISIONS
        raise InputError(
            f"{found.label} packages are made in {', '.join(found.precisions)}, not in {precision}. "
            f"Take {found.default}."
            if known
            else unknown("precision", precision, found.precisions),
            "export.precision",
        )
    return found, precision
