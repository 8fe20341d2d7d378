"""The choices in a value, however they are kept, and what a key says of them."""

import pytest

from core.data.choices import counted, options, right_mark, rivals, told_by

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
        ("A) sand\nB) water", [SAND, WATER]),
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
        (["B) water", "(A) sand"], "text", ["B", "A"]),
        ([1, 0], "0", ["B", "A"]),
        (["2", "1.0"], "1", ["B", "A"]),
        (["wet", "dry"], None, []),
        ([True, False], None, []),
    ],
)
def test_what_a_key_says(values, by, marks):
    assert told_by([([SAND, WATER], value) for value in values]) == by
    assert [right_mark([SAND, WATER], value, by) for value in values if by] == marks


FOUR = [("A", "1"), ("B", "2"), ("C", "3"), ("D", "4")]


@pytest.mark.parametrize(
    ("values", "way", "sure"),
    [([1, 1, 4], "1", True), ([0, 3], "0", True), (["1", "4.0", None], "1", True), ([1, 3], "0", False)],
)
def test_all_values_say_whether_choices_are_counted_from_0_or_1(values, way, sure):
    assert counted("0", values, 4) == (way, sure)


def test_a_number_among_choices_that_are_numbers_is_the_right_one():
    found = [(FOUR, 1), (FOUR, 3)]
    assert told_by(found) == "0" and told_by(found, numbers=True) == "text"
    assert rivals(found, "text") == ["0"]
    assert rivals([(FOUR, 4)], "text") == []
