"""The examples of a config: opened, read in its layout, with the rows kept back that it names, and mended."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from core.config import RunConfig
from core.data.encode_report import count_rows
from core.data.lists import split_named
from core.data.mapping import overrule
from core.data.readable import check_readable
from core.data.rows import Rows
from core.data.sources import SAMPLE, Source, open_data, slice_of
from core.data.tables import collect
from core.errors import InputError, nearest
from core.memo import Memo

KEPT = "data.validation"
_PART = re.compile(r"(?P<split>[\w-]+)?\s*(?P<slice>\[[^\[\]]*\])?")
_PATH_LIKE = re.compile(r"[./\\]")


def open_examples(config: RunConfig) -> Source:
    """The rows of a config's data section, those to train on and those to keep back.

    What training, evaluation, export, the doctor and the page all take. The order: open the files, choose the split
    and slice, read the columns as the layout says, attach the rows kept back where they are a slice or a file of their
    own (`Source.held`), mend and drop what `data.fixes` names. A JSON file that parts its rows into train and
    validation is taken so, whatever share is set, unless `data.split` names the one list.

    Raises:
        InputError: with its field; one sentence.
    """
    data = config.data
    source = _read_as(open_data(data.path, data.name, data.split), config)
    if isinstance(data.validation, str):
        source = _with_kept(source, config, data.validation)
    elif data.validation and not data.folds and not data.split and (part := part_kept(source)):
        source = _with_kept(source, config, part)
    return _mended(source, data.fixes, data.template)


def part_kept(source: Source) -> str | None:
    """The list of rows that a JSON file holds to validate with, beside those to train on; None where there is none."""
    if not any(split_named(name) == "train" for name in source.lists):
        return None
    return next((name for name in source.lists if split_named(name) == "validation"), None)


def open_heldout(config: RunConfig, spec: str) -> Source:
    """Rows of their own, to measure on: read in the config's layout, their text mended as its rows' is.

    Raises:
        InputError: as `open_data`.
    """
    source = _read_as(open_data(spec), config)
    if not config.data.fixes:
        return source
    from core.data.fixes import EDITS

    return _mended(source, [fix for fix in config.data.fixes if fix in EDITS], config.data.template)


def _mended(source: Source, fixes: Sequence[str], template: str | None) -> Source:
    """The source with its fixes, which are found once: looking for near duplicates takes its time."""
    if not fixes:
        return source
    from core.data.fixes import apply  # brings its libraries only where they are asked for

    key = (source.fingerprint, source.path, repr(source.layout), tuple(fixes), template)
    return _REMEMBERED.get(key, lambda: apply(source, fixes, template))


_REMEMBERED = Memo[Source](8)


def _read_as(source: Source, config: RunConfig) -> Source:
    """The source with the layout that the config overrules it by; as it is where it names none."""
    data = config.data
    if data.layout is not None:
        layout = overrule(source.columns, sample(source.rows), data.layout, data.roles)
        source = dataclasses.replace(source, layout=layout)
    return readable(source)


def readable(source: Source) -> Source:
    """The source, whose rows hold words to read. InputError (field data.path) where its layout reads something else."""
    key = (source.fingerprint, source.path, repr(source.layout))
    _READABLE.get(key, lambda: _looked_at(source))
    return source


def _looked_at(source: Source) -> bool:
    check_readable(source.layout, source.columns, list(sample(source.rows)))
    return True


_READABLE = Memo[bool](16)


def sample(rows: Rows, count: int = SAMPLE) -> Rows:
    """At most `count` rows, evenly spaced: what layouts and tasks are recognised by."""
    return rows.spaced(count)


def _with_kept(source: Source, config: RunConfig, spec: str) -> Source:
    """The source with the rows kept back that a slice, a split or a file names.

    A slice alone, [90%:], is of the rows that `data.path` and `data.split` give; train[90%:] and validation are of the
    whole data; anything else is a file of its own.
    """
    spec = spec.strip()
    found, named = _PART.fullmatch(spec), spec in source.lists
    try:
        if found and found["slice"] and not found["split"]:
            return _held(source, _places(found["slice"], source))
        if named or (found and (found["slice"] or not _PATH_LIKE.search(spec))):
            path = (
                config.data.path if config.data.split and not named else re.sub(r"\[[^\[\]]*\]$", "", config.data.path)
            )
            kept = open_data(path, config.data.name, spec)
        else:
            kept = open_data(spec)
    except InputError as error:
        raise InputError(str(error), KEPT if error.field in ("data.path", "data.split") else error.field) from None
    if kept.rows.data is source.rows.data:
        here, there = source.rows.places(), kept.rows.places()
        both = np.intersect1d(here, there)
        every = np.union1d(here, there)
        rows = Rows(source.rows.data, source.rows.as_json, every, source.rows.edits)
        joined = dataclasses.replace(source, rows=rows, fingerprint=_mark(source, spec))
        if len(both):
            note = f"{count_rows(len(both))} in both parts, so only kept back: {spec}."
            joined = dataclasses.replace(joined, notes=[*source.notes, note])
        return _held(joined, np.flatnonzero(np.isin(every, there)))
    key = (source.fingerprint, kept.fingerprint, source.path, kept.path, repr(source.layout))
    return _REMEMBERED.get(key, lambda: _joined(source, kept))


def _held(source: Source, places: np.ndarray) -> Source:
    places = np.unique(places)
    if len(places) >= len(source.rows):
        raise InputError("All rows would be kept back, and none is left to train on.", KEPT)
    return dataclasses.replace(source, held=places)


def _places(part: str, source: Source) -> np.ndarray:
    """The positions of a slice of the rows."""
    places = np.arange(len(source.rows))[slice_of(part, len(source.rows), source.path)]
    if not len(places):
        raise InputError(f"The slice {part} holds no rows: there are {len(source.rows):,}.", KEPT)
    return places


def _joined(source: Source, kept: Source) -> Source:
    """The source with the rows of another file behind its own, all of them kept back."""
    used = [c for c in dict.fromkeys(source.layout.roles.values()) if c in source.columns]
    if lacking := next((c for c in used if c not in kept.columns), None):
        near = nearest(lacking, kept.columns)
        hint = f" Did you mean to rename {near!r}?" if near else ""
        raise InputError(f"{kept.name} has no column {lacking!r}, which the rows to train on have.{hint}", KEPT)
    ours, theirs = source.rows, kept.rows
    if ours.data.schema == theirs.data.schema and ours.as_json == theirs.as_json and ours.edits == theirs.edits:
        data = pa.concat_tables([ours.data, theirs.data])
        index = np.concatenate([ours.places(), theirs.places() + ours.data.num_rows])
        rows = Rows(data, ours.as_json, index, ours.edits)
    else:
        table = collect(itertools.chain(ours, theirs), [*source.columns])
        rows = Rows(table.data, table.json)
    return dataclasses.replace(
        source,
        rows=rows,
        columns=list(rows.data.column_names),
        fingerprint=_mark(source, kept.fingerprint),
        notes=[*source.notes, _said(kept)],
        held=np.arange(len(ours), len(ours) + len(theirs)),
    )


def _said(kept: Source) -> str:
    """Which rows are kept back."""
    count = f"The {len(kept.rows):,} rows" if len(kept.rows) > 1 else "The row"
    part = part_kept(kept)
    if part is None:
        return f"{count} of {kept.name} are kept back to check with."
    return (
        f"{count} under {part!r} {'are' if len(kept.rows) > 1 else 'is'} kept back to check with, as the file parts "
        "them. With data.split: train a share of the others is kept back instead."
    )


def _mark(source: Source, more: str) -> str:
    return hashlib.sha256(f"{source.fingerprint} kept back: {more}".encode()).hexdigest()
