"""All runs as rows: what the files of each say of it, read once for each version of a file, and kept for later processes.

A run is its folder; what is kept here is derived from it. Each part of a row is remembered with the versions (inode, size,
time of change) of the files that it was read from, in this process and in one index in the cache folder, which may be deleted
at any time. Only a run that claims to be under way is judged anew: its process may be gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import orjson

from core.paths import cache_dir, runs_dir
from core.runs import about as abouts
from core.runs import eventlog, records
from core.runs.about import About, about
from core.runs.course import Course, Fold
from core.runs.files import write_bytes
from core.runs.state import UNDER_WAY, State
from core.runs.store import Run, list_runs
from core.runs.versions import OfVersion, Version, settled, version

MOST = 10_000  # runs that are remembered
FOLLOWED = 64  # logs of events that are read on from where they ended
JUDGED_S = 1.0  # a process that lives is looked for this often
WORTH = 16  # rows that were read anew make it worth to write the index again
FORMAT = 1
MODELS = ("model/adapter_config.json", "model/config.json")  # either is there: tuned weights can be used

T = TypeVar("T")


@dataclass(frozen=True)
class Standing:
    """The state of a run, as it really is, and the step that it can be resumed from (None: there is none)."""

    state: State
    resumable: int | None = None


@dataclass(frozen=True)
class RunSummary:
    """A row. `about` holds the words, `course` the figures; whatever cannot be read is a sentence in `state.error`."""

    run: Run
    created: float  # seconds since 1970
    state: State
    resumable: int | None = None  # the step of the newest complete checkpoint, of a run that has stopped or failed
    has_model: bool = False
    about: About = field(default_factory=lambda: About(""))
    course: Course = field(default_factory=Course)

    @property
    def id(self) -> str:
        """The name of the run's folder."""
        return self.run.id

    @property
    def title(self) -> str:
        """What to call it."""
        return self.about.title or self.run.id

    @property
    def damage(self) -> str:
        """Which of its small files cannot be read, and why, in sentences; "" where all can be."""
        unreadable = self.state.error if self.state.reason == "unreadable" else ""
        return f"{self.about.damage} {unreadable}".strip()


