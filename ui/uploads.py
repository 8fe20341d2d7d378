"""Where uploaded files are kept: under a safe name, in a folder named for their content."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import unicodedata
from pathlib import Path

from core.errors import InputError
from core.paths import portable, uploads_dir

KINDS = (".json", ".jsonl", ".csv", ".tsv", ".parquet", ".txt")
LIMIT_MB = 200


def safe_name(name: str) -> str:
    """A file name that is one everywhere: no folders, no reserved characters, not hidden, at most 80 characters."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    stem = re.sub(r"[^\w\- .()]", "-", stem).strip(" .-")[:80] or "data"
    if re.fullmatch(r"(?i)con|prn|aux|nul|(com|lpt)\d", stem):
        stem += "-file"
    return f"{stem}.{re.sub(r'[^a-z0-9]', '', suffix.lower())}" if suffix else stem


def keep(path: str | Path) -> str:
    """Copy an uploaded file to where it stays, and say where that is, as a config says it.

    The folder is named for the content, so that the same file uploaded twice is kept once.

    Raises:
        InputError: not a kind of file that can be read, too large, or the disk will not take it.
    """
    given = Path(path)
    name = safe_name(given.name)
    if Path(name).suffix not in KINDS:
        raise InputError(
            f"{name!r} is not a kind of file that can be read here. Known: {', '.join(KINDS)}.", "data.path"
        )
    try:
        size = given.stat().st_size
        if size > LIMIT_MB * 2**20:
            raise InputError(
                f"{name!r} has {size / 2**20:,.0f} MB; at most {LIMIT_MB} MB can be uploaded. Put the file on this "
                "machine and give its path instead.",
                "data.path",
            )
        with given.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        target = uploads_dir() / digest[:12] / name
        if not target.is_file() or target.stat().st_size != size:
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.{os.getpid()}.part")
            shutil.copyfile(given, part)
            os.replace(part, target)
    except OSError as error:
        raise InputError(
            f"{name!r} could not be kept in {str(uploads_dir())!r}: {(error.strerror or str(error)).lower()}.",
            "data.path",
        ) from None
    return portable(target)
