"""What a command takes: seconds on the clock, processor seconds, and memory at its fullest, with all that it starts."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.runs import standby

PAUSE_S = 0.1


@dataclass(frozen=True)
class Taken:
    """Of one command: seconds, processor seconds, bytes of memory at its fullest, and its standard output."""

    seconds: float
    cpu: float
    peak: int
    out: str


def watch(line: list[str], cwd: Path, env: dict[str, str] | None = None) -> Taken:
    """Run a command to its end.

    Memory is looked at ten times a second: that of all its processes together, each shared page counted once (PSS,
    where the system says it).

    Raises:
        RuntimeError: it failed; with the end of what it printed.
    """
    before, began, peak = os.times(), time.perf_counter(), 0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        process = psutil.Popen(line, cwd=cwd, env=os.environ | (env or {}), stdout=out, stderr=err)
        while process.poll() is None:
            peak = max(peak, _held(process))
            try:
                process.wait(PAUSE_S)
            except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
                continue
        seconds, after = time.perf_counter() - began, os.times()
        out.seek(0)
        err.seek(0)
        said = out.read()
        if process.returncode:
            raise RuntimeError(f"{' '.join(line)}\n{said[-2000:]}\n{err.read()[-4000:]}")
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Taken(seconds, spent, peak, said)


def waiting() -> float:
    """Have a process wait with its libraries imported, as while the page is open; the processor seconds it took."""
    standby.STANDBY = standby.Standby(settle_s=0)
    standby.STANDBY.prepare()
    while not standby.STANDBY.ready:
        time.sleep(0.05)
    process, before = psutil.Process(standby.STANDBY.pid), -1.0
    while (spent := sum(process.cpu_times()[:2])) > before:
        before = spent
        time.sleep(2)
    return before


def _held(process: psutil.Process) -> int:
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    for one in family:
        try:
            total += _alone(one)
        except (psutil.Error, OSError):
            continue  # it has just ended
    return total


def _alone(process: psutil.Process) -> int:
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")  # far cheaper to read than the list of all maps
    if rollup.exists() and (found := re.search(r"^Pss:\s*(\d+) kB", rollup.read_text(), re.MULTILINE)):
        return int(found[1]) * 1024
    return int(process.memory_info().rss)
