"""Whole units of rows dealt to validation or to folds, fair to their classes: numbers only, no rows."""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass
from functools import cached_property

import numpy as np

SWEEPS = 4  # times that units are moved one by one where that makes the shares fairer


@dataclass(frozen=True)
class Units:
    """Rows that stay together, such as identical ones or those of a customer, in the order of their hashes.

    Attributes:
        of: (rows,) the unit of each row.
        classes: (rows,) the class of each row; all 0 where there are none.
        names: of the classes.
    """

    of: np.ndarray
    classes: np.ndarray
    names: list[str]

    @cached_property
    def sizes(self) -> np.ndarray:
        """(units,) rows of each."""
        return np.bincount(self.of)

    @cached_property
    def totals(self) -> np.ndarray:
        """(classes,) rows of each."""
        return np.bincount(self.classes, minlength=len(self.names))

    @cached_property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(starts, classes, counts): unit u has counts[i] rows of classes[i], for i from starts[u] to starts[u + 1]."""
        width = len(self.names)
        pairs, counts = np.unique(self.of * width + self.classes, return_counts=True)
        starts = np.concatenate([[0], np.cumsum(np.bincount(pairs // width, minlength=len(self.sizes)))])
        return starts, pairs % width, counts

    @cached_property
    def pure(self) -> bool:
        """Whether no unit has rows of two classes."""
        return len(self.parts[1]) == len(self.sizes)

    @cached_property
    def alone(self) -> np.ndarray:
        """(classes,) whether all rows of a class are in one unit, so that it cannot be on both sides."""
        return np.bincount(self.parts[1], minlength=len(self.names)) == 1

    def by_class(self) -> list[np.ndarray]:
        """The units of each class, in their order; a unit of several classes is in each of them."""
        starts, classes, _ = self.parts
        owners: np.ndarray = np.repeat(np.arange(len(self.sizes)), np.diff(starts))
        order = np.argsort(classes, kind="stable")
        return np.split(owners[order], np.searchsorted(classes[order], np.arange(1, len(self.names))))


# A share


def exact(units: Units, share: float, total: int, salt: bytes) -> np.ndarray:
    """The units to keep back where each has one class: in their order, each class up to its goal, never all of one.

    Args:
        share: of the rows of each class. total: rows to keep back in all. salt: decides between classes of equal size.
    """
    members = units.by_class()
    sizes = dict(zip(units.names, units.totals.tolist(), strict=True))
    distinct = {name: len(found) for name, found in zip(units.names, members, strict=True)}
    goals = _goals(sizes, distinct, share, total, salt)
    taken = [_take(found, units.sizes, goals[name]) for name, found in zip(units.names, members, strict=True)]
    return np.concatenate(taken)


def _goals(sizes: dict[str, int], distinct: dict[str, int], share: float, total: int, salt: bytes) -> dict[str, int]:
    """How many rows of each class to keep back: whole numbers by the largest remainder, and all of no class."""
    most = {n: sizes[n] - 1 if distinct[n] > 1 else 0 for n in sizes}
    goals = {n: min(most[n], int(sizes[n] * share)) for n in sizes}
    order = sorted(
        sizes, key=lambda n: (-(sizes[n] * share % 1), hashlib.blake2b(salt + n.encode("utf-8", "replace")).digest())
    )
    given = sum(goals.values())
    for name in order:
        if given >= total:
            break
        more = goals[name] < most[name]
        goals[name] += more
        given += more
    return goals


def _take(found: np.ndarray, sizes: np.ndarray, goal: int) -> np.ndarray:
    """The first of these units, up to a number of rows, leaving out those that are too large; never all of them."""
    taken, room = [], goal
    for unit, size in zip(found[:-1].tolist(), sizes[found[:-1]].tolist(), strict=True):
        if room <= 0:
            break
        if size <= room:
            taken.append(unit)
            room -= size
    return np.array(taken, dtype=np.int64)


def near(units: Units, share: float) -> np.ndarray:
    """The units to keep back where groups are large or have several classes: as near to each share as they allow.

    Units are taken in their order as long as they fit; then single ones are taken or given back wherever that brings
    the classes and the sum nearer to their shares. The last unit of a class is never taken.

    Args:
        share: of the rows of each class, and of all.
    """
    starts, classes, counts = (values.tolist() for values in units.parts)
    totals = units.totals.tolist()
    weights = [1 / n for n in totals]
    goals, kept = [n * share for n in totals], [0] * len(totals)
    goal, weight, held = sum(goals), 1 / sum(totals), 0
    sizes, inside = units.sizes.tolist(), [False] * len(units.sizes)

    def gain(unit: int, sign: int) -> float:
        """How much fairer it gets when the unit comes in (1) or goes out (-1): the fall of the squared distances."""
        size = sign * sizes[unit]
        fall = weight * size * (2 * (goal - held) - size)
        for i in range(starts[unit], starts[unit + 1]):
            c, n = classes[i], sign * counts[i]
            if n > 0 and kept[c] + n >= totals[c]:
                return -1.0
            fall += weights[c] * n * (2 * (goals[c] - kept[c]) - n)
        return fall

    def move(unit: int, sign: int) -> None:
        nonlocal held
        inside[unit] = sign > 0
        held += sign * sizes[unit]
        for i in range(starts[unit], starts[unit + 1]):
            kept[classes[i]] += sign * counts[i]

    for unit, size in enumerate(sizes):
        if held + size <= goal and gain(unit, 1) > 0:
            if all(
                kept[classes[i]] + counts[i] <= goals[classes[i]] + 1 for i in range(starts[unit], starts[unit + 1])
            ):
                move(unit, 1)
    for _ in range(SWEEPS):
        moved = 0
        for unit, size in enumerate(sizes):
            sign = -1 if inside[unit] else 1
            if (sign > 0 or held > size) and gain(unit, sign) > 1e-12:
                move(unit, sign)
                moved += 1
        if not moved:
            break
    return np.flatnonzero(inside)


# Folds


def folds(units: Units, count: int) -> np.ndarray:
    """The fold of each unit, from 0: every class and the rows in all as even as whole units allow.

    The largest units go first, each to the fold that lacks most. Where every unit is one row, folds differ by at most
    one row, in each class and in all.

    Returns:
        (units,) numbers below count; no fold is empty where there are as many units.
    """
    return _by_class(units, count) if units.pure else _mixed(units, count)


def _by_class(units: Units, count: int) -> np.ndarray:
    """Class by class, each unit to the fold with the fewest rows of its class, and then with the fewest in all."""
    dealt: np.ndarray = np.zeros(len(units.sizes), dtype=np.int64)
    filled, sizes = [0] * count, units.sizes
    for found in units.by_class():
        heap = [(0, filled[fold], fold) for fold in range(count)]
        heapq.heapify(heap)
        order = found[np.argsort(-sizes[found], kind="stable")]
        chosen = []
        for size in sizes[order].tolist():
            own, rows, fold = heap[0]
            chosen.append(fold)
            heapq.heapreplace(heap, (own + size, rows + size, fold))
        dealt[order] = chosen
        for _, rows, fold in heap:
            filled[fold] = rows
    return dealt


def _mixed(units: Units, count: int) -> np.ndarray:
    """Each unit to the fold where the squares of the folds' shares grow least: of each class, and of all rows."""
    starts, classes, counts = units.parts
    weighed = counts / units.totals[classes].astype(float) ** 2
    bounds, sizes = starts.tolist(), units.sizes.tolist()
    dealt: np.ndarray = np.zeros(len(sizes), dtype=np.int64)
    filled, rows = np.zeros((len(units.names), count)), np.zeros(count)
    for unit in np.argsort(-units.sizes, kind="stable").tolist():
        own = slice(bounds[unit], bounds[unit + 1])
        cost = weighed[own] @ filled[classes[own]] + sizes[unit] / len(units.of) ** 2 * rows
        fold = int(cost.argmin())
        filled[classes[own], fold] += counts[own]
        rows[fold] += sizes[unit]
        dealt[unit] = fold
    return dealt
