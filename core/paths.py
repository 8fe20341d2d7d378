"""Where things are: the project itself, the runs, and what a path in a config means."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import InputError

ROOT = Path(__file__).resolve().parent.parent


def runs_dir() -> Path:
    """The folder of all runs: TUNESMITH_RUNS, or `runs` in the project."""
    return Path(os.environ.get("TUNESMITH_RUNS") or ROOT / "runs").expanduser().resolve()


def uploads_dir() -> Path:
    """The folder of uploaded files: TUNESMITH_UPLOADS, or `uploads` beside the folder of runs."""
    return Path(os.environ.get("TUNESMITH_UPLOADS") or runs_dir().parent / "uploads").expanduser().resolve()


def cache_dir() -> Path:
    """The folder of what can be made anew from files of examples: TUNESMITH_CACHE, or `cache` beside the runs."""
    return Path(os.environ.get("TUNESMITH_CACHE") or runs_dir().parent / "cache").expanduser().resolve()


def is_public() -> bool:
    """Whether strangers may use this page: on a Hugging Face Space (SPACE_ID is set), or where TUNESMITH_PUBLIC=1.

    TUNESMITH_PUBLIC=0 takes it back, for a Space of one's own that nobody else may see.
    """
    said = os.environ.get("TUNESMITH_PUBLIC", "").strip().lower()
    return said in ("1", "true", "yes") or (not said and bool(os.environ.get("SPACE_ID")))


def resolve(path: str | Path, field: str = "") -> Path:
    """What a path in a config means: as it stands if absolute or there from here, else from the project's root.

    Args:
        field: of the config, that an error belongs to.

    Raises:
        InputError: this page is public, and the path leads out of the demo files, the uploads and the runs; whether
            anything is there is not told.
    """
    given = Path(path).expanduser()
    full = given.absolute() if given.is_absolute() or given.exists() else ROOT / given
    if is_public():
        real = full.resolve()
        open_to_all = (ROOT / "assets", runs_dir(), uploads_dir())
        inside = any(real.is_relative_to(folder) for folder in open_to_all)
        if not inside and (given.is_absolute() or not real.is_relative_to(ROOT) or real.exists()):
            raise InputError(
                f"{str(path)!r} cannot be used here: this page is open to everybody, so it reads only the demo files, "
                "uploads, runs and the Hub. Upload the file, or run Tunesmith on your own machine.",
                field,
            )
    return full


def portable(path: str | Path) -> str:
    """The shortest way to say a path in a config: relative to the project where it lies inside it."""
    full = Path(path).expanduser().absolute()
    return full.relative_to(ROOT).as_posix() if full.is_relative_to(ROOT) else str(full)


def refuse_unwritable(folder: Path) -> None:
    """InputError where a folder that is to be made, or written into, cannot be: said before the work, not after it."""
    near = next(place for place in (folder, *folder.parents) if os.path.exists(place))
    if not near.is_dir():
        raise InputError(f"The folder {folder} cannot be made: {near} is a file.")
    if not os.access(near, os.W_OK | os.X_OK):
        raise InputError(f"Nothing can be written into {near}: name a folder that you may write into.")
