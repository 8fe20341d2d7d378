"""Correlations and thresholds against scipy and scikit-learn, equal numbers included."""

from __future__ import annotations

import random

import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import average_precision_score

from core.evaluation import metrics
from core.evaluation.bootstrap import paired


def rows(seed: int, count: int = 60, steps: int | None = None) -> tuple[list[float], list[float]]:
    chance = random.Random(seed)
    wants = [chance.randint(0, 10) / 10 for _ in range(count)]
    gives = [0.5 * want + chance.uniform(-0.5, 0.5) for want in wants]
    return wants, [round(g * steps) / steps for g in gives] if steps else gives


def value(name: str, wants: list[float], gives: list[float]) -> float:
    return metrics.METRICS[name].compute(references=list(map(repr, wants)), predictions=list(map(repr, gives)))


@pytest.mark.parametrize("steps", [None, 4])
@pytest.mark.parametrize("seed", range(3))
def test_correlations_are_those_of_scipy(seed: int, steps: int | None) -> None:
    wants, gives = rows(seed, steps=steps)
    assert value("spearman", wants, gives) == pytest.approx(spearmanr(wants, gives).statistic)
    assert value("pearson", wants, gives) == pytest.approx(pearsonr(wants, gives).statistic)
    far = [1e6 + 1e-3 * g for g in gives]
    assert value("pearson", wants, far) == pytest.approx(pearsonr(wants, gives).statistic, rel=1e-6)


def test_what_never_changes_correlates_with_nothing() -> None:
    assert value("spearman", [1.0, 0.0, 0.5], [0.3, 0.3, 0.3]) == 0
    assert value("pearson", [0.7, 0.7], [0.1, 0.9]) == 0
    assert value("spearman", [0.0, 0.5, 1.0], [3.0, 2.0, 1.0]) == pytest.approx(-1)


@pytest.mark.parametrize("steps", [None, 4])
def test_average_precision_is_that_of_scikit_learn(steps: int | None) -> None:
    wants, gives = rows(7, steps=steps)
    classes = [float(want > 0.5) for want in wants]
    assert value("average_precision", classes, gives) == pytest.approx(average_precision_score(classes, gives))


@pytest.mark.parametrize("steps", [None, 4])
def test_the_best_threshold_is_found(steps: int | None) -> None:
    wants, gives = rows(11, steps=steps)
    classes = [float(want > 0.5) for want in wants]
    bounds = [*gives, max(gives) + 1]
    tried = [sum((g >= b) == bool(c) for g, c in zip(gives, classes, strict=True)) for b in bounds]
    assert value("best_accuracy", classes, gives) == pytest.approx(max(tried) / len(gives))
    assert value("best_accuracy", [0.0, 0.0, 1.0], [0.9, 0.8, 0.1]) == pytest.approx(2 / 3)  # better to call none alike


def test_a_better_ranking_is_surely_better() -> None:
    wants, gives = rows(3, 200)
    texts = list(map(repr, wants))
    metric = metrics.METRICS["spearman"]
    poor, good = (metric.rows({"references": texts, "predictions": list(map(repr, g))}) for g in (gives, wants))
    found = paired({"spearman": (metric, poor, good)}, resamples=200)["spearman"]
    assert found["mean"] == pytest.approx(1 - spearmanr(wants, gives).statistic)
    assert 0 < found["low"] < found["mean"] < found["high"]
