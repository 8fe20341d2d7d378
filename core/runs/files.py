"""Files that others read while they are written: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

MOST_BYTES = 64 * 2**20  # of a file of ours that is read whole; the largest, with the rows of a long run, has a few MB


def plain(value: Any) -> Any:
    """The value as strict JSON has it: a number that is not finite becomes None, a tuple a list, a path its text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return str(value) if isinstance(value, os.PathLike) else value


def write_text(path: str | Path, text: str, *, sync: bool = False) -> None:
    """Write a whole file under a temporary name beside it, and rename it. `sync`: it is on the disk afterwards.

    Raises:
        OSError: it could not be written; what stood there before still stands.
    """
    write_bytes(path, text.encode("utf-8"), sync=sync)


def write_bytes(path: str | Path, content: bytes, *, sync: bool = False) -> None:
    """The same for bytes."""
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        _replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def write_json(path: str | Path, value: Any, *, sync: bool = False) -> None:
    """Write a value as JSON, whole or not at all; numbers that are not finite become null.

    Raises:
        OSError: it could not be written; what stood there before still stands.
    """
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=1)
    write_text(path, text + "\n", sync=sync)


def open_file(path: str | Path) -> BufferedReader:
    """Open a file to read it; never waits.

    Raises:
        OSError: it cannot be opened, or is no plain file: a folder, a pipe that nobody writes into, a device.
    """
    return open(_plain_file(path, os.O_RDONLY), "rb")


def open_log(path: str | Path) -> FileIO:
    """Open a file to add to it, without a buffer; it is made where there is none. Never waits. Raises OSError, too."""
    return open(_plain_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab", buffering=0)


def _plain_file(path: str | Path, ways: int) -> int:
    number = os.open(path, ways | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0), 0o666)
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "It is no plain file", str(path))
    return number


def read_bytes(path: str | Path, most: int = MOST_BYTES) -> bytes:
    """What a plain file holds.

    Raises:
        OSError: it cannot be read, is no plain file, or is longer than `most` bytes.
    """
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > most or len(data := file.read(most + 1)) > most:
            raise OSError(errno.EFBIG, f"It is longer than {most // 1000:,} kB", str(path))
    return data


def read_json(path: str | Path) -> dict[str, Any] | None:
    """The object in a JSON file, or None where there is no such file or it holds none.

    What a run's own files hold is read by core.runs.records, which looks at the types, too.
    """
    try:
        value = json.loads(read_bytes(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def remove(path: Path) -> None:
    """Remove what stands under a name, if anything does: a file, a link, or a folder that should not be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of a file while the block runs; False: another holds it. It ends with its process.

    Args:
        wait: until the other one has let go of it, which must be soon.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            yield False
            return
        yield True


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to be filled by the block, under another name; it takes the place of `target` when the block ends well.

    What a killed process leaves behind is named `.writing-...`; an error in the block leaves nothing, and `target` as
    it was.

    Raises:
        OSError: the folder around it is not there (it is never made: somebody may have removed the run), or is full.
    """
    work = Path(tempfile.mkdtemp(prefix=f".writing-{target.name}-", dir=target.parent))
    try:
        os.chmod(work, 0o777 & ~_umask())
        yield work
        for path in work.rglob("*"):  # safetensors writes files that only their owner may read
            os.chmod(path, (0o777 if path.is_dir() else 0o666) & ~_umask())
        if target.exists():
            shutil.rmtree(target)
        work.rename(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def tail(path: Path, start: int = 0, most: int = 65536) -> list[str]:
    """The last lines of a text file, of at most `most` bytes and none before byte `start`; [] where there is none."""
    try:
        with open_file(path) as file:
            size = file.seek(0, os.SEEK_END)
            begin = max(start, size - most)
            file.seek(begin)
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return lines[1:] if begin > start and len(lines) > 1 else lines


def _replace(source: str, target: Path) -> None:
    """os.replace; on Windows a reader that has the file open makes it fail for a moment, so it is tried again."""
    for _ in range(20 if os.name == "nt" else 0):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            time.sleep(0.05)
    os.replace(source, target)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
