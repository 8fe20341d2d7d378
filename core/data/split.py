"""Training and validation rows: by the content of each row, so that the same rows part the same way in any order."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.config import RunConfig
from core.data.formats import as_text
from core.errors import InputError

if TYPE_CHECKING:
    from core.data.sources import Source


@dataclass(frozen=True)
class Split:
    """Positions of the rows that are trained on and of those kept back, each in the order of the file."""

    train: list[int]
    validation: list[int]
    notes: list[str] = field(default_factory=list)


def row_key(row: dict[str, Any]) -> bytes:
    """16 bytes that are equal for equal rows."""
    text = json.dumps(row, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def split_source(source: Source, config: RunConfig) -> Split:
    """The division of a source under a config: data.validation, training.seed; by label where the rows have one.

    Training, evaluation, export and the page all take their rows from this.
    """
    if source.held is not None:
        kept = set(source.held.tolist())
        return Split([i for i in range(len(source.rows)) if i not in kept], sorted(kept))
    share = config.data.validation
    return split_by_layout(source, share if isinstance(share, float) else 0.0, config.training.seed)


def split_by_layout(source: Source, validation: float, seed: int) -> Split:
    """`split_source` for loose values."""
    stratify = source.layout.roles["label"] if source.layout.name == "text_label" else None
    return split(source.rows, validation, seed, stratify)


def split(rows: Iterable[dict[str, Any]], validation: float, seed: int, stratify: str | None = None) -> Split:
    """Part rows into training and validation.

    Rows are ordered by a hash of seed and content, and the first are kept back. So the order of the file does not
    matter, and identical rows land on the same side. Neither side is empty where the share is above 0 and there are two
    rows; only if all rows are identical this parts identical rows.

    Args:
        rows: the rows.
        validation: share of the rows to keep back, from 0 up to but not including 1.
        seed: another seed gives another division.
        stratify: a column; each of its values is kept back in the same share. A value of one row only is trained on.
    """
    if not 0 <= validation < 1:
        raise InputError(f"{validation:g} is no share of rows: at least 0 and below 1.", "data.validation")
    salt = seed.to_bytes(8, "big", signed=True)
    groups: dict[tuple[str, bytes], list[int]] = defaultdict(list)
    count = 0
    for number, row in enumerate(rows):
        groups[as_text(row.get(stratify)) if stratify else "", row_key(row)].append(number)
        count += 1
    if validation == 0 or count < 2:
        return Split(list(range(count)), [])
    classes: dict[str, list[tuple[bytes, list[int]]]] = defaultdict(list)
    for (name, key), members in groups.items():
        classes[name].append((hashlib.blake2b(salt + key, digest_size=8).digest(), members))
    sizes = {name: sum(len(m) for _, m in found) for name, found in classes.items()}
    goals = _goals(sizes, {n: len(f) for n, f in classes.items()}, validation, max(1, round(count * validation)), salt)
    held = {i for name, found in classes.items() for i in _take(sorted(found), goals[name])}
    if not held:  # every class has one row, or one row many times over: keep back what costs least
        smallest = min((g for found in classes.values() for g in found), key=lambda g: (len(g[1]), g[0]))
        held = set(smallest[1] if len(smallest[1]) < count else smallest[1][-max(1, round(count * validation)) :])
    rare = sorted(name for name, found in classes.items() if len(found) == 1) if stratify else []
    notes = []
    if rare:
        shown = ", ".join(repr(n) for n in rare[:5]) + (", ..." if len(rare) > 5 else "")
        notes.append(f"Too rare to be kept back as well, so only trained on: {shown}.")
    return Split([i for i in range(count) if i not in held], sorted(held), notes)


def _goals(sizes: dict[str, int], distinct: dict[str, int], share: float, total: int, salt: bytes) -> dict[str, int]:
    """How many rows of each class to keep back: whole numbers by the largest remainder, and all of no class."""
    most = {n: sizes[n] - 1 if distinct[n] > 1 else 0 for n in sizes}
    goals = {n: min(most[n], int(sizes[n] * share)) for n in sizes}
    order = sorted(
        sizes, key=lambda n: (-(sizes[n] * share % 1), hashlib.blake2b(salt + n.encode("utf-8", "replace")).digest())
    )
    for name in order:
        if sum(goals.values()) >= total:
            break
        goals[name] += goals[name] < most[name]
    return goals


def _take(groups: list[tuple[bytes, list[int]]], goal: int) -> list[int]:
    """Whole groups of identical rows, in the order of their hashes, up to a number of rows; never all of them."""
    taken: list[int] = []
    for used, (_, members) in enumerate(groups):
        if len(taken) >= goal or used == len(groups) - 1:
            break
        if len(taken) + len(members) <= goal:
            taken += members
    return taken
