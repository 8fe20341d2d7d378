"""Uploads that nobody needs any more: on a public page what no run names is removed after a day.

A folder of an upload is named for its content. It is kept while that name stands in the config of any run, readable or
not, and while it was written, or uploaded once more, within the last day. On one's own machine nothing is removed: a
draft that a browser keeps may name an upload for weeks.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from core.paths import is_public, runs_dir, uploads_dir

KEPT_S = 24 * 3600.0
EVERY_S = 3600.0
NAME = re.compile(r"[0-9a-f]{12}")  # of the folder of an upload: see ui.uploads
GOING = ".going-"  # in front of the name of one that is being removed


def sweep(kept_s: float = KEPT_S) -> list[str]:
    """Remove what no run names and was not written for so many seconds; the names of what was removed.

    Costs one look at each upload, and at the configs only where one of them is old enough.
    """
    if not is_public():
        return []
    root, now = uploads_dir(), time.time()
    old = [path for path in _uploads(root) if _newest(path) < now - kept_s]
    gone = list[str]()
    named = _named() if old else None
    for path in old if named is not None else ():
        if named is None or path.name.removeprefix(GOING) in named:
            _back(path)
            continue
        going = path if path.name.startswith(GOING) else path.with_name(GOING + path.name)
        with contextlib.suppress(OSError):  # somebody else was quicker, or may: the next hour asks again
            path.rename(going)
            named = _named()
            if named is None or path.name in named or _newest(going) >= now - kept_s:  # meanwhile a run took it
                _back(going)
                continue
            shutil.rmtree(going)
            gone.append(path.name.removeprefix(GOING))
    return gone


def hourly() -> threading.Thread:
    """Sweep now and each hour, in a thread that ends with the process."""

    def work() -> None:
        while True:
            with contextlib.suppress(OSError):  # the disk's own trouble: nothing was removed, and the next hour asks again
                sweep()
            time.sleep(EVERY_S)

    thread = threading.Thread(target=work, name="sweep", daemon=True)
    thread.start()
    return thread


def _back(path: Path) -> None:
    """One that was to go, and is needed, has its name again; where it was uploaded anew meanwhile, that one stays."""
    if path.name.startswith(GOING):
        target = path.with_name(path.name.removeprefix(GOING))
        shutil.rmtree(path) if target.exists() else path.rename(target)


def _uploads(root: Path) -> list[Path]:
    try:
        with os.scandir(root) as entries:
            found = [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return sorted(path for path in found if NAME.fullmatch(path.name.removeprefix(GOING)))


def _newest(folder: Path) -> float:
    """When anything in a folder was written last; the future where that cannot be told, which keeps it."""
    try:
        return max(_times(folder))
    except OSError:
        return float("inf")


def _times(folder: Path) -> Iterator[float]:
    yield folder.stat().st_mtime
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _times(Path(entry.path))
            else:
                yield entry.stat(follow_symlinks=False).st_mtime


def _named() -> set[str] | None:
    """Every word in the configs of all runs that could be an upload's name; None where one of them cannot be read."""
    found = set[str]()
    try:
        for folder in [*runs_dir().iterdir()] if runs_dir().is_dir() else []:
            try:
                text = (folder / "config.yaml").read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
            found.update(match.decode() for match in re.findall(rb"[0-9a-f]{12}", text))
    except OSError:
        return None
    return found
