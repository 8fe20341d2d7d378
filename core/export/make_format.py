"""From a run to a file in another format than ONNX: written, loaded by what it is made for, compared, and then kept."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.export import bundle, format_card, formats, weights
from core.export.frugal import give_back
from core.export.gguf import around, families, vocab
from core.export.gguf import write as gguf_file
from core.export.make import ROWS, not_good, staging
from core.export.makers.base import FIGURES
from core.export.proof.formats import compare, truth_of
from core.export.subject import Subject, open_subject
from core.models import load
from core.models.heads import CAUSAL
from core.runs.files import write_json
from core.runs.state import Stopped


def make(
    target: str,
    name: str,
    precision: str,
    out: Path,
    *,
    data: str | None = None,
    rows: int = ROWS,
    say: Callable[[str], None] = lambda what: None,
    progress: Callable[[float, float], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
    began: float | None = None,
) -> dict[str, Any]:
    """Write a run's model in a format, compare it with the run's own answers, and put it into `out` with a zip.

    As with core.export.make.make, all is made in a hidden folder beside `out`; an earlier export stays as it was where
    this one fails, is stopped, or answers otherwise.

    Args:
        target, data, rows, say, progress, should_stop, began: as there. name, precision: see core.export.formats.check.

    Returns:
        The report (its keys: core.export, and "format"), with "dir" and, where the comparison failed, "exit": 1.

    Raises:
        InputError: the target has no such export, in a sentence. OSError: the disk is full.
    """
    began = time.monotonic() if began is None else began
    form, precision = formats.check(name, precision)

    def heed() -> None:
        if should_stop():
            raise Stopped

    with staging(out) as (staged, work):
        subject = open_subject(target)
        _refuse(subject, form.name)
        say("loading")
        model, _ = load.load_run(target, head=subject.head)
        count = sum(p.numel() for p in model.parameters())
        asked, truth, told = truth_of(subject, model, work, rows, data, say, progress, should_stop)
        del model
        give_back()  # adapters hold on to their base in circles, and the next step loads it again
        heed()
        say("building")
        progress(0, 0)
        _build(subject, form.name, precision, work, staged, truth, heed, progress)
        heed()
        say("comparing")
        report: dict[str, Any] = {"format": name, "device": name, "precision": precision, "weights": count}
        report |= {"head": subject.head.name, "merged": name != "adapter", "rows": truth["rows"], "rows_from": told}
        report |= dict.fromkeys((*FIGURES, "texts"))
        try:
            report |= compare(subject, form.name, precision, staged, asked, truth, count)
        except RuntimeError as error:
            report |= {"status": "failed", "message": str(error)}
        size = sum(p.stat().st_size for p in staged.iterdir() if p.suffix in (".safetensors", ".gguf"))
        report |= {"bytes": size, "made": time.time()}
        heed()
        if report["status"] == "failed":
            return not_good(out, report, began)
        say("packing")
        words = format_card.readme(form, subject, report, truth, staged)
        (staged / "README.md").write_text(words, encoding="utf-8", newline="\n")
        _note(subject, form.name, precision, staged)
        archive = f"{subject.run.id if subject.run else subject.public.replace('/', '-')}-{out.name}"
        bundle.pack(staged, work / "package.zip", archive)
        heed()
        bundle.swap(staged, out)
        (work / "package.zip").replace(out.with_name(f"{out.name}.zip"))
        (out / "failed.json").unlink(missing_ok=True)
        report["seconds"] = round(time.monotonic() - began, 2)
        write_json(out / "report.json", report)
    return {"dir": str(out), **report}


def _refuse(subject: Subject, name: str) -> None:
    """InputError, before anything is loaded, where the target has no such export."""
    if name == "adapter" and subject.adapter is None:
        weights.write_adapter(subject.folder, subject.folder)  # says so
    if name == "gguf":
        if subject.head is not CAUSAL:
            raise InputError(
                f"GGUF is written for models that write text after a prompt; this one {subject.head.label}. Take the "
                "merged safetensors instead.",
                formats.FIELD,
            )
        _, said = families.metadata(subject.small)
        vocab.fields(subject.small, subject.tokenizer, int(said["vocab_size"]), subject.ends, subject.pad, subject.chat)
    if not subject.head.writes and subject.config is None:
        raise InputError(
            f"A model that {subject.head.label} is compared on the rows of its run: name the run.", formats.FIELD
        )


def _build(
    subject: Subject,
    name: str,
    precision: str,
    work: Path,
    staged: Path,
    truth: dict[str, Any],
    heed: Callable[[], None],
    progress: Callable[[float, float], None],
) -> None:
    if name == "safetensors":
        weights.write_merged(subject.target, work, staged, precision, subject.head)
    elif name == "adapter":
        weights.write_adapter(subject.folder, staged)
    else:
        whole = work / "whole"
        whole.mkdir()
        weights.write_merged(subject.target, work, whole, "fp32", subject.head)
        heed()
        file = staged / around.file_name(subject.title, precision)
        gguf_file.write(
            whole,
            file,
            precision,
            subject.tokenizer,
            ends=subject.ends,
            pad=subject.pad,
            chat=subject.chat,
            title=subject.title,
            base=subject.public,
            licence=subject.licence,
            check=heed,
            progress=progress,
        )
        limit = subject.limit
        text = around.modelfile(file.name, subject.tokenizer, truth["form"], subject.ends, limit, subject.chat)
        (staged / "Modelfile").write_text(text, encoding="utf-8", newline="\n")


def _note(subject: Subject, name: str, precision: str, staged: Path) -> None:
    """tunesmith.json: what it is, and the hash of each file."""
    said = {
        "made_by": bundle.MADE_BY,
        "title": subject.title,
        "kind": name,
        "task": subject.config.task if subject.config is not None else None,
        "base": subject.public,
        "run": subject.run.id if subject.run is not None else None,
        "format": name,
        "precision": precision,
        "head": subject.head.name,
    }
    hashes = {}
    for file in bundle.package_files(staged):
        if file not in bundle.UNHASHED:
            with open(staged / file, "rb") as stream:
                hashes[file] = hashlib.file_digest(stream, "sha256").hexdigest()
    text = json.dumps(said | {"files": hashes}, indent=2, ensure_ascii=False) + "\n"
    (staged / "tunesmith.json").write_text(text, encoding="utf-8", newline="\n")
