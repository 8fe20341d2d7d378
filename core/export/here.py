"""What this machine can build and run of an export: packages that are installed, drivers and systems; nothing heavy."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

# What makes a package's graph, whatever the device: all of it runs on any processor.
BUILDS = ("onnxruntime-genai", "onnx", "onnxscript", "onnxruntime")


def name_of(requirement: str) -> str:
    """The package that a line of a requirements.txt names: without its extras, version and marker."""
    return re.split(r"[\[=<>!~; ]", requirement, maxsplit=1)[0]


def lacking(requirements: Iterable[str]) -> list[str]:
    """The lines whose package is not installed here. Its version is not asked for: newer ones often do as well."""
    return [line for line in requirements if not _installed(name_of(line))]


def _installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@functools.cache
def nvidia() -> bool:
    """Whether a driver of NVIDIA's is loaded."""
    folder = Path("/proc/driver/nvidia/gpus")
    return (folder.is_dir() and any(folder.iterdir())) or shutil.which("nvidia-smi") is not None


def windows() -> bool:
    """Whether this is Windows."""
    return platform.system() == "Windows"


def arm() -> bool:
    """Whether the processor is of the ARM family."""
    return platform.machine().lower() in ("arm64", "aarch64")