class Listing:
    """The rows of all runs. Threads take turns: what one has read, the next one finds."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._courses: OfVersion[Course] = OfVersion(MOST)
        self._standings: OfVersion[tuple[tuple[str, ...], Standing]] = OfVersion(MOST)
        self._folds: OrderedDict[str, tuple[int, int, Fold]] = OrderedDict()  # inode, next byte
        self._rows: dict[str, tuple[tuple[str, ...], tuple[Version, ...], RunSummary]] = {}
        self._judged: dict[str, float] = {}
        self._loaded: set[Path] = set()
        self._made = 0  # parts that were read since the index was written

    def summaries(self) -> list[RunSummary]:
        """All runs, newest first."""
        return self.newest(None)[0]

    def newest(self, most: int | None) -> tuple[list[RunSummary], int]:
        """The newest `most` runs (None: all), newest first, and how many there are."""
        runs = list_runs()
        with self._lock:
            found = [self.summary(run) for run in runs[:most]]
            if self._made >= WORTH:
                self._keep(runs)
        return found, len(runs)

    def summary(self, run: Run) -> RunSummary:
        """The row of one run. Never raises: a run whose files make no sense is a row that says so."""
        with self._lock:
            self._load()
            place = str(run.dir)
            try:
                if (row := self._rows.get(place)) is not None and row[1] == _versions(place, row[0]):
                    return row[2]
                return self._summary(run, place)
            except Exception as error:  # whatever stands in the files of one run, the others are listed
                what = f"The files of this run make no sense ({type(error).__name__}: {str(error)[:200]})."
                return RunSummary(run, run.created, State("failed", reason="unreadable", error=what))

    def _summary(self, run: Run, place: str) -> RunSummary:
        before = {name: version(f"{place}/{name}") for name in ("events.jsonl", *MODELS, *abouts.FILES)}
        standing = self._standing(run, place)
        model = any(before[name] is not None for name in MODELS)
        row = RunSummary(
            run, run.created, standing.state, standing.resumable, model, about(run.dir),
            self._course(place, standing.state.under_way),
        )  # fmt: skip
        if (known := self._standings.found(place)) is None or row.state.under_way:
            self._rows.pop(place, None)
        else:  # as it stands until one of these files changes
            names = (*before, *known[1][0])
            versions = (*before.values(), *known[0])
            if settled(*versions):
                self._rows[place] = (names, versions, row)
        while len(self._rows) > MOST:
            del self._rows[next(iter(self._rows))]
        return row

    def _standing(self, run: Run, place: str) -> Standing:
        """The state: of a run that has ended as it was read, of one under way judged at least once a second."""
        found = self._standings.found(place)
        if found is not None:
            versions, (names, standing) = found
            if versions == _versions(place, names):
                if not standing.state.under_way or time.monotonic() - self._judged.get(place, -JUDGED_S) < JUDGED_S:
                    return standing
        claims = (records.STATE.find(run.dir / "state.json") or {}).get("state") in UNDER_WAY
        names = ("state.json", "checkpoints", *(("job.json", "stop") if claims else ()))
        versions = _versions(place, names)
        state = run.state()
        standing = Standing(state, run.resumable if state.state in ("failed", "stopped") else None)
        if state.state == "done" and not claims:
            names, versions = names[:1], versions[:1]
        self._standings.put(place, versions, (names, standing))
        if state.under_way:
            self._judged[place] = time.monotonic()
        else:
            self._made += self._judged.pop(place, None) is None
        return standing

    def _course(self, place: str, live: bool) -> Course:
        path = f"{place}/events.jsonl"
        now = version(path)

        def read() -> Course:
            inode, at, fold = self._folds.pop(place, (0, 0, Fold()))
            if now is None or now[0] != inode or now[1] < at:
                inode, at, fold = now[0] if now else 0, 0, Fold()
            for events, at in eventlog.read(Path(path), at):
                for event in events:
                    fold.add(event)
            if live:
                self._folds[place] = (inode, at, fold)
                while len(self._folds) > FOLLOWED:
                    self._folds.popitem(last=False)
            self._made += not live
            return fold.course()

        return self._courses.get(place, (now,), read)

    # The index: what was known of all runs when it was written. Another process may have written it.

    def _load(self) -> None:
        """Take in the index, once for each folder of runs; entries that make no sense are left out."""
        root = runs_dir()
        if root in self._loaded:
            return
        self._loaded.add(root)
        try:
            said = orjson.loads(index_file(root).read_bytes())
            if said["format"] != FORMAT or said["root"] != str(root):
                return
            rows = [(str(root / name), row) for name, row in said["runs"].items()]
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return
        for place, row in rows:
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                words, course, standing = row["about"], row["course"], row["standing"]
                if words:
                    abouts.KNOWN.put(place, _taken(words[0]), _as(About, words[1]))
                if course:
                    self._courses.put(place, _taken(course[0]), _as(Course, course[1]))
                if standing:
                    step = standing[3]
                    if not isinstance(step, int | None):
                        raise TypeError
                    names = tuple(str(name) for name in standing[1])
                    known = Standing(_as(State, standing[2]), step)
                    self._standings.put(place, _taken(standing[0]), (names, known))

    def _keep(self, runs: Iterable[Run]) -> None:
        """Write the index. Where the cache cannot be written, later processes read the runs themselves."""
        rows = {}
        for run in runs:
            place, row = str(run.dir), dict[str, Any](about=None, course=None, standing=None)
            if words := abouts.KNOWN.found(place):
                row["about"] = [words[0], asdict(words[1])]
            if course := self._courses.found(place):
                row["course"] = [course[0], asdict(course[1])]
            if (standing := self._standings.found(place)) and not standing[1][1].state.under_way:
                names, known = standing[1]
                row["standing"] = [standing[0], names, asdict(known.state), known.resumable]
            rows[run.id] = row
        root = runs_dir()
        with contextlib.suppress(OSError):
            file = index_file(root)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(file, orjson.dumps({"format": FORMAT, "root": str(root), "runs": rows}))
        self._made = 0


def index_file(root: Path) -> Path:
    """Where the index of a folder of runs lies."""
    return cache_dir() / f"runs-{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.json"


def _versions(place: str, names: Iterable[str]) -> tuple[Version, ...]:
    return tuple([version(f"{place}/{name}") for name in names])


def _taken(said: Any) -> tuple[Version, ...]:
    """Versions as an index has them. Raises TypeError or ValueError where they are none."""
    found = []
    for one in said:
        if one is not None:
            inode, size, changed = one
            if not all(type(number) is int for number in one):
                raise TypeError
            one = inode, size, changed
        found.append(one)
    return tuple(found)


KINDS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: type(value) is str,
    "int": lambda value: type(value) is int,
    "bool": lambda value: type(value) is bool,
    "float": lambda value: type(value) in (int, float),
    "None": lambda value: value is None,
    "tuple[float, ...]": lambda value: type(value) is list and all(type(one) in (int, float) for one in value),
}


def _as(kind: type[T], said: Any) -> T:
    """The dataclass of these values. Raises TypeError, KeyError or AttributeError where they are not of its types."""
    for one in fields(kind):  # type: ignore[arg-type]
        if not any(KINDS[part.strip()](said[one.name]) for part in str(one.type).split("|")):
            raise TypeError
    return kind(**{key: tuple(value) if type(value) is list else value for key, value in said.items()})


LISTING = Listing()
