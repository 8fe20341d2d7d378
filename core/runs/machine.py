"""What this machine computes with: cores, memory and accelerator, found without torch."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.runs.environment import cpus, threads

# The memory that a container may use, and uses: control groups version 2 and 1.
_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


@dataclass(frozen=True)
class Machine:
    """What a training will find.

    Attributes:
        device: "cpu" or "cuda". name: of the accelerator, or "".
        cpus: processors that may be used. threads: those that a job computes with.
        memory: bytes of the device that trains. free: those that are not in use now.
    """

    device: str
    name: str
    cpus: int
    threads: int
    memory: int
    free: int


def this_machine() -> Machine:
    """The machine as it is now. A graphics card counts where it is NVIDIA's, and torch was built for it."""
    card = _card()
    if card is not None:
        name, memory, free = card
        return Machine("cuda", name, cpus(), threads(), memory, free)
    memory, free = _memory()
    return Machine("cpu", "", cpus(), threads(), memory, free)


def _memory() -> tuple[int, int]:
    """(all, free) bytes of this machine, or of the container that this runs in."""
    found = psutil.virtual_memory()
    memory, free = int(found.total), int(found.available)
    for limit, usage in _LIMITS:
        most, used = _number(limit), _number(usage)
        if most is not None and most < memory:
            memory, free = most, max(0, min(free, most - (used or 0)))
    return memory, free


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such file; "max"
        return None


def _card() -> tuple[str, int, int] | None:
    """(name, all bytes, free bytes) of the first NVIDIA card, where torch can use it."""
    tool = shutil.which("nvidia-smi")
    try:
        built_for = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
    if tool is None or built_for.endswith("+cpu"):
        return None
    ask = [tool, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True).stdout
        name, total, free = said.splitlines()[0].rsplit(",", 2)
        return name.strip(), int(total) * 2**20, int(free) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
