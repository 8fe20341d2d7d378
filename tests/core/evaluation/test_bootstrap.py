"""The paired bootstrap: against scipy's, its coverage on made-up rows, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from core.evaluation import metrics
from core.evaluation.bootstrap import paired

ACCURACY, PERPLEXITY, BLEU = (metrics.METRICS[name] for name in ("accuracy", "perplexity", "bleu"))


def share(values: np.ndarray) -> np.ndarray:
    return np.column_stack([values, np.ones(len(values))])


def test_interval_is_that_of_scipy() -> None:
    chance = np.random.default_rng(3)
    one, other = (chance.random(150) < 0.6).astype(float), (chance.random(150) < 0.75).astype(float)
    found = paired({"a": (ACCURACY, share(one), share(other))}, resamples=6000)["a"]
    want = stats.bootstrap(
        (one, other), lambda a, b, axis: (b - a).mean(axis=axis), paired=True, vectorized=True, method="percentile",
        n_resamples=6000, rng=np.random.default_rng(5),
    )  # fmt: skip
    assert found["mean"] == pytest.approx((other - one).mean())
    assert found["low"] == pytest.approx(want.confidence_interval.low, abs=0.012)
    assert found["high"] == pytest.approx(want.confidence_interval.high, abs=0.012)


def test_interval_holds_the_truth_nineteen_times_in_twenty() -> None:
    chance, held, surprises = np.random.default_rng(1), 0, 0
    for trial in range(150):
        skill = chance.random(80)  # the same rows are hard for both
        one, other = (
            (chance.random(80) < skill * 0.9).astype(float),
            (chance.random(80) < skill * 0.9 + 0.1).astype(float),
        )
        found = paired({"a": (ACCURACY, share(one), share(other))}, seed=trial, resamples=400)["a"]
        held += found["low"] <= 0.1 <= found["high"]
        same = (chance.random(80) < skill * 0.9).astype(float)
        surprises += paired({"a": (ACCURACY, share(one), share(same))}, seed=trial, resamples=400)["a"]["p"] < 0.05
    assert 0.90 <= held / 150 <= 0.985
    assert surprises / 150 <= 0.09


def test_corpus_metrics_are_resampled_from_their_sums() -> None:
    references = ["the cat sat on the mat", "a dog ran", "it is late now", "we walked along the river"] * 6
    worse = [" ".join(r.split()[:-1]) for r in references]
    table = {"bleu": (BLEU, BLEU.statistics(references, worse), BLEU.statistics(references, references))}
    found = paired(table)["bleu"]
    assert found["mean"] == pytest.approx(100 - BLEU.compute(references=references, predictions=worse))
    assert 0 < found["low"] < found["mean"] < found["high"] < 100
    nll = np.random.default_rng(0).gamma(2.0, 3.0, 40)
    ways = {
        "perplexity": (PERPLEXITY, np.column_stack([nll, np.full(40, 5)]), np.column_stack([nll / 2, np.full(40, 5)]))
    }
    gain = paired(ways)["perplexity"]
    assert gain["mean"] == pytest.approx(np.exp(nll.sum() / 400) - np.exp(nll.sum() / 200)) and gain["high"] < 0


def test_the_same_seed_gives_the_same_and_equal_models_do_not_differ() -> None:
    one = share(np.array([1.0, 0, 1, 1, 0, 1]))
    other = share(np.array([1.0, 1, 1, 0, 0, 1]))
    assert paired({"a": (ACCURACY, one, other)}) == paired({"a": (ACCURACY, one, other)})
    assert paired({"a": (ACCURACY, one, one)})["a"] == {"mean": 0, "low": 0, "high": 0, "p": 1.0}


def test_one_row_says_nothing_about_chance() -> None:
    assert paired({"a": (ACCURACY, share(np.array([0.0])), share(np.array([1.0])))}) == {}
    assert paired({}) == {}


def test_many_rows_are_drawn_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = share(np.zeros(50)), share(np.ones(50))
    monkeypatch.setattr("core.evaluation.bootstrap._CELLS", 120)
    assert paired({"a": (ACCURACY, one, other)}, resamples=33)["a"]["low"] == 1.0
