"""Checkpoints of a run: complete when their manifest stands, which is written last; found, checked, thinned out."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from core.runs import records
from core.runs.files import open_file, write_json
from core.runs.typed import Unreadable

NAME = re.compile(r"^step-([0-9]{1,15})$")
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
    try:
        return _damage(folder, hashes)
    except Unreadable as error:
        return f"its {error}".rstrip(".")
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        return f"it cannot be read: {(getattr(error, 'strerror', None) or str(error)).lower()}"


def _damage(folder: Path, hashes: bool) -> str:
    manifest = records.MANIFEST.read(folder / MANIFEST)
    if manifest is None:
        return "it was not written to its end"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    for name in sorted(there - manifest["files"].keys()):
        return f"{name} is not in its {MANIFEST}"
    for name, want in manifest["files"].items():
        if name not in there:  # nor is anything outside the folder, whatever the name says
            return f"{name} is missing"
        size = (folder / name).stat().st_size
        if size != want["bytes"]:
            return f"{name} has {size:,} bytes instead of {want['bytes']:,}"
        if hashes:
            with open_file(folder / name) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != want["sha256"]:
                    return f"the content of {name} has changed"
    return ""


def steps(folder: Path) -> list[int]:
    """The steps of the complete checkpoints in a run's `checkpoints` folder, oldest first; judged by size alone."""
    return sorted(step for step, path in _found(folder) if not damage(path))


def newest(folder: Path, needed: Sequence[str] = ()) -> tuple[Path | None, list[str]]:
    """The newest checkpoint whose content is intact (or None), and a note for each newer one that is not.

    Args:
        needed: files that each must have, whatever its manifest says.
    """
    notes: list[str] = []
    for step, path in sorted(_found(folder), reverse=True):
        lacking = [f"{name} is missing" for name in needed if not (path / name).is_file()]
        wrong = damage(path, hashes=True) or "".join(lacking[:1])
        if not wrong:
            return path, notes
        notes.append(f"The checkpoint of step {step} is not used: {wrong}.")
    return None, notes


def _found(folder: Path) -> list[tuple[int, Path]]:
    """Step and folder of each checkpoint, whole or not; none where they cannot be listed."""
    try:
        return [(int(m[1]), p) for p in folder.iterdir() if (m := NAME.match(p.name)) and p.is_dir()]
    except OSError:
        return []


def rotate(folder: Path, keep: int) -> None:
    """Delete all complete checkpoints but the newest `keep`, and what a killed process left half written."""
    for step in steps(folder)[:-keep]:
        shutil.rmtree(folder / f"step-{step}", ignore_errors=True)
    for path in folder.glob(".writing-*"):
        shutil.rmtree(path, ignore_errors=True)
