"""Where things are: the project itself, the runs, and what a path in a config means."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def runs_dir() -> Path:
    """The folder of all runs: TUNESMITH_RUNS, or `runs` in the project."""
    return Path(os.environ.get("TUNESMITH_RUNS") or ROOT / "runs").expanduser().resolve()


def resolve(path: str | Path) -> Path:
    """What a path in a config means: as it stands if absolute or there from here, else from the project's root."""
    given = Path(path).expanduser()
    if given.is_absolute() or given.exists():
        return given.absolute()
    return ROOT / given


def portable(path: str | Path) -> str:
    """The shortest way to say a path in a config: relative to the project where it lies inside it."""
    full = Path(path).expanduser().absolute()
    return full.relative_to(ROOT).as_posix() if full.is_relative_to(ROOT) else str(full)
