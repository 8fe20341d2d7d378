"""Run directories: made, found, read and followed, deleted. Whoever reads may do so while they are written."""

from __future__ import annotations

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
from core.paths import portable, resolve, runs_dir
from core.runs import checkpoints, eventlog
from core.runs.about import about
from core.runs.about import data_name as data_name
from core.runs.about import describe_config as describe_config
from core.runs.curve import Curve
from core.runs.environment import describe
from core.runs.files import read_json, tail, write_json, write_text
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
        return _CONFIGS.get(str(path), (version(path),), lambda: configs.load(path))

    def pinned(self) -> RunConfig:
        """The settings, with the commit of the Hub's model that this run began with, where it is known."""
        config, model = self.config(), self.environment().get("model") or {}
        if model.get("path") != config.model.path or not model.get("commit"):
            return config
        return config.model_copy(update={"model": config.model.model_copy(update={"revision": model["commit"]})})

    def environment(self) -> dict[str, Any]:
        """environment.json: versions, machine, data fingerprint; {} where there is none."""
        return read_json(self.dir / "environment.json") or {}

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
        return (self.dir / "model" / "config.json").is_file() or (self.dir / "model" / "adapter_config.json").is_file()

    def evaluation_state(self) -> State | None:
        """The state of the evaluation, or None when none was started."""
        return read(self.dir / "evaluation" / "state.json")

    def evaluation(self) -> dict[str, Any] | None:
        """The result of the last evaluation, or None."""
        return read_json(self.dir / "evaluation" / "result.json")

    def export_dir(self, device: str, precision: str) -> Path:
        """Where the export for a device and a precision lives."""
        return self.dir / "export" / f"{device}-{precision}"

    def export_state(self, device: str, precision: str) -> State | None:
        """The state of an export, or None when it was never started."""
        return read(self.export_dir(device, precision) / "state.json")

    def exports(self) -> list[tuple[str, str, State]]:
        """(device, precision, state) of every export that was started, newest first."""
        found = []
        for path in (self.dir / "export").glob("*-*/state.json"):
            device, _, precision = path.parent.name.rpartition("-")
            state = read(path)
            if device and state is not None:
                found.append((path.stat().st_mtime, device, precision, state))
        return [(device, precision, state) for _, device, precision, state in sorted(found, key=lambda f: -f[0])]

    def events(self, since_byte: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The events after a byte of events.jsonl, and the byte to ask from next. Costs only what is new.

        A line that is still being written is left for the next call; one that is broken for good is passed over.
        A number that is not finite (a loss that has become NaN) is None.
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
    try:
        path = _claim(directory) if directory is not None else _new(base)
        config = settled(config)
        write_text(path / "config.yaml", configs.dumps(config))
        write_json(path / "environment.json", {"name": name.strip()} | describe(config))
        StateFile(path / "state.json").queue()
    except OSError as error:
        place = directory or runs_dir()
        raise InputError(f"A run cannot be made in {str(place)!r}: {(error.strerror or str(error)).lower()}.") from None
    return Run(path)


def settled(config: RunConfig) -> RunConfig:
    """The config with every path that is there written so that it means the same from any working directory."""

    def settle(given: str) -> str:
        path, mark, part = given, "", ""
        if given.endswith("]") and not resolve(given).exists():
            path, mark, part = given.partition("[")
        return portable(resolve(path)) + mark + part if resolve(path).exists() else given

    held_out = config.evaluation.data
    return config.model_copy(
        update={
            "model": config.model.model_copy(update={"path": settle(config.model.path)}),
            "data": config.data.model_copy(update={"path": settle(config.data.path)}),
            "evaluation": config.evaluation.model_copy(update={"data": held_out and settle(held_out)}),
        }
    )


def open_run(run_id: str) -> Run:
    """The run with an id. Raises InputError unless it is the plain name of a directory in `runs_dir()`."""
    root = runs_dir()
    path = root / run_id if ID.match(run_id) else None
    if path is None or not path.is_dir() or (path.is_symlink() and path.resolve().parent != root):
        ids = sorted((run.id for run in list_runs()), key=lambda id_: -_alike(run_id, id_))
        hint = nearest(run_id[:200], ids[:HINTED])
        raise InputError(f"There is no run {run_id[:200]!r}." + (f" Did you mean {hint!r}?" if hint else ""))
    return Run(path)


def find(target: str | Path) -> Run | None:
    """The run that a word on the command line means: an id, or the path of a run directory; None if it is neither."""
    text = str(target)
    if ID.match(text) and (runs_dir() / text / "config.yaml").is_file():
        return Run(runs_dir() / text)
    path = Path(text).expanduser()
    return Run(path.resolve()) if (path / "config.yaml").is_file() and (path / "state.json").is_file() else None


def list_runs() -> list[Run]:
    """All runs, newest first. A directory that is no run, or a broken one, does no harm."""
    root = runs_dir()
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:  # says what is a folder without a look at each
        names = [entry.name for entry in entries if ID.match(entry.name) and _is_folder(entry, root)]
    found = [Run(root / name) for name in names if _is_run(f"{root}/{name}")]
    return sorted(found, key=lambda run: (run.created, run.id), reverse=True)


def _is_folder(entry: os.DirEntry[str], root: Path) -> bool:
    if entry.is_symlink():
        path = Path(entry.path)
        return path.is_dir() and path.resolve().parent == root
    return entry.is_dir()


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
    return any(os.path.isfile(f"{path}/{name}") for name in ("config.yaml", "state.json", "events.jsonl"))


def _new(base: str) -> Path:
    """A new directory in runs_dir(); the name gets a number when two are made in one second."""
    root = runs_dir()
    root.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        path = root / (base if number == 1 else f"{base}-{number}")
        try:
            path.mkdir()
            return path
        except FileExistsError:
            continue
    raise InputError(f"A thousand runs were made in {portable(root)} within one second.")


def _claim(directory: Path) -> Path:
    """A directory that was asked for: made, or taken when it is empty."""
    path = Path(directory).expanduser().absolute()
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise InputError(f"The run directory {str(directory)!r} is not empty: choose another, or go on with --resume.")
    return path
