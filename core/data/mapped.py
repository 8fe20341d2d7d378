"""Arrow files, mapped: what was read is let go of, so that going through a large file does not fill the memory."""

from __future__ import annotations

import mmap
import threading
import weakref
from pathlib import Path

import pyarrow as pa

HELD = 128 << 20  # bytes that may be read before their pages are let go of
TOUCH = 1 << 20  # about what one row out of order brings in: the system maps the pages around it, too

_MAPS: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
_LOCK = threading.Lock()
_READ = [0]


def mapped(path: Path) -> pa.Table:
    """The rows of an Arrow file, without reading them."""
    with path.open("rb") as file:
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with _LOCK:
        _MAPS.add(pages)
    return pa.ipc.open_file(pa.py_buffer(pages)).read_all()


def was_read(size: int) -> None:
    """Say that so many bytes of tables were read; now and then the pages of all mapped files are let go of.

    They stay in the system's cache, so that to read them again costs little. Where the system cannot, nothing happens.
    """
    _READ[0] += size
    if _READ[0] < HELD or not _MAPS:
        return
    _READ[0] = 0
    advice: int | None = getattr(mmap, "MADV_DONTNEED", None)
    with _LOCK:
        found = list(_MAPS)
    if advice is not None:
        for pages in found:
            pages.madvise(advice)
