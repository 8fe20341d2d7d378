"""What the figures of a comparison are called."""

import math

import pytest

from core.export import targets
from core.export.proof import written
from core.export.proof.judge import DRIFT, THRESHOLDS, Metric, not_here, perplexity
from core.export.proof.judge import judge as said_of
from core.export.proof.judge import metric as measured


def judge(found, metric, precision, weights):
    return said_of(metric=metric, precision=precision, weights=weights, **found)


def found(rows=50, same=50, gap=0.01, margin=0.002, listed=10):
    return {"same": same, "rows": rows, "gap": gap, "span": 20.0, "margins": [margin] * min(rows - same, listed)}


def figure(name, pytorch, onnx):
    return Metric(name, pytorch, onnx, {})


def test_every_answer_equal_is_verified():
    status, said = judge(found(), figure("field_accuracy", 0.94, 0.94), "fp32", 4_000_000)
    assert status == "verified"
    assert said == "All 50 answers are PyTorch's, token for token; field accuracy 0.940 with both."


def test_one_flip_is_not_hidden():
    status, said = judge(found(same=49), figure("accuracy", 0.94, 0.92), "int8", 4_000_000)
    assert status == "verified with loss"
    assert said.startswith("49 of 50 answers are PyTorch's, token for token; accuracy 0.920 instead of 0.940.")
    assert "PyTorch was nearly undecided (by 0.002 logits at most)" in said


def test_a_wide_margin_is_no_toss_up():
    assert "undecided" not in judge(found(same=49, margin=3.0), None, "int8", 4_000_000)[1]
    assert "undecided" not in judge(found(same=49, margin=None), None, "int8", 4_000_000)[1]


def test_int4_on_a_small_model_says_what_to_take():
    status, said = judge(found(same=20), figure("accuracy", 0.94, 0.61), "int4", 3_600_000)
    assert status == "verified with loss"
    assert said.endswith("Four bits cost a model of 3.6 million weights a lot: take int8.")
    assert "int8" not in judge(found(same=49), None, "int4", 7_000_000_000)[1]
    chance = Metric("accuracy", 0.94, 0.92, {"mean": -0.02, "low": -0.05, "high": 0.0})
    said = judge(found(same=49), chance, "int4", 3_600_000)[1]
    assert "take int8" not in said, "what core.export.choice may recommend is not advised against"


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_full_precision_with_other_answers_has_failed(precision):
    assert judge(found(same=40, margin=3.0), None, precision, 4_000_000)[0] == "failed"


def test_garbage_has_failed():
    assert judge(found(same=0), figure("accuracy", 0.9, 0.0), "int4", 4_000_000)[0] == "failed"
    assert judge(found(gap=math.nan), None, "int8", 4_000_000)[0] == "failed"
    assert judge(found(gap=math.inf), None, "int8", 4_000_000)[0] == "failed"


def test_a_device_that_is_not_here_says_why():
    status, said = not_here(targets.TARGETS["webgpu"])
    assert status == "not verified here" and said.startswith("Built, and not run here. Tunesmith does not run WebGPU")


def test_the_tokens_that_two_answers_share():
    figures = written._figures(
        {"answers": [[1, 2, 3], [1, 9, 3, 4]], "max_logit_difference": 0.1, "logit_range": 1, "largest_logit": 1,
         "mean_logit_difference": 0.01, "nll": None, "first_token_seconds": 0.1,
         "peak_bytes": 1, "logit_rows": 2, "differing": [], "tokens_per_second": 1, "load_seconds": 1},
        [[1, 2, 3], [1, 2, 3, 4]],
    )  # fmt: skip
    assert figures.greedy_match == 0.5 and figures.token_match == 4 / 7


def test_other_weights_that_happen_to_answer_the_same_have_failed():
    status, said = judge(found(gap=0.5), None, "fp32", 4_000_000)
    assert status == "failed" and "off by 0.5 where PyTorch's span 20" in said
    assert judge(found(gap=0.5), None, "int8", 4_000_000)[0] == "verified"
    assert judge(found(gap=11.0), None, "int8", 4_000_000)[0] == "failed"
    assert judge(found(gap=21.0), None, "int4", 4_000_000)[0] == "failed"


def test_near_ties_in_half_precision_are_a_loss_and_no_failure():
    assert judge(found(rows=8, same=6), None, "fp16", 4_000_000)[0] == "verified with loss"
    assert judge(found(rows=8, same=6), None, "fp32", 4_000_000)[0] == "failed"


def test_the_metric_of_both_sides_has_an_interval_over_the_same_rows():
    wants = ["a", "b"] * 20
    kept = measured("accuracy", wants, wants, wants)
    assert (kept.pytorch, kept.onnx) == (1.0, 1.0) and kept.difference["low"] == kept.difference["high"] == 0.0
    lost = measured("accuracy", wants, wants, ["a"] * 40)
    assert lost.onnx == 0.5 and lost.difference["low"] < lost.difference["mean"] == -0.5 < lost.difference["high"] < 0
    _, said = judge(found(same=25), lost, "int8", 4_000_000)
    assert "accuracy 0.500 instead of 1.000 (difference -0.500, between -0." in said


def test_every_threshold_says_why():
    assert all(len(line.reason) > 40 and 0 < line.value < 1 for line in THRESHOLDS.values())
    assert all(len(line.reason) > 40 and 0 < line.value <= 1 for line in DRIFT.values())


def test_perplexity_of_what_is_not_known():
    assert perplexity(None, 3) is perplexity(1.0, 0) is perplexity(math.inf, 2) is None
    assert perplexity(2 * math.log(3), 2) == pytest.approx(3)
