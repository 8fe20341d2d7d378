"""Training and validation rows: by the content of each row, so that the same rows part the same way in any order."""

from __future__ import annotations

import hashlib
import heapq
import json
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.config import RunConfig
from core.data import deal
from core.data.deal import Units
from core.data.formats import as_text, is_bad
from core.data.rows import Rows
from core.data.template import names_column
from core.errors import InputError, nearest

if TYPE_CHECKING:
    from core.data.sources import Source

KEY = 16  # bytes that stand for the content of a row
LISTED = 5  # names in a note
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=str)
_KEYS: weakref.WeakKeyDictionary[Rows, np.ndarray] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Split:
    """Positions of the rows that are trained on and of those kept back, each in the order of the file."""

    train: list[int]
    validation: list[int]
    notes: list[str] = field(default_factory=list)


def split_source(source: Source, config: RunConfig) -> Split:
    """The division of a source under a config: the rows kept back, and all others to train on.

    Training, evaluation, export and the page all take their rows from this. What is kept back: the rows that the source
    holds for it (`source.held`); else the fold `data.fold` of `data.folds`; else the share `data.validation`. Fold and
    share follow `training.seed`, are fair to the values of `data.stratify` (or to the label, where the rows have one),
    and never part the rows of one value of `data.group_by`. With the fix drop_leaked the training rows that ask what a
    row kept back or held out asks are on neither side, and rows whose answer is marked as a bad one never are.

    Raises:
        InputError: no row is left; a column is not there, or the rows cannot be parted so; `field` says which setting.
    """
    places = _desired(source, config)
    if places is None:
        parts = _parted(source, config)
    else:
        gone, held = len(source.rows) - len(places), source.held
        still = None if held is None else np.flatnonzero(np.isin(places, held))
        made = _parted(replace(source, rows=source.rows.take(places), held=still), config)
        column = source.layout.roles["desired"]
        many = "1 row is" if gone == 1 else f"{gone:,} rows are"
        note = f"{many} on neither side: {column!r} marks the answer as a bad one."
        parts = Split(places[made.train].tolist(), places[made.validation].tolist(), [*made.notes, note])
    return _without_leaked(source, parts, config) if "drop_leaked" in config.data.fixes else parts


def _parted(source: Source, config: RunConfig) -> Split:
    data, seed = config.data, config.training.seed
    if source.held is not None:
        return _with_held(source.rows, source.held)
    for name, chosen in (("stratify", data.stratify), ("group_by", data.group_by)):
        if chosen is not None and chosen not in source.columns:
            raise InputError(_no_column(chosen, source.columns), f"data.{name}")
    stratify = data.stratify or (source.layout.roles["label"] if source.layout.name == "text_label" else None)
    if data.folds is not None:
        return split_fold(source.rows, data.folds, data.fold, seed, stratify, data.group_by)
    share = data.validation if isinstance(data.validation, float) else 0.0
    return split(source.rows, share, seed, stratify, data.group_by)


def _desired(source: Source, config: RunConfig) -> np.ndarray | None:
    """The positions of the rows whose answer is not marked as a bad one; None where no row's is.

    Raises:
        InputError: (field data.path) every row's is.
    """
    name = source.layout.roles.get("desired")
    if name is None or name not in source.columns or names_column(config.data.template, name, source.columns):
        return None
    good = np.flatnonzero([not is_bad(value) for value in column(source.rows, name)])
    if not len(good):
        raise InputError(
            f"Every row is marked as a bad answer by {name!r}, so none is left to learn from. If it marks something "
            "else, leave it out: data.roles with desired empty.",
            "data.path",
        )
    return good if len(good) < len(source.rows) else None


def _without_leaked(source: Source, parts: Split, config: RunConfig) -> Split:
    from core.data.fixes import leaked  # brings its libraries only where they are asked for

    gone = leaked(source, parts.train, parts.validation, config)
    train = [place for place in parts.train if place not in gone]
    if not train:
        raise InputError(
            "Every row to train on asks what a row kept back asks, so none is left: take drop_leaked out of the fixes.",
            "data.fixes",
        )
    many = "1 row that asks" if len(gone) == 1 else f"{len(gone):,} rows that ask"
    said = [f"Not trained on: {many} what a row kept back or held out asks."] if gone else []
    return Split(train, parts.validation, parts.notes + said)


