"""Open examples by a path or a Hub id, whole or a slice, and hand out rows; the bundled demo sets."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data import readers
from core.data.formats import Layout
from core.data.recognise import recognise
from core.data.rows import Rows
from core.errors import InputError
from core.models.hub import fetch
from core.models.tokenizer import looks_like_id
from core.paths import ROOT, portable, resolve

FIELD = "data.path"
SAMPLE = 200  # rows that are looked at to recognise a layout
_SLICE = re.compile(r"^(?P<path>.*?)\[(?P<slice>[^\[\]]*)\]$", re.DOTALL)
_BOUNDS = re.compile(r"^\s*(?P<start>-?\d+%?)?\s*:\s*(?P<stop>-?\d+%?)?\s*$")


@dataclass(frozen=True)
class Source:
    """Examples that were opened.

    Attributes:
        name: short, for people and run ids: "fields", "banking77_train".
        path: the spec to write into a config.
        rows: the rows.
        columns: their names.
        layout: how the columns are read.
        fingerprint: sha256 of the file's content and the slice, in hex.
        notes: sentences about how the file was read.
        held: positions of the rows that are kept back whatever the share, as a slice or a file of their own says; None
            where the split decides.
    """

    name: str
    path: str
    rows: Rows
    columns: list[str]
    layout: Layout
    fingerprint: str
    notes: list[str] = dataclasses.field(default_factory=list)
    held: np.ndarray | None = None


_LOCK = threading.Lock()


def open_data(spec: str, name: str | None = None, split: str | None = None) -> Source:
    """Open examples; cheap when they were opened before and have not changed.

    Args:
        spec: a path (see core.paths.resolve) or a data set id on the Hub, with an optional slice of rows as Python
            writes it: `rows.jsonl[:100]`, `rows.jsonl[-20:]`, `rows.jsonl[10%:20%]`.

    Raises:
        InputError: field "data.path"; one sentence.
    """
    spec = str(spec).strip()
    if not spec:
        raise InputError("No data is chosen: give a file of examples.", FIELD)
    if "\0" in spec:
        raise InputError("The path of the data holds a character that no path has.", FIELD)
    path, part = spec, None
    if (found := _SLICE.match(spec)) and not _place(spec).exists():
        path, part = found["path"], found["slice"]
    file, sheet = _place(path), name or None
    if not file.exists() and looks_like_id(path) and not file.parent.is_dir():
        if file.suffix.lower() not in (*readers.KINDS, ".gz"):
            file, sheet = fetch_data(path), None
    try:
        stat = file.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
    except OSError:
        stamp = (0, 0)
    if split:
        if part is not None:
            raise InputError(f"{spec!r} has a slice already, and data.split gives another: {split}.", "data.split")
        found = re.fullmatch(r"train\s*(?:\[(?P<slice>[^\[\]]*)\])?", split.strip())
        if not found:
            raise InputError(f"There is no split {split!r}: write train, or a slice such as train[:100].", "data.split")
        part = found["slice"]
    with _LOCK:  # two visitors who ask at once wait for one reading
        whole = _open(str(file), stamp, path, sheet)
        return whole if part is None else _sliced(whole, spec, part, path)


def _place(path: str) -> Path:
    """Where a path leads.

    Raises:
        InputError: no path at all: too long, or the home of nobody.
    """
    try:
        return resolve(path, FIELD)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path[:80]!r} is no path: {reason.lower().rstrip('.')}.", FIELD) from None


@functools.lru_cache(maxsize=8)
def _open(file: str, stamp: tuple[int, int], spec: str, sheet: str | None) -> Source:
    try:
        table = readers.read(file, sheet)
    except OSError as error:
        raise InputError(
            f"{Path(file).name[:80]!r} cannot be read: {(error.strerror or str(error)).lower()}.", FIELD
        ) from None
    rows = Rows(table.data, table.json)
    step = max(1, len(rows) / SAMPLE)
    layout = recognise(table.columns, rows.take([int(i * step) for i in range(min(SAMPLE, len(rows)))]))
    return Source(_short(Path(file)), spec, rows, table.columns, layout, table.digest, table.notes)


def _short(file: Path) -> str:
    """A short name: the file's, or its folder's where the file's says nothing."""
    stem = file.name.removesuffix(".gz")
    stem = stem.rsplit(".", 1)[0] if "." in stem else stem
    return (
        file.parent.name if stem.lower() in ("train", "data", "test", "heldout", "rows") and file.parent.name else stem
    )


