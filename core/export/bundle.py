"""What lies around the model: the script that runs it, what that needs, a page about it, and one file to download."""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.export.targets import Target
from core.export.targets import requirements as needed
from core.paths import ROOT
from core.runs.files import read_json
from core.runs.state import Stopped

# The code that renders prompts goes into the package as it is, as a small library of its own: what is shipped renders
# and cuts a prompt by the very functions that training called. run.py is one of core/export/packages/run_*.py.
LIBRARY = "tunesmith"
TELEMETRY = "core.telemetry"
BEGINNING = f'''"""How Tunesmith renders a prompt and cuts it into tokens; without any telemetry."""

from {LIBRARY}.telemetry import switch_off

switch_off()
'''
RENAMED = {
    "core.export.packages.tokenizer": "plain",
    "transformers.utils.chat_template_utils": "plain",  # its one function that is used; plain.py has the same
}
ONLY_TYPES = ("core.config",)  # imported to name a type, which annotations do not need to run
_IMPORT = re.compile(r"^( *)from (core[.\w]*|transformers\.utils\.chat_template_utils) import (.+)$", re.MULTILINE)
TOKENIZERS = "tokenizers==0.23.3"
JINJA = "jinja2==3.1.6"
# What a job keeps beside the package, and what is no part of it: see core.runs.state.
KEPT = ("state.json", "stop", "job.json", "output.log", "failed.json")
UNHASHED = ("tunesmith.json", "README.md")
MADE_BY = "Tunesmith"  # what tunesmith.json says; it tells a package of ours from whatever else lies in a folder
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date that a zip can hold: the same files give the same zip


def write(folder: Path, settings: dict[str, Any], entry: str, target: Target, requirements: Sequence[str] = ()) -> None:
    """Add run.py, requirements.txt and tunesmith.json, with the hash of each file, to a folder that holds the model.

    entry: the module that becomes run.py. requirements: lines beyond those of the device and of prompts.
    """
    _text(folder / "run.py", _moved(entry))
    (folder / LIBRARY).mkdir(exist_ok=True)
    _text(folder / LIBRARY / "__init__.py", BEGINNING)
    for module, name in carried(entry).items() | {(TELEMETRY, "telemetry")}:
        _text(folder / LIBRARY / f"{name}.py", _moved(module))
    lines = [*needed(target, settings["kind"]), TOKENIZERS, *([JINJA] if settings.get("chat") else []), *requirements]
    _text(folder / "requirements.txt", "\n".join(lines) + "\n")
    hashes = {name: _sha256(folder / name) for name in package_files(folder) if name not in UNHASHED}
    _text(folder / "tunesmith.json", json.dumps({**settings, "files": hashes}, indent=2, ensure_ascii=False) + "\n")


@functools.cache
def carried(entry: str) -> dict[str, str]:
    """The modules that such a run.py needs, directly or not, and their names in the package's library."""
    found: dict[str, str] = {}
    waiting = [entry]
    while waiting:
        for _, module, _ in _IMPORT.findall(_source(waiting.pop())):
            if module.startswith("core.") and module not in (*found, *ONLY_TYPES):
                found[module] = _name(module)
                waiting.append(module)
    if len(set(found.values())) < len(found):
        raise RuntimeError(f"Two modules of a package would have one name: {sorted(found)}.")
    return dict(sorted(found.items()))


def _moved(module: str) -> str:
    """A module's text with its imports pointed at the package's library."""

    def move(match: re.Match[str]) -> str:
        indent, name, what = match.groups()
        return "" if name in ONLY_TYPES else f"{indent}from {LIBRARY}.{_name(name)} import {what}"

    return _IMPORT.sub(move, _source(module))


def _name(module: str) -> str:
    return RENAMED.get(module, module.rpartition(".")[2])


def _source(module: str) -> str:
    return (ROOT / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8")


def pack(folder: Path, archive: Path, top: str, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Write the package as a zip of one folder; the same files give the same bytes.

    Raises:
        OSError: the disk is full. Stopped: `should_stop`, asked at every mebibyte, said so. Nothing is left of it then.
    """
    half = archive.with_name(f".{archive.name}.part")
    try:
        with zipfile.ZipFile(half, "w", allowZip64=True) as out:
            for name in package_files(folder):
                info = zipfile.ZipInfo(f"{top}/{name}", EPOCH)
                info.external_attr = 0o644 << 16
                info.create_system = 3
                info.file_size = (folder / name).stat().st_size  # of more than 4 GB it needs to know beforehand
                info.compress_type = zipfile.ZIP_STORED  # weights hardly shrink, and trying would take minutes
                with open(folder / name, "rb") as source, out.open(info, "w") as sink:
                    while piece := source.read(2**20):
                        if should_stop():
                            raise Stopped
                        sink.write(piece)
        os.replace(half, archive)
    finally:
        half.unlink(missing_ok=True)


def swap(staged: Path, folder: Path) -> None:
    """Put a complete package in the place of an older one; what a job keeps there stays, and so does what others put.

    The report goes first: from then on until a new one is written, readers know that there is no package.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").unlink(missing_ok=True)
    new = package_files(staged)
    for name in made_files(folder):
        if name not in new:
            (folder / name).unlink()
    for name in new:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _move(staged / name, folder / name)


def _move(source: Path, target: Path) -> None:
    """os.replace, also into a folder that is another disk (a volume of a container that --out names)."""
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        half = target.with_name(f".{target.name}.part")
        try:
            shutil.copyfile(source, half)
            os.replace(half, target)
        finally:
            half.unlink(missing_ok=True)


def refuse_foreign(folder: Path) -> None:
    """InputError unless a folder that somebody named is new, empty, or holds an earlier package of ours.

    Nor may a file be in the way of the zip that will lie beside it.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: --out names a folder for the package.")
    ours = (read_json(folder / "tunesmith.json") or {}).get("made_by") == MADE_BY
    if folder.is_dir() and any(folder.iterdir()) and not ours:
        raise InputError(f"The folder {folder} holds other files. Name a new folder, so that nothing of yours is lost.")
    archive = folder.with_name(f"{folder.name}.zip")
    if archive.exists() and not ours:
        raise InputError(f"{archive} is there already, and the package's zip goes there. Name another folder.")


def model_bytes(folder: Path) -> int:
    """The size of the graphs and their data."""
    found = (path for pattern in ("*.onnx*", "*.ort") for path in folder.rglob(pattern))
    return sum(path.stat().st_size for path in found if path.is_file())


def package_files(folder: Path) -> list[str]:
    """The package's own files, in order: not what a job keeps there, nor the report of this machine."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
        and not (path.parent == folder and path.name in (*KEPT, "report.json"))
    )


def made_files(folder: Path) -> list[str]:
    """Those of `package_files` that the package was made with, by its tunesmith.json; not what others put there."""
    named = (read_json(folder / "tunesmith.json") or {}).get("files")
    return [name for name in package_files(folder) if name in UNHASHED or (isinstance(named, dict) and name in named)]


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
