"""What lies around the model: the script that runs it, what that needs, a page about it, and one file to download."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.export.targets import PRECISIONS, Target

SCRIPT = Path(__file__).with_name("package_run.py")
TOKENIZERS = "tokenizers==0.23.3"
JINJA = "jinja2==3.1.6"
# What a job keeps beside the package, and what is no part of it: see core.runs.state.
KEPT = ("state.json", "stop", "job.json", "output.log", "failed.json")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date that a zip can hold: the same files give the same zip


def write(folder: Path, settings: dict[str, Any], target: Target) -> None:
    """Add run.py, requirements.txt and tunesmith.json, with the hash of each file, to a folder that holds the model."""
    shutil.copyfile(SCRIPT, folder / "run.py")
    lines = [*target.requirements, TOKENIZERS, *([JINJA] if settings["chat"] else [])]
    _text(folder / "requirements.txt", "\n".join(lines) + "\n")
    hashes = {path.name: _sha256(path) for path in _files(folder) if path.name not in ("tunesmith.json", "README.md")}
    _text(folder / "tunesmith.json", json.dumps({**settings, "files": hashes}, indent=2, ensure_ascii=False) + "\n")


def readme(settings: dict[str, Any], target: Target, report: dict[str, Any], licence: str) -> str:
    """The package's README: what it is, how to run it, what was compared, where it comes from. No word of this machine."""
    precision = PRECISIONS[settings["precision"]]
    fields = settings["fields"]
    shown = "your text" if len(fields) < 2 else " ".join(f"--field {name}=..." for name in fields)
    ask = f'python run.py "{shown}"' if len(fields) < 2 else f"python run.py {shown}"
    rows = [f"| Status | **{report['status']}** |"]
    if report["greedy_match"] is not None:
        metric = report["metric"]
        rows += [
            f"| Rows compared | {report['rows']} ({report['rows_from']}) |",
            f"| Answers that are PyTorch's, token for token | {report['greedy_match']:.1%} |",
            f"| Answer tokens that agree up to the first other one | {report['token_match']:.1%} |",
            f"| Largest logit difference | {_number(report['max_logit_difference'])} "
            f"(PyTorch's logits span {report['logit_range']:.1f}) |",
        ]
        if metric:
            rows.append(f"| {metric['name']} | PyTorch {metric['pytorch']:.3f}, this package {metric['onnx']:.3f} |")
    rows.append(f"| Size of the model | {report['bytes'] / 1e6:.1f} MB |")
    made = f"tuned in the run `{settings['run']}` from " if settings["run"] else ""
    return "\n".join(
        [
            f"# {settings['title']}",
            "",
            f"A language model, {made}`{settings['base']}`, as ONNX for {target.label} in {settings['precision']}. "
            f"{precision.sentence}",
            "",
            "## Run it",
            "",
            "```",
            "python -m venv .venv",
            ".venv/bin/pip install -r requirements.txt     # Windows: .venv\\Scripts\\pip",
            f".venv/bin/{ask}",
            "```",
            "",
            "Without a text it asks for one. `--check` compares every file with its hash, `--help` lists the rest.",
            "run.py renders the prompt exactly as training did, answers greedily, and stops at the model's end token.",
            f"It runs on: {target.sentence}",
            "",
            "## Compared with PyTorch",
            "",
            report["message"],
            "",
            "| | |",
            "|---|---|",
            *rows,
            "",
            "Greedy answers of both, on rows that training did not see where there were any. The logit difference is the",
            "largest of any logit at any answer token while both read PyTorch's own answer.",
            "",
            "## Where it comes from",
            "",
            f"Made with Tunesmith by the model builder of onnxruntime-genai. Task: {settings['task'] or 'none'}. "
            f"Base model: `{settings['base']}`. {licence}",
            "Batches: fill shorter rows on the right, with the pad token of genai_config.json.",
            "",
        ]
    )


def licence_note(licence: str) -> str:
    """One sentence about the licence of the base model, which goes with the tuned one."""
    if licence:
        return f"Its licence is {licence}, and holds for this package too: read it before you pass the package on."
    return "Its folder names no licence: find out what the base model allows before you pass the package on."


def pack(folder: Path, archive: Path, top: str) -> None:
    """Write the package as a zip with one folder in it; the same files give the same bytes. OSError: the disk is full."""
    half = archive.with_name(f".{archive.name}.part")
    try:
        with zipfile.ZipFile(half, "w", allowZip64=True) as out:
            for path in _files(folder):
                info = zipfile.ZipInfo(f"{top}/{path.name}", EPOCH)
                info.external_attr = 0o644 << 16
                info.create_system = 3
                info.file_size = path.stat().st_size
                # Weights hardly shrink, and would take minutes; the graph is stored too, being small.
                info.compress_type = zipfile.ZIP_STORED
                with open(path, "rb") as source, out.open(info, "w") as sink:
                    shutil.copyfileobj(source, sink, 2**20)
        os.replace(half, archive)
    finally:
        half.unlink(missing_ok=True)


def swap(staged: Path, folder: Path) -> None:
    """Put a complete package in the place of an older one; what a job keeps there stays.

    The report goes first: from then on until a new one is written, readers know that there is no package.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").unlink(missing_ok=True)
    new = {path.name for path in _files(staged)}
    for path in _files(folder):
        if path.name not in new:
            path.unlink()
    for name in sorted(new):
        os.replace(staged / name, folder / name)


def refuse_foreign(folder: Path) -> None:
    """InputError unless a folder that somebody named is new, empty, or holds an earlier package of ours."""
    if folder.is_file():
        raise InputError(f"{folder} is a file: --out names a folder for the package.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "tunesmith.json").is_file():
        raise InputError(f"The folder {folder} holds other files. Name a new folder, so that nothing of yours is lost.")


def model_bytes(folder: Path) -> int:
    """The size of model.onnx and its data."""
    return sum(path.stat().st_size for path in folder.glob("model.onnx*"))


def package_files(folder: Path) -> list[str]:
    """The names of a package's files, in order."""
    return [path.name for path in _files(folder)]


def _files(folder: Path) -> Iterator[Path]:
    """The package's own files: not what a job keeps there, nor the report, which speaks of this machine's speed."""
    return iter(
        sorted(
            path
            for path in folder.iterdir()
            if path.is_file() and not path.name.startswith(".") and path.name not in (*KEPT, "report.json")
        )
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _number(value: float | None) -> str:
    return "not a number" if value is None else f"{value:.2g}"
