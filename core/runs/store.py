"""Run directories: made, found, read and followed, deleted. Whoever reads may do so while they are written."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from core import config as configs
from core.config import RunConfig
from core.errors import InputError, nearest
from core.paths import place, portable, quoted, resolve, runs_dir
from core.runs import checkpoints, eventlog, records
from core.runs.about import about
from core.runs.about import data_name as data_name
from core.runs.about import describe_config as describe_config
from core.runs.curve import Curve
from core.runs.environment import describe
from core.runs.failures import FULL, explain
from core.runs.files import open_file, remove, tail, write_json, write_text
from core.runs.state import State, StateFile, read
from core.runs.versions import OfVersion, version

ID = re.compile(r"^[0-9A-Za-z][0-9A-Za-z._-]{0,120}$")
STAMP = re.compile(r"^(\d{8}-\d{6})(?:-|$)")
HINTED = 100  # ids that an unknown one is compared with letter by letter
_CONFIGS: OfVersion[RunConfig] = OfVersion(256)


@dataclass(frozen=True)
class Run:
    """One run directory. Nothing is kept in memory: every call reads what is there now."""

    dir: Path

    @property
    def id(self) -> str:
        """The name of the directory."""
        return self.dir.name

    @property
    def created(self) -> float:
        """When it was made, in seconds since 1970: from its id, or else from the directory."""
        found = STAMP.match(self.id)
        try:
            return _seconds(found[1]) if found else self.dir.stat().st_mtime
        except (ValueError, OSError):
            return 0.0

    @property
    def title(self) -> str:
        """What to call it: the name that it was given, or its data and method, or its id."""
        return about(self.dir).title

    def config(self) -> RunConfig:
        """The settings, as they were run. Raises InputError when config.yaml is missing or broken."""
        path = self.dir / "config.yaml"
        return _CONFIGS.get(str(path), (version(path),), lambda: configs.load(path, name="config.yaml of this run"))

    def pinned(self) -> RunConfig:
        """The settings, with the commit of the Hub's model that this run began with, where it is known."""
        config, model = self.config(), self.environment().get("model") or {}
        if model.get("path") != config.model.path or not model.get("commit"):
            return config
        return config.model_copy(update={"model": config.model.model_copy(update={"revision": model["commit"]})})

    def environment(self) -> dict[str, Any]:
        """environment.json: versions, machine, data fingerprint; {} where there is none, or none that can be read."""
        return records.ENVIRONMENT.find(self.dir / "environment.json") or {}

    def damage(self) -> str:
        """Which of the small files of the run cannot be read, and why, in sentences; "" where all can be."""
        state = read(self.dir / "state.json")
        unreadable = state.error if state is not None and state.reason == "unreadable" else ""
        return f"{about(self.dir).damage} {unreadable}".strip()

    def state(self) -> State:
        """The state of the training, as it really is; says from which step it can be resumed when it has failed."""
        state = read(self.dir / "state.json")
        if state is None:
            return State("failed", reason="unreadable", error="This is no complete run: it has no state.json.")
        if state.state == "failed" and state.reason not in ("input", "unreadable"):
            step = self.resumable
            if step:
                return replace(state, error=f"{state.error} It can be resumed from step {step}.")
        return state

    @property
    def resumable(self) -> int | None:
        """The step of the newest complete checkpoint, or None; judged by sizes, without reading the contents."""
        found = checkpoints.steps(self.dir / "checkpoints")
        return found[-1] if found else None

    @property
    def has_model(self) -> bool:
        """Whether tuned weights are there to be used; they are written under another name and renamed when whole."""
        return _is_file(self.dir / "model" / "config.json") or _is_file(self.dir / "model" / "adapter_config.json")

    def evaluation_state(self) -> State | None:
        """The state of the evaluation, or None when none was started."""
        return read(self.dir / "evaluation" / "state.json")

    def evaluation(self) -> dict[str, Any] | None:
        """The result of the last evaluation, or None where there is none that can be read."""
        return records.RESULT.find(self.dir / "evaluation" / "result.json")

    def evaluation_damage(self) -> str:
        """Why the result of the last evaluation cannot be read, in a sentence; "" where it can be."""
        return records.RESULT.damage(self.dir / "evaluation" / "result.json")

    def export_dir(self, device: str, precision: str) -> Path:
        """Where the export for a device and a precision lives."""
        return self.dir / "export" / f"{device}-{precision}"

    def export_state(self, device: str, precision: str) -> State | None:
        """The state of an export, or None when it was never started."""
        return read(self.export_dir(device, precision) / "state.json")

    def exports(self) -> list[tuple[str, str, State]]:
        """(device, precision, state) of every export that was started, newest first."""
        found = []
        with contextlib.suppress(OSError):  # a folder that cannot be looked into holds none that anybody could use
            for folder in (self.dir / "export").iterdir():
                device, _, precision = folder.name.rpartition("-")
                state = read(folder / "state.json") if device else None
                if state is not None:
                    found.append((_changed(folder / "state.json"), device, precision, state))
        return [(device, precision, state) for _, device, precision, state in sorted(found, key=lambda f: -f[0])]

    def events(self, since_byte: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The events after a byte of events.jsonl, and the byte to ask from next. Costs only what is new.

        A line that is still being written is left for the next call; one that is broken for good, or that says what no
        event says, is passed over. A number that is not finite (a loss that has become NaN) is None.
        """
        found: list[dict[str, Any]] = []
        at = 0
        for events, at in eventlog.read(self.dir / "events.jsonl", since_byte):
            found += events
        return found, at

    def curve(self, max_points: int = 1000) -> dict[str, Any]:
        """The whole course so far, thinned for a first look: see `Curve.thinned`; with `next_byte` for `events`."""
        events, next_byte = self.events()
        curve = Curve()
        curve.add(events)
        return curve.thinned(max_points) | {"next_byte": next_byte}

    def log(self, last: int = 200) -> list[str]:
        """The last lines that the training process printed."""
        return tail(self.dir / "output.log")[-last:]


def create(config: RunConfig, name: str = "", directory: Path | None = None) -> Run:
    """Make a run directory in the state `queued`.

    Args:
        config: the settings, written to config.yaml as they are. name: what to call it, or "".
        directory: where it shall be instead of in `runs_dir()`; empty, or not there yet.

    Raises:
        InputError: it cannot be made, or the directory holds something already.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", (name or f"{data_name(config.data.path)} {config.method.name}").lower())
    base = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{slug.strip('-')[:40].strip('-') or 'run'}"
    text, environment = configs.dumps(settled(config)), {"name": name.strip()} | describe(config)
    path, made = None, list[Path]()
    try:
        path = _claim(directory, made) if directory is not None else _new(base, made)
        write_text(path / "config.yaml", text)
        write_json(path / "environment.json", environment)
        StateFile(path / "state.json").queue()
    except BaseException as error:
        _take_back(path, made)
        if isinstance(error, InputError):
            raise
        if isinstance(error, UnicodeEncodeError):
            raise InputError(f"The name {name[:80]!r} holds half of a character: type it again.") from None
        if isinstance(error, OSError) and error.errno in FULL:
            raise InputError(explain(error, path or runs_dir())[1]) from None
        if isinstance(error, OSError):
            where, reason = directory or runs_dir(), (error.strerror or str(error)).lower()
            raise InputError(f"A run cannot be made in {quoted(where)}: {reason}.") from None
        raise
    return Run(path)


def discard(run: Run, there: set[Path]) -> None:
    """Remove a run that this process has just made, and that came to nothing.

    Args:
        there: the folders that were there before it: they stay, and those that were made around it go if empty.
    """
    shutil.rmtree(run.dir, ignore_errors=True)
    with contextlib.suppress(OSError):
        if run.dir in there:
            run.dir.mkdir()
        for folder in run.dir.parents:
            if folder in there:
                break
            folder.rmdir()


def _take_back(path: Path | None, made: list[Path]) -> None:
    """Remove what was claimed for a run: folders that were made, or what was written into one that was given."""
    for folder in made[:1]:
        shutil.rmtree(folder, ignore_errors=True)
    if path is not None and not made:
        for name in ("config.yaml", "environment.json", "state.json"):
            with contextlib.suppress(OSError):
                remove(path / name)


def settled(config: RunConfig) -> RunConfig:
    """The config with every path that is there written so that it means the same from any working directory.

    Raises:
        InputError: with its field: a path that can be none, or that may not be used here.
    """

    def settle(given: str, field: str) -> str:
        path, mark, part = given, "", ""
        if given.endswith("]") and not _exists(resolve(given, field)):
            path, mark, part = given.partition("[")
        here = resolve(path, field)
        return portable(here) + mark + part if _exists(here) else given

    model, data, held_out = config.model.path, config.data.path, config.evaluation.data
    held_out = held_out and settle(held_out, "evaluation.data")
    return config.model_copy(
        update={
            "model": config.model.model_copy(update={"path": settle(model, "model.path")}),
            "data": config.data.model_copy(update={"path": settle(data, "data.path")}),
            "evaluation": config.evaluation.model_copy(update={"data": held_out}),
        }
    )


def open_run(run_id: str) -> Run:
    """The run with an id. Raises InputError unless it is the plain name of a directory in `runs_dir()`."""
    root = runs_dir()
    path = root / run_id if ID.match(run_id) else None
    if path is None or not _within(path, root):
        ids = sorted((run.id for run in list_runs()), key=lambda id_: -_alike(run_id, id_))
        hint = nearest(run_id[:200], ids[:HINTED])
        raise InputError(f"There is no run {run_id[:200]!r}." + (f" Did you mean {hint!r}?" if hint else ""))
    return Run(path)


def find(target: str | Path) -> Run | None:
    """The run that a word on the command line means: an id, or the path of a run directory; None if it is neither.

    Raises:
        InputError: it can be neither, nor anything else that has a path: see core.paths.resolve.
    """
    text = str(target)
    if ID.match(text) and _is_run(runs_dir() / text):
        return Run(runs_dir() / text)
    path = resolve(text)
    return (
        Run(Path(os.path.realpath(path))) if _is_file(path / "config.yaml") and _is_file(path / "state.json") else None
    )


def list_runs() -> list[Run]:
    """All runs, newest first. A directory that is no run, or a broken one, does no harm.

    Raises:
        InputError: the folder of runs is there, and cannot be read.
    """
    root = runs_dir()
    try:
        with os.scandir(root) as entries:  # says what is a folder without a look at each
            names = [entry.name for entry in entries if ID.match(entry.name) and _is_folder(entry, root)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(f"The folder of runs cannot be read: {(error.strerror or str(error)).lower()}.") from None
    found = [Run(root / name) for name in names if _is_run(f"{root}/{name}")]
    return sorted(found, key=lambda run: (run.created, run.id), reverse=True)


def _is_folder(entry: os.DirEntry[str], root: Path) -> bool:
    return _within(Path(entry.path), root) if entry.is_symlink() else entry.is_dir(follow_symlinks=False)


@lru_cache(maxsize=10_000)
def _seconds(stamp: str) -> float:
    return datetime.strptime(stamp, "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp()


def _alike(a: str, b: str) -> int:
    """How many characters two ids have in common at their beginnings and ends."""
    return len(os.path.commonprefix((a, b))) + len(os.path.commonprefix((a[::-1], b[::-1])))


def delete(run: Run) -> None:
    """Delete a run with all that is in it. Raises InputError while something of it is under way."""
    busy = [("training", run.state()), ("evaluation", run.evaluation_state())]
    busy += [(f"export for {device} in {precision}", state) for device, precision, state in run.exports()]
    for what, state in busy:
        if state is not None and state.under_way:
            raise InputError(f"The run {run.id} is not deleted: its {what} is {state.state}. Stop it first.")
    if not _is_run(run.dir):
        raise InputError(f"{run.dir} is not deleted: it is no run directory.")
    gone = run.dir.with_name(f".deleted-{run.id}")
    try:
        run.dir.rename(gone)
        shutil.rmtree(gone)
    except OSError as error:
        raise InputError(f"The run {run.id} cannot be deleted: {(error.strerror or str(error)).lower()}.") from None


def _is_run(path: str | Path) -> bool:
    """Whether a folder is that of a run, however damaged: by the names in it; one that cannot be looked into may be."""
    for name in ("config.yaml", "state.json", "events.jsonl"):
        try:
            os.lstat(f"{path}/{name}")
        except PermissionError:
            return os.path.isdir(path)
        except (OSError, ValueError):
            continue
        return True
    return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _within(path: Path, root: Path) -> bool:
    """Whether it is a folder in the folder of runs itself, and no link out of it."""
    try:
        return path.is_dir() and (not path.is_symlink() or path.resolve().parent == root)
    except (OSError, RuntimeError):
        return False


def _changed(path: Path) -> float:
    """When it was written last, in seconds since 1970; 0: nobody knows."""
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0


def _new(base: str, made: list[Path]) -> Path:
    """A new directory in runs_dir(), noted in `made`; the name gets a number when two are made in one second."""
    root = runs_dir()
    root.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        path = root / (base if number == 1 else f"{base}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        made.append(path)
        return path
    raise InputError(f"A thousand runs were made in {portable(root)} within one second.")


def _claim(directory: Path, made: list[Path]) -> Path:
    """A directory that was asked for: made, which `made` notes (the outermost first), or taken when it is empty."""
    path = place(directory, "--run-dir")
    lacking = [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]
    for folder in reversed(lacking):
        folder.mkdir()
        made.append(folder)
    if any(path.iterdir()):
        raise InputError(f"The run directory {quoted(directory)} is not empty: choose another, or go on with --resume.")
    return path
