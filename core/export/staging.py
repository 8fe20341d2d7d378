"""Where a package is made before it takes its place: a hidden folder that is gone in the end, whatever the end is."""

from __future__ import annotations

import contextlib
import glob
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from core.errors import InputError
from core.runs.failures import FULL
from core.runs.files import locked

LOCK = "lock"
YOUNG_S = 10.0  # so long after it was made a folder without a lock may be one that is just being locked
# Waits for the end of whoever started it, then removes what that left; see _guarded.
REAPER = "import shutil, sys; sys.stdin.buffer.read(); shutil.rmtree(sys.argv[1], ignore_errors=True)"


@contextlib.contextmanager
def staging(out: Path) -> Iterator[tuple[Path, Path]]:
    """(a folder for the package, a folder for what is large), both hidden beside `out` and gone in the end.

    They are gone, too, when this process is killed. What the end of the whole machine left behind goes with the next
    export of the same package.

    Raises:
        InputError: another process is at work on the same package, or nothing can be written there. OSError: the disk
            is full.
    """
    with _holder(out) as name:
        work = Path(name)
        with _guarded(work), locked(work / LOCK):
            _look_around(out, work)
            (work / "package").mkdir()
            yield work / "package", work


def _holder(out: Path) -> tempfile.TemporaryDirectory[str]:
    """A new hidden folder beside `out`."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        if error.errno in FULL:
            raise
        why = (error.strerror or str(error)).lower()
        raise InputError(f"No package can be made in {out.parent}: {why}.") from None


def _look_around(out: Path, work: Path) -> None:
    """Remove what others left behind. InputError where another is at work; of two at once the first goes on."""
    mine = (work.stat().st_ctime_ns, work.name)
    for other in sorted(out.parent.glob(f".{glob.escape(out.name)}.*")):
        if other == work or not other.is_dir():
            continue
        try:
            began = other.stat().st_ctime_ns
            with locked(other / LOCK) as left:
                alive = not left
        except OSError:  # it ended while we looked
            continue
        if alive and (began, other.name) < mine:
            raise InputError(
                f"Another export is at work on {out.name}. Wait for it, or stop it first.", "export.device"
            )
        if not alive and time.time() - began / 1e9 > YOUNG_S:
            shutil.rmtree(other, ignore_errors=True)


@contextlib.contextmanager
def _guarded(work: Path) -> Iterator[None]:
    """Have the folder removed even where this process is killed: by a small one that reads a pipe until it ends."""
    line = [sys.executable, "-I", "-S", "-c", REAPER, str(work)]
    reaper = subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        shutil.rmtree(work, ignore_errors=True)
        reaper.kill()
        reaper.communicate()