def _no_column(name: str, columns: Sequence[str]) -> str:
    near = nearest(name.strip(), columns)
    known = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
    return f"The data has no column {name!r}." + (f" Did you mean {near!r}?" if near else "") + f" Columns: {known}."


def split(
    rows: Sequence[dict[str, Any]],
    validation: float,
    seed: int,
    stratify: str | None = None,
    group_by: str | None = None,
) -> Split:
    """Part rows into training and validation.

    Rows are ordered by a hash of seed and content, and the first are kept back. So the order of the file does not
    matter, and identical rows land on the same side. Neither side is empty where the share is above 0 and there are two
    rows; only if all rows are identical this parts identical rows.

    Args:
        rows: the rows.
        validation: share of the rows to keep back, from 0 up to but not including 1.
        seed: another seed gives another division.
        stratify: a column; each of its values is kept back in the same share. A value of one row only is trained on.
        group_by: a column; all rows of one value land on the same side. A row without a value stands alone.

    Raises:
        InputError: no share; or all rows are of one group.
    """
    if not 0 <= validation < 1:
        raise InputError(f"{validation:g} is no share of rows: at least 0 and below 1.", "data.validation")
    count = len(rows)
    if validation == 0 or count < 2:
        return Split(list(range(count)), [])
    salt = _salt(seed)
    units = _units(rows, salt, stratify, group_by)
    if group_by is not None and len(units.sizes) == 1:
        raise InputError(
            f"All rows have the same {group_by!r}, so they cannot be parted by it: choose another column.",
            "data.group_by",
        )
    goal = max(1, round(count * validation))
    taken = deal.near(units, validation) if group_by is not None else deal.exact(units, validation, goal, salt)
    if not len(taken):  # every class has one row, or one row many times over: keep back what costs least
        taken = np.array([units.sizes.argmin()])
    held = np.isin(units.of, taken)
    if held.all():
        held[:-goal] = False
    notes = []
    if stratify and (rare := [name for name, alone in zip(units.names, units.alone, strict=True) if alone]):
        notes.append(f"Too rare to be kept back as well, so only trained on: {_listed(rare)}.")
    return _split(held, notes + (_uneven(units, held, validation, group_by) if group_by is not None else []))


def _split(held: np.ndarray, notes: list[str]) -> Split:
    return Split(np.flatnonzero(~held).tolist(), np.flatnonzero(held).tolist(), notes)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(n) for n in heapq.nsmallest(LISTED, names)) + (", ..." if len(names) > LISTED else "")


def _uneven(units: Units, held: np.ndarray, share: float, group_by: str) -> list[str]:
    """A note where whole groups do not give the shares that were asked for."""
    kept, said = np.bincount(units.classes[held], minlength=len(units.names)), []
    if abs(held.sum() - len(held) * share) >= 1:
        said.append(f"{held.mean():.1%} of the rows are kept back instead of {share:.1%}")
    shares = (kept / units.totals)[~units.alone]
    if len(units.names) > 1 and len(shares) and abs(kept - units.totals * share)[~units.alone].max() >= 1:
        said.append(f"the labels are kept back in unequal shares, from {shares.min():.1%} to {shares.max():.1%}")
    words = ", and ".join(said).replace("%", " %")
    return [f"The rows of one {group_by!r} stay together, so {words}."] if said else []


# Folds, and rows of their own