def _sliced(whole: Source, spec: str, part: str, path: str) -> Source:
    count = len(whole.rows)
    rows = whole.rows[slice_of(f"[{part}]", count, path)]
    if not len(rows):
        raise InputError(f"The slice [{part}] of {path} holds no rows: the file has {count:,}.", FIELD)
    mark = hashlib.sha256(f"{whole.fingerprint}[{part}]".encode()).hexdigest()
    notes = [*whole.notes, f"Rows [{part}] of {count:,}."]
    return dataclasses.replace(whole, path=spec, rows=rows, fingerprint=mark, notes=notes)


def slice_of(part: str, count: int, path: str) -> slice:
    """What a slice such as [:100] or [10%:20%] means for `count` rows of `path`.

    Raises:
        InputError: field "data.path"; it is empty or no slice.
    """
    inner = part.strip()[1:-1]
    if not inner.strip():
        raise InputError(f"The slice in {path + part!r} is empty: write rows as {path}[0:100].", FIELD)
    bounds = _BOUNDS.match(inner)
    if not bounds:
        raise InputError(
            f"{part} is no slice of rows: write [start:stop] in whole numbers or percents, as [:100] or [10%:20%].",
            FIELD,
        )
    return slice(_bound(bounds["start"], count), _bound(bounds["stop"], count))


def _bound(text: str | None, count: int) -> int | None:
    if text is None:
        return None
    if text.endswith("%"):
        share = int(text[:-1])
        if not -100 <= share <= 100:
            raise InputError(f"{text} is no share of the rows: between -100% and 100%.", FIELD)
        return round(count * share / 100)
    return int(text)


def fetch_data(name: str) -> Path:
    """The training file of a data set on the Hub (fetching is not verified here, where there is no network).

    Raises:
        InputError: the Hub cannot be reached, there is no such set, or it has no single file that can be read.
    """

    def choose(files: list[str]) -> list[str]:
        readable = [f for f in files if Path(f.lower().removesuffix(".gz")).suffix in set(readers.KINDS) - {".md"}]
        readable = [f for f in readable if Path(f).stem.lower() not in ("license", "dataset_infos", "requirements")]
        train = sorted(f for f in readable if "train" in f.lower()) or sorted(readable)
        if not train:
            raise InputError(f"The data set {name!r} on the Hub has no CSV, JSON, Parquet or text file.", FIELD)
        if re.search(r"-of-\d+", train[0]) and len(train) > 1:
            raise InputError(
                f"The data set {name!r} comes in {len(train)} parts: download the one you want and give its path.",
                FIELD,
            )
        return train[:1]

    return fetch("dataset", name, choose, FIELD)[0]


@dataclass(frozen=True)
class DemoSet:
    """A bundled set: where its files are (as a config writes them), how many rows, what it is, in one sentence."""

    name: str
    path: str
    heldout: str
    config_path: str
    rows: int
    sentence: str


DEMOS = {
    "fields": "A note in plain words becomes JSON with its fields.",
    "tone": "A phrase gets its tone, one word out of a few.",
    "summary": "A paragraph becomes one line.",
    "instructions": "Instructions and answers, with some talks of several turns.",
}


def demo_sets() -> list[DemoSet]:
    """The bundled sets that are there, the leading one first."""
    found = []
    for name, sentence in DEMOS.items():
        train, heldout = (ROOT / "assets" / "data" / name / f"{part}.jsonl" for part in ("train", "heldout"))
        if train.is_file():
            rows = len(open_data(str(train)).rows)
            config = portable(ROOT / "assets" / "configs" / f"{name}.yaml")
            found.append(DemoSet(name, portable(train), portable(heldout), config, rows, sentence))
    return found
