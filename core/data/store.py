"""Rows that are too many for memory: Arrow files in a folder of the cache, mapped, and found again by what was read."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.data.mapped import mapped
from core.data.tables import Table
from core.errors import InputError
from core.paths import cache_dir

FIELD = "data.path"
VERSION = 1  # of what is written; another one is not read
LIMIT_GB = 20.0
STALE_S = 3600.0  # a folder that is still being written is touched more often than that
WRITING = ".writing-"
MANIFEST = "manifest.json"


class Spill:
    """A folder that takes batches of rows; each part is one Arrow file with columns of its own.

    Attributes:
        folder: under a temporary name; removed with this object, unless it was kept.
        parts: the files, in order.
    """

    def __init__(self) -> None:
        with _disk():
            cache_dir().mkdir(parents=True, exist_ok=True)
            tidy()
            self.folder = Path(tempfile.mkdtemp(prefix=WRITING, dir=cache_dir()))
        self.parts: list[Path] = []
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._sink: pa.NativeFile | None = None
        self._schema: pa.Schema | None = None
        self.discard = weakref.finalize(self, shutil.rmtree, self.folder, True)

    def write(self, batch: pa.RecordBatch) -> int:
        """Append a batch and say which part it went to: a batch with other columns than the last begins a new one."""
        try:
            with _disk():
                if self._writer is None or batch.schema != self._schema:
                    self.close()
                    self.parts.append(self.folder / f"{len(self.parts):05d}.arrow")
                    self._sink, self._schema = pa.OSFile(str(self.parts[-1]), "wb"), batch.schema
                    self._writer = pa.ipc.new_file(self._sink, batch.schema)
                self._writer.write_batch(batch)
        except InputError:
            self._writer = None
            self.discard()  # at once: what is there already fills the disk
            raise
        return len(self.parts) - 1

    def close(self) -> None:
        """End the part that is open."""
        if self._writer is not None and self._sink is not None:
            with _disk():
                self._writer.close()
                self._sink.close()
            self._writer = self._sink = None

    def rewrite(self, number: int, change: Callable[[pa.RecordBatch], pa.RecordBatch]) -> None:
        """Put each batch of a part through a function, batch by batch."""
        with _disk():
            part = self.parts[number]
            fresh = part.with_suffix(".new")
            with pa.memory_map(str(part)) as source:
                reader = pa.ipc.open_file(source)
                writer = None
                with pa.OSFile(str(fresh), "wb") as sink:
                    for i in range(reader.num_record_batches):
                        batch = change(reader.get_batch(i))
                        writer = writer or pa.ipc.new_file(sink, batch.schema)
                        writer.write_batch(batch)
                    if writer is not None:
                        writer.close()
                del reader
            os.replace(fresh, part)

    def table(self) -> pa.Table:
        """All rows, mapped."""
        self.close()
        return _mapped(self.parts)


def key_of(path: Path, *more: object) -> str:
    """A name for what is read from a file in its present state, `more` being what else it follows from."""
    stat = path.stat()
    facts = [VERSION, str(path.resolve()), stat.st_size, stat.st_mtime_ns, *more]
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:40]


def find(key: str) -> Table | None:
    """The table that was kept under a key; None where there is none, or only a damaged one."""
    folder = cache_dir() / key
    try:
        facts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        parts = [folder / name for name in facts["parts"]]
        if [part.stat().st_size for part in parts] != list(facts["parts"].values()):
            return None
        data = _mapped(parts)
        data.validate()
        if data.num_rows != facts["rows"] or data.column_names != facts["columns"]:
            return None
        os.utime(folder / MANIFEST)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException):
        return None
    lists = tuple(facts.get("lists", ()))
    return Table(data, facts["columns"], frozenset(facts["json"]), facts["notes"], facts["digest"], lists=lists)


def keep(key: str, table: Table) -> Table:
    """Keep a table that was spilled, for the next time; one that is in memory stays there and is not kept."""
    spill = table.spill
    if spill is None:
        return table
    facts: dict[str, Any] = {
        "parts": {part.name: part.stat().st_size for part in spill.parts},
        "columns": table.columns, "json": sorted(table.json), "notes": table.notes, "digest": table.digest,
        "rows": table.data.num_rows, "lists": list(table.lists),
    }  # fmt: skip
    table.data = None  # a mapped folder cannot be renamed on Windows
    with _disk():
        (spill.folder / MANIFEST).write_text(json.dumps(facts), encoding="utf-8")
        target = cache_dir() / key
        for _ in range(2):
            try:
                spill.folder.rename(target)
                break
            except OSError as error:
                if not target.exists():
                    raise
                if (found := find(key)) is not None:  # another process was first
                    return found
                del error
                shutil.rmtree(target, ignore_errors=True)
    spill.discard.detach()
    table.data = _mapped([target / part.name for part in spill.parts])
    table.spill = None
    return table


def tidy() -> None:
    """Remove what killed processes left half-written, and the tables not used for longest while there are too many."""
    most = float(os.environ.get("TUNESMITH_CACHE_GB") or LIMIT_GB) * 2**30
    found, now = [], time.time()
    for folder in cache_dir().iterdir():
        with contextlib.suppress(OSError):
            if not folder.is_dir():
                continue
            sizes = [file.stat() for file in folder.iterdir()]
            if folder.name.startswith(WRITING):
                if now - max([folder.stat().st_mtime, *(s.st_mtime for s in sizes)]) > STALE_S:
                    shutil.rmtree(folder, ignore_errors=True)
            elif (folder / MANIFEST).is_file():
                found.append(((folder / MANIFEST).stat().st_mtime, sum(s.st_size for s in sizes), folder))
    total = sum(size for _, size, _ in found)
    for _, size, folder in sorted(found):
        if total <= most:
            break
        shutil.rmtree(folder, ignore_errors=True)
        total -= size


def _mapped(parts: list[Path]) -> pa.Table:
    return pa.concat_tables([mapped(part) for part in parts])


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    """A disk that is full, or a folder that cannot be written, in words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(
                f"The disk is full: the rows of a large file are kept in {str(cache_dir())!r} while they are used. "
                "Free some room, or set TUNESMITH_CACHE to a folder on another disk.",
                FIELD,
            ) from None
        raise InputError(
            f"The rows of a large file are kept in {str(cache_dir())!r}, which cannot be written: "
            f"{(error.strerror or str(error)).lower()}. Set TUNESMITH_CACHE to a folder that can.",
            FIELD,
        ) from None
