"""Splits: by content, the same in any order, fair to labels, never empty."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.split import split
from core.errors import InputError


def content(rows, places):
    return sorted(str(sorted(rows[i].items())) for i in places)


ROWS = st.lists(
    st.fixed_dictionaries({"q": st.integers(0, 30), "label": st.sampled_from("abc")}), min_size=2, max_size=60
)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.floats(0.01, 0.5), st.integers(0, 2**31 - 1), st.booleans())
def test_any_split(rows, share, seed, stratified):
    column = "label" if stratified else None
    parts = split(rows, share, seed, column)
    assert sorted(parts.train + parts.validation) == list(range(len(rows)))
    assert parts.train and parts.validation
    if len(set(content(rows, range(len(rows))))) > 1:
        assert not set(content(rows, parts.train)) & set(content(rows, parts.validation))
    mixed = rows[:]
    random.Random(seed).shuffle(mixed)
    again = split(mixed, share, seed, column)
    if len(set(content(rows, range(len(rows))))) > 1:
        assert content(rows, parts.validation) == content(mixed, again.validation)


def test_shares_seeds_and_labels():
    rows = [{"q": i, "label": "ab"[i % 10 == 0]} for i in range(1000)]
    parts = split(rows, 0.1, 42)
    assert len(parts.validation) == 100 and parts.validation == sorted(parts.validation)
    assert parts.validation != split(rows, 0.1, 43).validation
    fair = split(rows, 0.1, 42, "label")
    assert len(fair.validation) == 100 and sum(rows[i]["label"] == "b" for i in fair.validation) == 10


def test_a_label_of_one_row_is_trained_on_and_said():
    rows = [{"q": i, "label": "a"} for i in range(20)] + [{"q": 99, "label": "rare"}]
    parts = split(rows, 0.2, 1, "label")
    assert 20 in parts.train and parts.notes == ["Too rare to be kept back as well, so only trained on: 'rare'."]


def test_no_share_one_row_and_equal_rows():
    assert split([{"q": 1}] * 3, 0, 1).validation == [] and split([{"q": 1}], 0.5, 1).train == [0]
    parts = split([{"q": 1}] * 10, 0.2, 1)
    assert (len(parts.train), len(parts.validation)) == (8, 2)
    with pytest.raises(InputError):
        split([{"q": 1}], 1.0, 1)
