"""Where uploaded files are kept: under a safe name, in a folder named for their content."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from core import limits
from core.errors import InputError
from core.paths import is_public, portable, uploads_dir
from core.visitors import Visitor

KINDS = (
    ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".tab", ".parquet", ".pq", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods",
    ".txt", ".text", ".md", ".conll", ".conllu", ".iob", ".bio", ".gz",
)  # fmt: skip
KINDS_IN_WORDS = "JSON, JSONL, CSV, TSV, Parquet, Excel, CoNLL or text"
LIMIT_MB = 200


def limit_mb() -> int:
    """The most megabytes of a file: on a page that is open to everybody, of a visitor's."""
    most = limits.limit("upload_mb") if is_public() else None
    return min(LIMIT_MB, int(most)) if most is not None else LIMIT_MB


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


def keep_all(paths: Sequence[str | Path], visitor: Visitor | None = None) -> str:
    """Copy uploaded files to where they stay, and say where that is, as a config says it: a file, or a folder of them.

    The folder is named for the content, so that what is uploaded twice is kept once.

    Args:
        visitor: who uploads them: see core.limits.

    Raises:
        InputError: a kind of file that cannot be read, too large, or the disk will not take it.
    """
    given = [Path(path) for path in paths]
    if len(given) == 1:
        return keep(given[0], visitor)
    names = _checked(given, visitor)
    if twice := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise InputError(f"Two of the files are named {twice!r}: rename one of them.", "data.path")
    try:
        digests = [_digest(path) for path in given]
        whole = hashlib.sha256("".join(sorted(map("".join, zip(names, digests, strict=True)))).encode()).hexdigest()
        folder = uploads_dir() / whole[:12] / f"{names[0].partition('.')[0]} and {len(names) - 1} more"
        for path, name in zip(given, names, strict=True):
            _copy(path, folder / name)
    except OSError as error:
        raise _refused(names[0], error) from None
    return portable(folder)


def keep(path: str | Path, visitor: Visitor | None = None) -> str:
    """Copy an uploaded file to where it stays, and say where that is, as a config says it.

    The folder is named for the content, so that the same file uploaded twice is kept once.

    Raises:
        InputError: not a kind of file that can be read, too large, or the disk will not take it.
    """
    given = Path(path)
    [name] = _checked([given], visitor)
    try:
        target = uploads_dir() / _digest(given)[:12] / name
        _copy(given, target)
    except OSError as error:
        raise _refused(name, error) from None
    return portable(target)


def keep_from_hub(
    repository: str, name: str | None, split: str | None, token: str, visitor: Visitor | None = None
) -> str:
    """Fetch a set from the Hub with a visitor's token and keep its files as if they had been uploaded.

    The token is used for this fetch and not kept; whoever runs the training later needs none. Not verified against the
    Hub itself.

    Raises:
        InputError: not an id, or the Hub refuses it.
    """
    from core.data.sources import fetch_data
    from core.models.hub import session_token

    with session_token(token):
        return keep_all(fetch_data(repository, name, split), visitor)


def _checked(paths: Sequence[Path], visitor: Visitor | None) -> list[str]:
    """The safe names of files that may be kept."""
    sizes = [path.stat().st_size if path.exists() else 0 for path in paths]
    names = [_checked_name(path, size) for path, size in zip(paths, sizes, strict=True)]
    limits.refuse_upload(visitor, names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more", sum(sizes))
    limits.refuse_disk(visitor, sum(sizes))
    return names


def _checked_name(path: Path, size: int) -> str:
    """The safe name of a file of so many bytes that may be kept."""
    name = safe_name(path.name)
    if Path(name).suffix not in KINDS:
        raise InputError(
            f"{name!r} is not a kind of file that can be read here. Known: {', '.join(KINDS)}.", "data.path"
        )
    if size > LIMIT_MB * 2**20:
        raise InputError(
            f"{name!r} has {size / 2**20:,.0f} MB; at most {LIMIT_MB} MB can be uploaded. Put the file on this "
            "machine and give its path instead.",
            "data.path",
        )
    return name


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(given: Path, target: Path) -> None:
    if target.is_file() and target.stat().st_size == given.stat().st_size:
        os.utime(target)  # it is needed again: see core.runs.sweep
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.copyfile(given, part)
    os.replace(part, target)


def _refused(name: str, error: OSError) -> InputError:
    reason = (error.strerror or str(error)).lower()
    return InputError(f"{name!r} could not be kept in {str(uploads_dir())!r}: {reason}.", "data.path")
