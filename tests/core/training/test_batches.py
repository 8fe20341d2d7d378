"""The order of rows, and how they are padded."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from core.training.batches import Collator, GroupedOrder, by_length


@given(st.lists(st.integers(1, 99), min_size=1, max_size=200), st.integers(1, 9), st.integers(0, 3))
def test_every_row_once_and_the_same_order_again(lengths, size, epoch):
    order, again = GroupedOrder(lengths, size, 7), GroupedOrder(lengths, size, 7)
    order.set_epoch(epoch)
    again.set_epoch(epoch)
    assert list(order) == list(again)
    assert sorted(order) == list(range(len(lengths))) and len(order) == len(lengths)


def test_epochs_and_seeds_differ():
    order = GroupedOrder(range(1, 101), 4, 7)
    first = list(order)
    order.set_epoch(1)
    assert list(order) != first
    assert list(GroupedOrder(range(1, 101), 4, 8)) != first


def test_batches_hold_rows_of_like_length_and_the_short_one_is_last():
    chance = torch.Generator().manual_seed(0)
    lengths = torch.randint(5, 300, (514,), generator=chance).tolist()
    order = list(GroupedOrder(lengths, 8, 0))
    batches = [[lengths[i] for i in order[n : n + 8]] for n in range(0, len(order), 8)]
    assert len(batches[-1]) == 2
    padded = sum(max(batch) * len(batch) for batch in batches)
    assert sum(lengths) / padded > 0.8


def test_padding_to_the_longest():
    rows = [{"input_ids": [5, 6], "labels": [-100, 6]}, {"input_ids": [7, 8, 9], "labels": [-100, 8, 9]}]
    batch = Collator(pad=3)(rows)
    assert batch["input_ids"].tolist() == [[5, 6, 3], [7, 8, 9]]
    assert batch["labels"].tolist() == [[-100, 6, -100], [-100, 8, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]


def test_measuring_batches_respect_the_budget():
    rows = [{"input_ids": [0] * n} for n in (10, 1, 10, 100, 5)]
    groups = by_length(rows, most_rows=2, most_numbers=1999, width=10)
    assert sorted(i for g in groups for i in g) == [0, 1, 2, 3, 4]
    assert groups == [[3], [0, 2], [4, 1]]
