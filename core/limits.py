"""How much a visitor of a public page may do. One's own machine has no limits, nor has the owner of a public page.

The table is all there is: a name, the default, the environment variable that sets another, and what is limited.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.memo import Memo
from core.models.hub_access import asker, of_visitor
from core.paths import runs_dir, uploads_dir
from core.visitors import Visitor

GB = 10**9
KEPT_S = 30.0  # for how long the size of a whole folder is believed


@dataclass(frozen=True)
class Limit:
    """One limit: its default, the variable of the environment that overrides it (0: no limit), and what it is of."""

    default: float
    variable: str
    what: str


LIMITS = {
    "jobs": Limit(2, "TUNESMITH_MAX_JOBS", "trainings, evaluations and exports of a visitor, under way or waiting"),
    "waiting": Limit(20, "TUNESMITH_MAX_WAITING", "trainings, evaluations and exports of all visitors together"),
    "runs": Limit(20, "TUNESMITH_MAX_RUNS", "runs of a visitor that are kept"),
    "rows": Limit(20_000, "TUNESMITH_MAX_ROWS", "rows that are trained or measured on"),
    "minutes": Limit(60, "TUNESMITH_MAX_MINUTES", "minutes of one training, evaluation or export"),
    "own_gb": Limit(10, "TUNESMITH_MAX_OWN_GB", "gigabytes of a visitor's runs"),
    "disk_gb": Limit(40, "TUNESMITH_MAX_DISK_GB", "gigabytes of all runs and uploads together"),
    "upload_mb": Limit(50, "TUNESMITH_MAX_UPLOAD_MB", "megabytes of an uploaded file"),
}


def limit(name: str) -> float | None:
    """What a limit of the table is set to, whoever asks; None: there is none."""
    said = os.environ.get(LIMITS[name].variable, "").strip()
    if not said:
        return LIMITS[name].default
    try:
        value = float(said)
        if not 0 <= value < float("inf"):
            raise ValueError
    except ValueError:
        raise InputError(
            f"{LIMITS[name].variable} is {said[:40]!r}: write the most {LIMITS[name].what} as a number, 0 for no limit."
        ) from None
    return value or None


def of(visitor: Visitor | None, name: str) -> float | None:
    """A limit as it is for a visitor; None: there is none, as for an owner."""
    return None if asker(visitor).owner else limit(name)


def here(name: str) -> float | None:
    """A limit as it is for the work of this process, which is a job; None: there is none."""
    return limit(name) if of_visitor() else None


def refuse_rows(count: int, field: str = "data.path") -> None:
    """InputError where this job may not take so many rows."""
    most = here("rows")
    if most is not None and count > most:
        raise InputError(
            f"These are {count:,} rows, and this page, which is open to everybody, takes at most {most:,.0f}: take a "
            f"part of them, such as the split train[:{most:.0f}], or run Tunesmith on your own machine.",
            field,
        )


def refuse_disk(visitor: Visitor | None, more: int = 0) -> None:
    """InputError where all runs and uploads take the room that they may have, or would with `more` bytes."""
    most = of(visitor, "disk_gb")
    if most is None:
        return
    folders = runs_dir(), uploads_dir()
    used = _USED.get((folders, time.monotonic() // KEPT_S), lambda: sum(map(size, folders)))
    if used + more > most * GB:
        raise InputError(
            f"The runs and uploads of this page take {used / GB:,.1f} GB, and may take {most:,.0f} GB: nothing more "
            "can be kept until some are deleted. Delete runs of yours that you need no more, or come back later."
        )


def refuse_upload(visitor: Visitor | None, name: str, count: int) -> None:
    """InputError where a file is larger than this visitor may upload; count: of bytes."""
    most = of(visitor, "upload_mb")
    if most is not None and count > most * 2**20:
        raise InputError(
            f"{name!r} has {count / 2**20:,.1f} MB; this page, which is open to everybody, takes at most {most:,.0f} "
            "MB. Upload a part of it, or run Tunesmith on your own machine.",
            "data.path",
        )


def size(folder: Path) -> int:
    """The bytes of all files in a folder; what goes away meanwhile counts nothing."""
    return sum(_sizes(folder))


def _sizes(folder: Path | str) -> Iterator[int]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        yield from _sizes(entry.path)
                    else:
                        yield entry.stat(follow_symlinks=False).st_size
                except OSError:
                    continue  # removed between our two looks
    except OSError:
        return


_USED = Memo[int](2)
