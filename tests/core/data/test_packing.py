"""Which rows share a sequence."""

from hypothesis import given
from hypothesis import strategies as st

from core.data.packing import pack

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=120)


@given(LENGTHS, st.integers(0, 20), st.randoms(use_true_random=False))
def test_every_row_once_none_too_wide_and_as_many_whatever_the_order(lengths, spare, chance):
    width = max(lengths) + spare
    packs = pack(lengths, width)
    assert sorted(i for rows in packs for i in rows) == list(range(len(lengths)))
    sums = sorted(sum(lengths[i] for i in rows) for rows in packs)
    assert 0 < sums[0] and sums[-1] <= width
    other = chance.sample(lengths, len(lengths))
    assert sorted(sum(other[i] for i in rows) for rows in pack(other, width)) == sums


@given(LENGTHS)
def test_no_two_sequences_fit_into_one(lengths):
    """So more than half of what is computed is text, whatever the lengths."""
    width = max(lengths)
    sums = sorted(sum(lengths[i] for i in rows) for rows in pack(lengths, width))
    assert all(a + b > width for a, b in zip(sums, sums[1:], strict=False))


def test_each_row_goes_where_it_leaves_the_least_room():
    assert pack([5, 3, 4, 7, 2, 1], 8) == [[3, 5], [0, 1], [2, 4]]
    assert pack([2, 2, 2], 2) == [[0], [1], [2]]
