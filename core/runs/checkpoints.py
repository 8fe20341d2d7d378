"""Checkpoints of a run: complete when their manifest stands, which is written last; found, checked, thinned out."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from core.runs.files import read_json, write_json

NAME = re.compile(r"^step-(\d+)$")
MANIFEST = "manifest.json"


def write_manifest(folder: Path) -> None:
    """List every file of a folder with its size and SHA-256, and bring all of it to the disk first."""
    files = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST):
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        files[path.relative_to(folder).as_posix()] = {"bytes": path.stat().st_size, "sha256": digest}
    write_json(folder / MANIFEST, {"files": files}, sync=True)


def damage(folder: Path, hashes: bool = False) -> str:
    """What is wrong with a checkpoint; "" if it is complete. Sizes are compared, with `hashes` contents too."""
    files = (read_json(folder / MANIFEST) or {}).get("files")
    if not isinstance(files, dict) or not files:
        return "it was not written to its end"
    for path in folder.rglob("*"):
        if path.is_file() and path.name != MANIFEST and path.relative_to(folder).as_posix() not in files:
            return f"{path.relative_to(folder).as_posix()} is not in its {MANIFEST}"
    for name, want in files.items():
        path = folder / name
        if not isinstance(want, dict) or not isinstance(want.get("bytes"), int) or "sha256" not in want:
            return f"its {MANIFEST} does not say what {name} holds"
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != want["bytes"]:
            return f"{name} has {path.stat().st_size:,} bytes instead of {want['bytes']:,}"
        if hashes:
            with open(path, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != want["sha256"]:
                    return f"the content of {name} has changed"
    return ""


def steps(folder: Path) -> list[int]:
    """The steps of the complete checkpoints in a run's `checkpoints` folder, oldest first; judged by size alone."""
    if not folder.is_dir():
        return []
    found = [(int(m[1]), p) for p in folder.iterdir() if (m := NAME.match(p.name)) and p.is_dir()]
    return sorted(step for step, path in found if not damage(path))


def newest(folder: Path, needed: Sequence[str] = ()) -> tuple[Path | None, list[str]]:
    """The newest checkpoint whose content is intact (or None), and a note for each newer one that is not.

    Args:
        needed: files that each must have, whatever its manifest says.
    """
    notes: list[str] = []
    if not folder.is_dir():
        return None, notes
    found = [(int(m[1]), p) for p in folder.iterdir() if (m := NAME.match(p.name)) and p.is_dir()]
    for step, path in sorted(found, reverse=True):
        lacking = [f"{name} is missing" for name in needed if not (path / name).is_file()]
        wrong = damage(path, hashes=True) or "".join(lacking[:1])
        if not wrong:
            return path, notes
        notes.append(f"The checkpoint of step {step} is not used: {wrong}.")
    return None, notes


def rotate(folder: Path, keep: int) -> None:
    """Delete all complete checkpoints but the newest `keep`, and what a killed process left half written."""
    for step in steps(folder)[:-keep]:
        shutil.rmtree(folder / f"step-{step}", ignore_errors=True)
    for path in folder.glob(".writing-*"):
        shutil.rmtree(path, ignore_errors=True)
