"""The order of the rows, for each way to make batches."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.training.order import ORDERS, GroupedOrder, PackedOrder


def drawn(order, epoch=0):
    """The numbers of the rows in the order of an epoch; several at once count one after the other."""
    order.set_epoch(epoch)
    return [i for place in order for i in (place if isinstance(place, tuple) else (place,))]


@given(
    st.sampled_from(sorted(ORDERS)),
    st.lists(st.integers(1, 99), min_size=1, max_size=200),
    st.integers(1, 9),
    st.integers(0, 2**31 - 1),
    st.integers(0, 50),
)
def test_every_row_once_an_epoch_and_seed_and_epoch_alone_decide(way, lengths, size, seed, epoch):
    order, again = ORDERS[way](lengths, size, seed), ORDERS[way](lengths, size, seed)
    drawn(order, epoch + 1)
    assert drawn(order, epoch) == drawn(again, epoch)
    assert sorted(drawn(order, epoch)) == list(range(len(lengths)))
    assert len(list(order)) == len(order)


@pytest.mark.parametrize("way", sorted(ORDERS))
def test_epochs_and_seeds_differ(way):
    lengths = [5 + i % 40 for i in range(100)]
    order = ORDERS[way](lengths, 4, 7)
    assert drawn(order, 0) != drawn(order, 1)
    assert drawn(ORDERS[way](lengths, 4, 8)) != drawn(order, 0)


def test_batches_hold_rows_of_like_length_and_the_short_one_is_last():
    chance = torch.Generator().manual_seed(0)
    lengths = torch.randint(5, 300, (514,), generator=chance).tolist()
    order = list(GroupedOrder(lengths, 8, 0))
    batches = [[lengths[i] for i in order[n : n + 8]] for n in range(0, len(order), 8)]
    assert len(batches[-1]) == 2
    padded = sum(max(batch) * len(batch) for batch in batches)
    assert sum(lengths) / padded > 0.8


def test_packed_rows_share_with_others_in_each_epoch_and_are_asked_for_together():
    lengths = [10] * 8 + [6] * 8 + [4] * 8
    order = PackedOrder(lengths, 2, 7)
    assert len(order) == 16 and order.width == 10
    first = {place for place in order if len(place) > 1}
    order.set_epoch(1)
    assert first != {place for place in order if len(place) > 1}
    rows = [{"input_ids": [i], "labels": [i]} for i in range(24)]
    joined = order.over(rows)
    assert len(joined) == 16 and joined[(3, 20)] == [rows[3], rows[20]]
    assert ORDERS["shuffled"](lengths, 2, 7).over(rows) is rows
