"""Units dealt to sides and folds, by hand-made cases: what a split's tests cannot force."""

import numpy as np
import pytest

from core.data import deal
from core.data.deal import Units


def units(*members, classes=None, names=("",)):
    """Units of so many rows each, in this order; the class of each row."""
    of = np.repeat(np.arange(len(members)), members)
    return Units(of, np.zeros(len(of), dtype=int) if classes is None else np.array(classes), list(names))


def kept(u, chosen):
    return int(u.sizes[chosen].sum())


def test_parts_and_classes():
    u = units(2, 3, 1, classes=[0, 1, 1, 1, 1, 0], names="ab")
    assert [p.tolist() for p in u.parts] == [[0, 2, 3, 4], [0, 1, 1, 0], [1, 1, 3, 1]]
    assert [found.tolist() for found in u.by_class()] == [[0, 2], [0, 1]]
    assert not u.pure and units(2, 1).pure and u.alone.tolist() == [False, False]
    assert units(2, 1, classes=[0, 0, 1], names="ab").alone.tolist() == [True, True]


@pytest.mark.parametrize(
    ("members", "share", "wanted"),
    [
        ([10, 10, 10, 10, 10], 0.2, 10),
        ([40, 30, 20, 5, 5], 0.1, 10),
        ([60, 6, 34], 0.1, 6),  # nothing else comes nearer
        ([70, 30], 0.1, 0),  # nothing fits: the caller keeps back the smallest
        ([1] * 100, 0.5, 50),
        ([3, 100, 3, 100, 4], 0.05, 10),
    ],
)
def test_a_share_of_whole_groups(members, share, wanted):
    u = units(*members)
    assert kept(u, deal.near(u, share)) == wanted


def test_the_last_group_of_a_class_is_never_kept_back():
    u = units(5, 5, 50, 50, classes=[0] * 10 + [1] * 100, names="ab")
    chosen = deal.near(u, 0.5)
    assert len(chosen) == 2 and not {0, 1} <= set(chosen.tolist()) and not {2, 3} <= set(chosen.tolist())


def test_folds_of_large_units():
    assert np.bincount(deal.folds(units(9, 5, 4, 3, 3), 3), weights=[9, 5, 4, 3, 3]).tolist() == [9, 8, 7]
    assert sorted(deal.folds(units(1, 1, 1), 3).tolist()) == [0, 1, 2]
    mixed = units(2, 2, 2, 2, classes=[0, 1, 0, 1, 0, 0, 1, 1], names="ab")
    assert np.bincount(deal.folds(mixed, 2)).tolist() == [2, 2]
    once = units(3, 3, 2, 2, classes=[0, 0, 1] * 2 + [1, 1] * 2, names="ab")
    found = deal.folds(once, 2)
    assert found[0] != found[1] and found[2] != found[3]
