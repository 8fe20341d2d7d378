"""ui.figures: numbers with units, verdicts that the interval allows, nothing unescaped."""

from __future__ import annotations

from typing import Any

import pytest

from ui import figures

SHARE = {"label": "Accuracy", "unit": "share", "higher_is_better": True, "meaning": "Share of the rows."}
PERPLEXITY = {"label": "Perplexity", "unit": "choices per token", "higher_is_better": False, "meaning": "Wavering."}


def gap(low: float, mean: float, high: float) -> dict[str, Any]:
    return {"low": low, "mean": mean, "high": high, "p": 0.01}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.915, "share", "91.5&thinsp;%"),
        (43.14, "points", "43.1"),
        (1.8312, "choices per token", "1.83"),
        (1386.7, "choices per token", "1,387"),
        (2.5e9, "choices per token", "2.5e+09"),
        (None, "share", "–"),
    ],
)
def test_figures_have_units(value: float | None, unit: str, text: str) -> None:
    assert figures.figure(value, unit) == text


@pytest.mark.parametrize(
    ("difference", "higher", "how"),
    [
        (gap(0.1, 0.2, 0.3), True, "better"),
        (gap(-0.3, -0.2, -0.1), True, "worse"),
        (gap(-0.1, 0.1, 0.3), True, "same"),
        (gap(0.0, 0.1, 0.3), True, "same"),
        (gap(-3, -2, -1), False, "better"),
        (gap(1, 2, 3), False, "worse"),
    ],
)
def test_a_gain_is_claimed_only_where_the_interval_leaves_zero(
    difference: dict[str, Any], higher: bool, how: str
) -> None:
    assert figures.verdict(difference, higher) == how


def test_words_of_a_verdict() -> None:
    assert figures.words(gap(0.1, 0.14, 0.2), "share", True) == "better: +14.0 points"
    assert figures.words(gap(-0.1, 0.013, 0.2), "share", True) == "no clear difference: +1.3 points"
    assert figures.words(gap(-1727, -1385, -1129), "choices per token", False) == "better: −1,385"


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.2), (-5.0, -1.0), (-1e-6, 3e4), (0.0, 0.0), (8.3, 19.7)])
def test_an_axis_holds_zero_and_the_interval(low: float, high: float) -> None:
    left, right = figures.axis(low, high)
    assert left < min(low, 0) + 1e-12 and right > max(high, 0) - 1e-12 and left < right


def test_a_card_without_a_baseline_has_one_bar_and_no_interval() -> None:
    card = figures.card(SHARE, None, 0.9, None)
    assert card.count("rail") == 1 and "interval" not in card and "Lower is better" not in card
    assert "Lower is better" in figures.card(PERPLEXITY, 20.0, 2.0, gap(-19, -18, -17))


def test_a_perplexity_beyond_all_bounds_is_a_dash() -> None:
    result = {
        "metrics": {"perplexity": None},
        "baseline": {"perplexity": 3.0},
        "difference": {"perplexity": gap(1, 2, 3) | {"mean": None}},
        "about": {"perplexity": PERPLEXITY},
    }
    assert "–" in figures.cards(result, ["perplexity"]) and "–" in figures.all_figures(result)


def test_which_metrics_lead() -> None:
    metrics = dict.fromkeys(("accuracy", "macro_f1", "micro_f1", "exact_match", "perplexity", "bits_per_byte"), 0.5)
    assert figures.led({"main_metric": "accuracy", "metrics": metrics}) == ["accuracy", "macro_f1", "perplexity"]
    assert figures.led({"main_metric": "bleu", "metrics": {"bleu": 1.0}}) == ["bleu"]


def test_the_confusion_matrix_and_its_worst_mistake() -> None:
    matrix = {"labels": ["<b>", "glad"], "counts": [[3, 2], [0, 5]]}
    assert "not_<wbr>glad" in figures.confusion(matrix | {"labels": ["<b>", "not_glad"]})
    html = figures.confusion(matrix)
    assert "<b>" not in html and html.count('class="hit"') == 2 and html.count('class="miss"') == 1
    assert figures.errs(matrix) == "2 of 10 rows. “&lt;b&gt;” is most often taken for “glad”."
    assert "heat-map" not in html
    assert figures.errs({"labels": ["a"], "counts": [[4]]}) == "Nowhere: all 4 rows are right."


def test_groups_show_both_models() -> None:
    part = {"rows": 40, "accuracy": 0.9, "baseline": {"accuracy": 0.1}}
    result = {
        "main_metric": "accuracy",
        "metrics": {"accuracy": 0.9},
        "baseline": {"accuracy": 0.1},
        "difference": {},
        "about": {"accuracy": SHARE},
        "groups": {"names": {"known": part, "new <i>": part}},
    }
    html = figures.groups(result)
    assert html.count('class="group"') == 2 and html.count("rail") == 4 and "<i>" not in html.split("new ")[1][:8]
    assert "Kinds of rows" in figures.groups(result | {"groups": {}})


@pytest.mark.parametrize("many", [12, 77])
def test_a_confusion_matrix_of_many_labels_is_a_heat_map_and_the_pairs_confused_most(many: int) -> None:
    labels = [f"card_payment_{i}" for i in range(many - 1)] + ["<b>"]
    counts = [[5 if i == j else 0 for j in range(many)] for i in range(many)]
    counts[3][7], counts[many - 1][0] = 4, 2
    html = figures.confusion({"labels": labels, "counts": counts})
    assert html.count("<rect") == many + 3  # a square for each pair that occurs, and the field
    assert "<title>card_payment_3 → card_payment_7: 4 of 9 rows</title>" in html
    assert "<b>" not in html.partition("<table")[0] and "&lt;b&gt;" in html
    first, second = html.index(">4 of 9<"), html.index(">2 of 7<")
    assert first < second and "Confusions" in html
    assert html.count("<th scope=") == 3  # no column for each label
    rows = [{"label": "good", "support": 1, "precision": 1.0, "recall": 1.0, "f1": 1.0}] * 11
    by_label = figures.by_label([*rows, {"label": "poor", "support": 1, "precision": 0.1, "recall": 0.1, "f1": 0.1}])
    assert by_label.index("poor") < by_label.index("good") and "tall" in by_label
