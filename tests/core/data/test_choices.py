"""The choices in a value, however they are kept, and what a key says of them."""

import pytest

from core.data.choices import options, right_mark, told_by

SAND, WATER = ("A", "sand"), ("B", "water")


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (["sand", "water"], [SAND, WATER]),
        ('["sand", "water"]', [SAND, WATER]),
        (["A) sand", "B) water"], [SAND, WATER]),
        ({"text": ["sand", "water"], "label": ["1", "2"]}, [("1", "sand"), ("2", "water")]),
        ({"text": ["sand", "water"], "label": ["1"]}, [SAND, WATER]),
        ({"A": "sand", "B": "water", "C": None}, [SAND, WATER]),
        ([{"id": "x", "text": "sand"}, {"id": "y", "text": "water"}], [("x", "sand"), ("y", "water")]),
        ([3, 4], [("A", "3"), ("B", "4")]),
        (["sand"], []),
        ([["sand"], ["water"]], []),
        ("sand or water", []),
        (None, []),
    ],
)
def test_choices_in_a_value(value, want):
    assert options(value) == want


@pytest.mark.parametrize(
    ("values", "by", "marks"),
    [
        (["B", "(a)"], "mark", ["B", "A"]),
        (["water", "sand"], "text", ["B", "A"]),
        ([1, 0], "0", ["B", "A"]),
        (["2", "1.0"], "1", ["B", "A"]),
        (["wet", "dry"], None, []),
        ([True, False], None, []),
    ],
)
def test_what_a_key_says(values, by, marks):
    assert told_by([([SAND, WATER], value) for value in values]) == by
    assert [right_mark([SAND, WATER], value, by) for value in values if by] == marks