def split_fold(
    rows: Sequence[dict[str, Any]],
    folds: int,
    fold: int,
    seed: int,
    stratify: str | None = None,
    group_by: str | None = None,
) -> Split:
    """One of several folds kept back: each row is in one fold, and the folds are as even as whole groups allow.

    Args:
        rows, seed, stratify, group_by: as of `split`. folds: how many. fold: the one that is kept back, from 1.

    Raises:
        InputError: there are fewer groups, or fewer different rows, than folds.
    """
    units = _units(rows, _salt(seed), stratify, group_by)
    if len(units.sizes) < folds:
        what = f"different values of {group_by!r}" if group_by is not None else "different rows"
        raise InputError(
            f"{folds} folds need at least as many {what}, and there are {len(units.sizes):,}: choose fewer folds.",
            "data.folds",
        )
    held = deal.folds(units, folds)[units.of] == fold - 1
    notes = [f"Fold {fold} of {folds} is kept back."]
    lost = np.bincount(units.classes[held], minlength=len(units.names)) == units.totals
    if stratify and lost.any():
        names = [name for name, gone in zip(units.names, lost, strict=True) if gone]
        notes.append(f"Only in this fold, so kept back and not trained on: {_listed(names)}.")
    return _split(held, notes + (_uneven(units, held, 1 / folds, group_by) if group_by is not None else []))


def _with_held(rows: Rows, places: np.ndarray) -> Split:
    """Rows kept back that are named already; those that stand in both parts by content are counted."""
    held: np.ndarray = np.zeros(len(rows), dtype=bool)
    held[places] = True
    marks = np.ascontiguousarray(row_keys(rows)[:, :8]).view(np.uint64).ravel()
    both = int(np.isin(marks[~held], marks[held]).sum())
    are = "1 row to train on is also kept back, word for word." if both == 1 else ""
    are = are or f"{both:,} rows to train on are also kept back, word for word."
    return _split(held, [are] if both else [])


# What stays together


def row_key(row: dict[str, Any]) -> bytes:
    """16 bytes that are equal for equal rows."""
    return hashlib.blake2b(_ENCODER.encode(row).encode("utf-8", "surrogatepass"), digest_size=KEY).digest()


def row_keys(rows: Sequence[dict[str, Any]]) -> np.ndarray:
    """`row_key` of every row, (rows, 16) bytes; those of an opened source are remembered for as long as it is."""
    known = _KEYS.get(rows) if isinstance(rows, Rows) else None
    if known is None:
        joined = bytearray()
        for row in rows:
            joined += row_key(row)
        known = np.frombuffer(joined, np.uint8).reshape(-1, KEY)
        if isinstance(rows, Rows):
            _KEYS[rows] = known
    return known


def _salt(seed: int) -> bytes:
    return seed.to_bytes(8, "big", signed=True)


def _units(rows: Sequence[dict[str, Any]], salt: bytes, stratify: str | None, group_by: str | None) -> Units:
    """What stays together, and the class of each row.

    A unit is known by 8 bytes of a hash: should two ever have the same, they stay together as well.
    """
    keys, hashes = row_keys(rows).tobytes(), bytearray()
    owners = (keys[at : at + KEY] for at in range(0, len(keys), KEY))
    if group_by is not None:
        named = map(as_text, column(rows, group_by))
        owners = (n.encode("utf-8", "surrogatepass") if n.strip() else k for n, k in zip(named, owners, strict=True))
    for owner in owners:
        hashes += hashlib.blake2b(salt + owner, digest_size=8).digest()
    _, of = np.unique(np.frombuffer(hashes, ">u8").astype(np.uint64), return_inverse=True)
    if stratify is None:
        return Units(of, np.zeros(len(of), dtype=np.int64), [""])
    classes, names = classes_of(rows, stratify)
    return Units(of, classes, names)


def classes_of(rows: Sequence[dict[str, Any]], name: str) -> tuple[np.ndarray, list[str]]:
    """The class of each row by the values of a column, (rows,) numbers, and the names of the classes, sorted."""
    found: dict[str, int] = {}
    codes = np.fromiter((found.setdefault(as_text(v), len(found)) for v in column(rows, name)), np.int64, len(rows))
    names = sorted(found)
    place: np.ndarray = np.empty(len(names), dtype=np.int64)
    place[[found[n] for n in names]] = np.arange(len(names))
    return place[codes], names


def column(rows: Sequence[dict[str, Any]], name: str) -> Iterable[Any]:
    """The values of a column; the others are not read where nothing is mended."""
    if isinstance(rows, Rows) and not rows.edits and name in rows.data.column_names:
        rows = Rows(rows.data.select([name]), rows.as_json, rows.order)
    return (row.get(name) for row in rows)
