"""What the data doctor mends in a source, as steps that the config records: text is mended, then rows are left out."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.config import RunConfig
from core.data.checks import near
from core.data.checks.batch import batches
from core.data.checks.case import FIXES
from core.data.checks.characters import fix_encoding, strip_control
from core.data.checks.finding import count_of
from core.data.checks.personal import mask_personal
from core.data.checks.reading import Reading
from core.data.checks.repeats import Keys, among, in_order, nearly_repeated, questions_of, repeated
from core.data.checks.secret import mask_secrets
from core.data.rows import Edit
from core.data.sources import Source
from core.errors import InputError


def _mended(mend: Callable[[str], str], row: dict[str, Any]) -> dict[str, Any]:
    """A row with every text in it mended, nested ones too; keys stay."""

    def inside(value: Any) -> Any:
        if isinstance(value, str):
            return mend(value)
        if isinstance(value, dict):
            return {key: inside(inner) for key, inner in value.items()}
        return [inside(inner) for inner in value] if isinstance(value, list) else value

    return {name: inside(value) for name, value in row.items()}


def _edit(mend: Callable[[str], str]) -> Edit:
    """A function of a text as one of a row; it can be sent to another process."""
    return functools.partial(_mended, mend)


EDITS: dict[str, Edit] = {
    "fix_encoding": _edit(fix_encoding),
    "strip_control": _edit(strip_control),
    "mask_secrets": _edit(mask_secrets),
    "mask_personal": _edit(mask_personal),
}
DROPS = ("drop_duplicates", "drop_near_duplicates")


def apply(source: Source, fixes: Sequence[str], template: str | None = None) -> Source:
    """The source with its text mended and its rows left out as these fixes say, in the order of FIXES.

    Text is mended when a row is read. Which rows repeat others is found now, in one pass over all rows. Rows kept back
    by name (`Source.held`) are never left out; a training row that repeats one of them is. The fixes drop_leaked and
    drop_long are no matter of the source: the split and the encoding make them.

    Args:
        source: the rows.
        fixes: names of data.fixes.
        template: of the config: rows are nearly the same if what it asks and answers is.
    """
    chosen = [fix for fix in FIXES if fix in fixes and (fix in EDITS or fix in DROPS)]
    if not chosen:
        return source
    rows = source.rows.edited(*(EDITS[fix] for fix in chosen if fix in EDITS))
    mark = hashlib.sha256(f"{source.fingerprint} mended: {' '.join(chosen)} {template!r}".encode()).hexdigest()
    source = dataclasses.replace(source, rows=rows, fingerprint=mark)
    return _without_repeats(source, chosen, template) if any(fix in DROPS for fix in chosen) else source


def _without_repeats(source: Source, fixes: Sequence[str], template: str | None) -> Source:
    nearly, held = "drop_near_duplicates" in fixes, source.held
    try:
        reading = Reading.of(source.layout, source.columns, template if nearly else None)
    except InputError:  # a template that does not fit is refused by whoever renders; rows can be looked at all the same
        reading = Reading.of(source.layout, source.columns, None)
    keys = Keys(len(source.rows))
    for batch in batches(source.rows, reading):
        keys.add(batch.rows, batch.said_or_nothing, nearly)
    order = in_order(len(source.rows), held)
    twins = repeated(keys.rows, order, held)
    stay: np.ndarray = np.ones(len(order), bool)
    notes = list(source.notes)
    if "drop_duplicates" in fixes:
        stay &= twins < 0
        notes += _note(int((twins >= 0).sum()), "that repeat others", "that repeats another")
    if nearly:
        alike, _ = nearly_repeated(
            keys.signatures, twins, order, held, lambda pairs: near.alike(pairs, source.rows, reading)
        )
        out = alike >= 0
        if "drop_duplicates" not in fixes:  # a row that repeats one which goes, goes with it
            out |= (twins >= 0) & out[twins]
        stay &= ~out
        notes += _note(int(out.sum()), "that nearly repeat others", "that nearly repeats another")
    places = np.flatnonzero(stay)
    if held is not None:
        still: Any = np.searchsorted(places, held)
        source = dataclasses.replace(source, held=still)
    return dataclasses.replace(source, rows=source.rows.take(places), notes=notes)


def _note(count: int, many: str, one: str) -> list[str]:
    return [f"{count_of(count)} left out {one if count == 1 else many}."] if count else []


def leaked(source: Source, train: Sequence[int], kept: Sequence[int], config: RunConfig) -> set[int]:
    """The training rows whose question is asked in rows kept back, or in the held-out data of the config.

    Args:
        source: the rows.
        train: positions of those that are trained on.
        kept: positions of those kept back.
        config: data.template says what is asked; evaluation.data is the held-out data.

    Raises:
        InputError: the template does not fit, or the held-out data cannot be opened.
    """
    reading = Reading.of(source.layout, source.columns, config.data.template)
    asked = [questions_of(source.rows.take(kept), reading)]
    if config.evaluation.data:
        from core.data.dataset import open_heldout

        asked.append(questions_of(open_heldout(config, config.evaluation.data).rows, reading))
    questions = questions_of(source.rows.take(train), reading)
    found = np.flatnonzero(among(questions, np.unique(np.concatenate(asked))))
    return set(np.asarray(train, np.int64)[found].tolist())
