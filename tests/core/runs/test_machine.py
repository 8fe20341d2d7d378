"""What this machine has: memory under a container's limit, a graphics card only where torch can use it."""

import importlib.metadata
import shutil
import subprocess

import psutil

from core.runs import machine
from core.runs.machine import this_machine


def test_this_machine_has_cores_and_memory():
    found = this_machine()
    assert 1 <= found.threads <= found.cpus
    assert 0 < found.free <= found.memory <= psutil.virtual_memory().total or found.device == "cuda"


def test_a_container_s_limit_counts(monkeypatch, tmp_path):
    most, used = tmp_path / "max", tmp_path / "current"
    monkeypatch.setattr(machine, "_LIMITS", ((most, used),))
    monkeypatch.setattr(machine, "_card", lambda: None)
    most.write_text("max\n")
    assert this_machine().memory == psutil.virtual_memory().total
    most.write_text(str(2**28))
    used.write_text(str(2**27))
    assert (this_machine().memory, this_machine().free) == (2**28, 2**27)


def test_a_card_counts_where_torch_was_built_for_it(monkeypatch):
    said = "NVIDIA L4, 23034, 22000\n"
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0, said, ""))
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.13.0+cu130")
    found = this_machine()
    assert (found.device, found.name, found.memory, found.free) == ("cuda", "NVIDIA L4", 23034 * 2**20, 22000 * 2**20)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.13.0+cpu")
    assert this_machine().device == "cpu"
    said = "No devices were found\n"
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.13.0")
    assert this_machine().device == "cpu"
