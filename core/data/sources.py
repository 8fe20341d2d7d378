"""Open examples by a path or a Hub id, whole or a slice, and hand out rows; the bundled demo sets."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.data import readers
from core.data.chained import chained
from core.data.class_names import name_classes
from core.data.entities import add_entities
from core.data.files import canonical, choose, is_pattern, matching, parted, within
from core.data.formats import Layout
from core.data.hubsets import fetch_data as fetch_data
from core.data.hubsets import fetch_set
from core.data.numbers import one_spelling
from core.data.padding import padded
from core.data.recognise import recognise
from core.data.reshape import reshape
from core.data.rows import Rows
from core.data.several import read_all
from core.data.tables import Table
from core.data.unfold import unfold
from core.errors import InputError
from core.models.tokenizer import looks_like_id
from core.paths import ROOT, portable, resolve

FIELD, SPLIT = "data.path", "data.split"
SAMPLE = 200  # rows that are looked at to recognise a layout
_SLICE = re.compile(r"^(?P<path>.*?)\[(?P<slice>[^\[\]]*)\]$", re.DOTALL)
_PLAIN = ("train", "data", "test", "heldout", "rows")  # names that say nothing
_SPLIT = re.compile(r"(?P<split>[\w.-]+)?\s*(?:\[(?P<slice>[^\[\]]*)\])?")
_BOUNDS = re.compile(r"^\s*(?P<start>-?\d{1,15}%?)?\s*:\s*(?P<stop>-?\d{1,15}%?)?\s*$")


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
        made: columns that were made here -> those that they follow from.
        lists: the lists of rows that the file holds, by name, where it holds several.
    """

    name: str
    path: str
    rows: Rows
    columns: list[str]
    layout: Layout
    fingerprint: str
    notes: list[str] = dataclasses.field(default_factory=list)
    held: np.ndarray | None = None
    made: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    lists: tuple[str, ...] = ()


_LOCK = threading.Lock()


def open_data(spec: str, name: str | None = None, split: str | None = None) -> Source:
    """Open examples; cheap when they were opened before and have not changed.

    Args:
        spec: a file, a folder, a pattern (`data/part-*.jsonl`) or a data set id on the Hub, with an optional slice of
            rows as Python writes it: `rows.jsonl[:100]`, `rows.jsonl[-20:]`, `rows.jsonl[10%:20%]`.
        name: the configuration of a set on the Hub, or the folder of one inside a folder; the sheet of a workbook.
        split: train, validation, test or another that there is, a slice of one (`train[:4096]`), or a slice. Without
            it: what there is to train on. A single file is all train.

    Raises:
        InputError: field "data.path", "data.name" or "data.split"; one sentence.
    """
    spec = str(spec).strip()
    if not spec:
        raise InputError("No data is chosen: give a file of examples.", FIELD)
    path, part = spec, None
    if (found := _SLICE.match(spec)) and not resolve(spec, FIELD).exists():
        path, part = found["path"], found["slice"]
    of = None
    if split and split.strip():
        asked = _SPLIT.fullmatch(split.strip())
        if not asked:
            raise InputError(
                f"{split!r} is no split: write train, validation or test, or a slice such as train[:100].", SPLIT
            )
        of = asked["split"]
        if part is not None and asked["slice"] is not None:
            raise InputError(f"{spec!r} has a slice already, and data.split gives another: {split}.", SPLIT)
        part = part if asked["slice"] is None else asked["slice"]
    chosen = _files(path, name or None, of)
    with _LOCK:  # two visitors who ask at once wait for one reading
        stamped = tuple((str(file), *_stamp(file)) for file in chosen.files)
        whole = _open(stamped, path, chosen.short, chosen.sheet, chosen.part)
    if whole.lists and not resolve(path, FIELD).is_file():
        whole = dataclasses.replace(whole, lists=())  # of a folder or a set the splits are its files
    if chosen.notes:
        whole = dataclasses.replace(whole, notes=[*chosen.notes, *whole.notes])
    return whole if part is None else _sliced(whole, spec, part, path)


@dataclass(frozen=True)
class _Files:
    """What a path stands for: files, a short name for them, the sheet to read of a workbook, notes, and the list to
    read of a JSON file that holds several."""

    files: list[Path]
    short: str
    sheet: str | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
    part: str | None = None


def _files(path: str, name: str | None, split: str | None) -> _Files:
    place = resolve(path, FIELD)
    if place.is_dir():
        if name and (inside := resolve(place / name, "data.name")).is_dir():
            place, name = inside, None
        return _chosen(within(place), name, split, path, _folder(place.resolve()))
    if not place.exists():
        if is_pattern(path):
            return _chosen(matching(path), name, split, path, "")
        known = place.suffix.lower() in (*readers.KINDS, ".gz")
        if looks_like_id(path) and not place.parent.is_dir() and not known:
            fetched = fetch_set(path, name, split)
            return _Files(fetched.files, path.rsplit("/", 1)[-1], notes=fetched.notes)
    elif not place.is_file():
        raise InputError(f"{path[:80]!r} is no plain file: a pipe or a device cannot be read as examples.", FIELD)
    return _Files([place], _short(place), name, part=None if split is None or canonical(split) == "train" else split)


def _chosen(found: dict[str, Path], sheet: str | None, split: str | None, path: str, short: str) -> _Files:
    names, notes = choose(parted(list(found)), split, path)
    files = [found[name] for name in names]
    short = short or (_short(files[0]) if len(files) == 1 else _folder(files[0].parent))
    return _Files(files, short, sheet, notes)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


@functools.lru_cache(maxsize=8)
def _open(
    files: tuple[tuple[str, int, int], ...], spec: str, short: str, sheet: str | None, part: str | None
) -> Source:
    table = read_all([Path(file) for file, *_ in files], lambda file: _read(file, sheet, part))
    sample = _sample(table)
    for change in (name_classes, one_spelling, chained, unfold, add_entities, reshape):
        if (changed := change(table, sample)) is not table:
            table, sample = changed, _sample(changed)
        if not table.data.num_rows:
            raise InputError(" ".join([f"{short!r} has no rows that can be used.", *table.notes]), FIELD)
    layout = recognise(table.columns, sample)
    rows = Rows(table.data, table.json)
    if edit := padded(table.columns, sample):
        rows = rows.edited(edit)
    return Source(short, spec, rows, table.columns, layout, table.digest, table.notes, None, table.made, table.lists)


def _sample(table: Table) -> list[dict[str, Any]]:
    """At most SAMPLE rows, evenly spaced."""
    return list(Rows(table.data, table.json).spaced(SAMPLE))


def _read(file: Path, sheet: str | None, part: str | None) -> Table:
    try:
        table = readers.read(file, sheet, part)
        if part is not None and not table.lists and canonical(part) != "train":
            raise InputError(f"There is no split {part!r} in {file.name}: a single file is all train.", SPLIT)
        return table
    except OSError as error:
        raise InputError(
            f"{file.name[:80]!r} cannot be read: {(error.strerror or str(error)).lower()}.", FIELD
        ) from None


def _short(file: Path) -> str:
    """A short name: the file's, or its folder's where the file's says nothing."""
    stem = file.name.removesuffix(".gz")
    stem = stem.rsplit(".", 1)[0] if "." in stem else stem
    return file.parent.name if stem.lower() in _PLAIN and file.parent.name else stem


def _folder(folder: Path) -> str:
    """A folder's name, or that of the one it is in where its own says nothing."""
    return folder.parent.name if folder.name.lower() in _PLAIN and folder.parent.name else folder.name


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
