"""Which rows share a sequence, so that little of it stays empty."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np


def pack(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Rows into sequences of at most `width` tokens: the longest first, each where it leaves the least room.

    Best fit decreasing, which Ding et al. 2024 ("Fewer truncations improve language modeling") use on texts. How many
    sequences there are, and how full, follows from the lengths alone, whatever their order; among rows of one length
    the order decides who shares with whom.

    Args:
        lengths: of the rows, in tokens, each at least 1 and at most `width`. width: of a sequence, in tokens.

    Returns:
        The indices of the rows of each sequence; every row once.
    """
    packs: list[list[int]] = []
    rooms: list[int] = []  # that sequences have left, each once, ascending
    having: dict[int, list[int]] = {}  # the sequences that have so much room left
    for row in np.argsort(-np.asarray(lengths, np.int64), kind="stable").tolist():
        at = bisect_left(rooms, lengths[row])
        if at < len(rooms):
            room = rooms[at]
            place = having[room].pop()
            if not having[room]:
                del rooms[at]
        else:
            room, place = width, len(packs)
            packs.append([])
        packs[place].append(row)
        left = room - lengths[row]
        if left:
            found = having.setdefault(left, [])
            if not found:
                insort(rooms, left)
            found.append(place)
    return packs
