"""Where things are: the project itself, the runs, and what a path that somebody wrote means."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path, PureWindowsPath

from core.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 255  # bytes of a file's name, on the usual file systems


def runs_dir() -> Path:
    """The folder of all runs: TUNESMITH_RUNS, or `runs` in the project."""
    return _folder("TUNESMITH_RUNS") or ROOT / "runs"


def uploads_dir() -> Path:
    """The folder of uploaded files: TUNESMITH_UPLOADS, or `uploads` beside the folder of runs."""
    return _folder("TUNESMITH_UPLOADS") or runs_dir().parent / "uploads"


def cache_dir() -> Path:
    """The folder of what can be made anew from files of examples: TUNESMITH_CACHE, or `cache` beside the runs."""
    return _folder("TUNESMITH_CACHE") or runs_dir().parent / "cache"


def _folder(name: str) -> Path | None:
    """The folder that a variable of the environment names; None where it names none."""
    given = os.environ.get(name, "")
    return Path(os.path.realpath(place(given, name))) if given.strip() else None


def is_public() -> bool:
    """Whether strangers may use this page: on a Hugging Face Space (SPACE_ID is set), or where TUNESMITH_PUBLIC=1.

    TUNESMITH_PUBLIC=0 takes it back, for a Space of one's own that nobody else may see.
    """
    said = os.environ.get("TUNESMITH_PUBLIC", "").strip().lower()
    return said in ("1", "true", "yes") or (not said and bool(os.environ.get("SPACE_ID")))


def place(path: str | Path, what: str = "") -> Path:
    """Where a path that somebody wrote leads from here: absolute, with `~` for a home. Nothing need be there.

    Args:
        what: the field of the config, or the argument, that it was given for.

    Raises:
        InputError: it is empty, or no path: too long, the home of nobody, with a character that no path has.
    """
    text, of = os.fspath(path), f" for {what}" if what else ""
    field = "" if what.startswith("-") or what.isupper() else what
    if not text.strip():
        raise InputError(f"No path is given{of}.", field)
    try:
        given = Path(text).expanduser()
        if any(len(os.fsencode(part)) > LONGEST for part in given.parts):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(given)  # asks the system whether it can be a path at all
        if os.name == "nt" and PureWindowsPath(text).is_reserved():
            raise ValueError("Windows keeps this name for a device")
        return given.absolute()
    except RuntimeError:
        reason = f"there is no user {text[1:].partition('/')[0][:40]!r} here"
    except UnicodeEncodeError:
        reason = "it holds half of a character"
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL):
            raise InputError(f"{quoted(text)} cannot be used{of}: {reason}.", field) from None
    except ValueError as error:
        reason = "it holds a character that no path has" if "null" in str(error) else str(error)
    raise InputError(f"{quoted(text)} is no path{of}: {reason}.", field)


def quoted(path: str | Path) -> str:
    """A path for a sentence: whole, unless it is far longer than any that people write."""
    text = os.fspath(path)
    return repr(text) if len(text) <= 300 else f"{text[:60]!r}... ({len(text):,} characters)"


def resolve(path: str | Path, field: str = "") -> Path:
    """What a path in a config means: as it stands if absolute or there from here, else from the project's root.

    Args:
        field: of the config, that an error belongs to.

    Raises:
        InputError: it is no path; or this page is public, and the path leads out of the demo files, the uploads and the
            runs: whether anything is there, or whether a user has that name, is not told.
    """
    text = os.fspath(path)
    if is_public() and text.startswith("~"):
        raise _closed(text, field)
    try:
        given = place(text, field)
        at_home = Path(text).is_absolute() or text.startswith("~") or given.exists()
        full = given if at_home else ROOT / text
        if not is_public():
            return full
        real = Path(os.path.realpath(full))
        outside = not any(real.is_relative_to(folder) for folder in (ROOT / "assets", runs_dir(), uploads_dir()))
        if outside and (Path(text).is_absolute() or not real.is_relative_to(ROOT) or real.exists()):
            raise _closed(text, field)
        return full
    except (InputError, OSError) as error:
        if is_public() and text.strip():
            raise _closed(text, field) from None
        if isinstance(error, InputError):
            raise
        raise InputError(f"{quoted(text)} cannot be used: {(error.strerror or str(error)).lower()}.", field) from None


def _closed(text: str, field: str) -> InputError:
    """What a stranger is told of a path that is not for all: the same, whatever the reason."""
    return InputError(
        f"{quoted(text)} cannot be used here: this page is open to everybody, so it reads only the demo files, "
        "uploads, runs and the Hub. Upload the file, or run Tunesmith on your own machine.",
        field,
    )


def portable(path: str | Path) -> str:
    """The shortest way to say a path in a config: relative to the project where it lies inside it."""
    full = Path(path).expanduser().absolute()
    return full.relative_to(ROOT).as_posix() if full.is_relative_to(ROOT) else str(full)


def refuse_unwritable(folder: Path, what: str = "") -> None:
    """InputError where a folder that is to be made, or written into, cannot be: said before the work, not after it.

    Args:
        what: the argument that names it.
    """
    begin = f"{what}: the folder" if what else "The folder"
    near = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if not near.is_dir():
        thing = "a link that leads nowhere" if near.is_symlink() and not near.exists() else "a file"
        raise InputError(f"{begin} {folder} cannot be made: {near} is {thing}.")
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".tunesmith-", dir=near))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(
            f"{begin} {folder} cannot be used: nothing can be written into {near} ({reason}). Name another."
        ) from None
