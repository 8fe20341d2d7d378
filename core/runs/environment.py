"""What a run was run with: versions, machine, seed and source, without importing any of it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from typing import Any

import psutil

from core.config import RunConfig
from core.paths import ROOT

PACKAGES = ("torch", "transformers", "peft", "accelerate", "datasets", "tokenizers", "safetensors", "numpy", "gradio")


def describe(config: RunConfig) -> dict[str, Any]:
    """Versions, system, processors, memory, seed and git revision. The process that trains adds data and device."""
    return {
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "platform": platform.platform(),
        "cpus": cpus(),
        "memory_bytes": psutil.virtual_memory().total,
        "seed": config.training.seed,
        "git_revision": _revision(),
    }


def cpus() -> int:
    """The processors that this process may use."""
    counted = psutil.Process().cpu_affinity() if "cpu_affinity" in dir(psutil.Process) else None
    return len(counted) if counted else os.cpu_count() or 1


def threads() -> int:
    """How many threads a job computes with: OMP_NUM_THREADS, or one less than there are processors, for the page."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else max(1, cpus() - 1)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _revision() -> str | None:
    """The revision of the source, where it is a git checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return None
    done = subprocess.run([git, "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, timeout=10, check=False)
    return done.stdout.strip() or None
