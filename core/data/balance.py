"""Labels in equal number: which rows are repeated, or left out, and how often; numbers only, no rows."""

from __future__ import annotations

import numpy as np

Made = tuple[np.ndarray, np.ndarray]  # (entries,) row and (entries,) copy, from 0


def repeated(classes: np.ndarray, order: np.ndarray, times: int = 1) -> Made:
    """Every class as often as the largest: its rows in turn, again and again, each time as the next copy.

    Args:
        classes: (rows,) the class of each row; -1 for one of no class, which counts once with its copies.
        order: (rows,) the rows in the order in which they are repeated.
        times: copies of a row in the largest class, itself included.
    """
    rows, copies = list[np.ndarray](), list[np.ndarray]()
    most = np.bincount(classes[classes >= 0]).max() * times
    for members in _by_class(classes, order):
        total = most if classes[members[0]] >= 0 else len(members) * times
        turn = np.arange(total)
        rows.append(members[turn % len(members)])
        copies.append(turn // len(members))
    return np.concatenate(rows), np.concatenate(copies)


def thinned(classes: np.ndarray, order: np.ndarray, times: int = 1) -> Made:
    """Every class as often as the smallest: its first rows; those of no class all stay. Arguments as of `repeated`."""
    counts = np.bincount(classes[classes >= 0])
    least = counts[counts > 0].min()
    kept = [m[:least] if classes[m[0]] >= 0 else m for m in _by_class(classes, order)]
    rows: np.ndarray = np.repeat(np.concatenate(kept), times)
    return rows, np.tile(np.arange(times), len(rows) // times)


def _by_class(classes: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
    """The rows of each class that has any, in the order given."""
    sorted_rows = order[np.argsort(classes[order], kind="stable")]
    found = classes[sorted_rows]
    return [members for members in np.split(sorted_rows, np.flatnonzero(np.diff(found)) + 1) if len(members)]
