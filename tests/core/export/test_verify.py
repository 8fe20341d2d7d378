"""What the figures of a comparison are called."""

import math

import pytest

from core.export import targets, verify
from core.export.verify import Comparison, Metric, judge


def found(rows=50, same=50, gap=0.01, margin=0.002, listed=10):
    differing = [{"row": i, "token": 1, "margin": margin} for i in range(min(rows - same, listed))]
    return Comparison(rows, same / rows, 0.99, gap, 20.0, 12.0, rows, differing, 1000.0, 0.1, [])


def test_every_answer_equal_is_verified():
    status, said = judge(found(), Metric("field_accuracy", 0.94, 0.94), "fp32", 4_000_000)
    assert status == "verified"
    assert said == "All 50 answers are PyTorch's, token for token; field accuracy 0.940 with both."


def test_one_flip_is_not_hidden():
    status, said = judge(found(same=49), Metric("accuracy", 0.94, 0.92), "int8", 4_000_000)
    assert status == "verified with loss"
    assert said.startswith("49 of 50 answers are PyTorch's, token for token; accuracy 0.920 instead of 0.940.")
    assert "PyTorch was nearly undecided (by 0.002 logits at most)" in said


def test_a_wide_margin_is_no_toss_up():
    assert "undecided" not in judge(found(same=49, margin=3.0), None, "int8", 4_000_000)[1]
    assert "undecided" not in judge(found(same=49, margin=None), None, "int8", 4_000_000)[1]


def test_int4_on_a_small_model_says_what_to_take():
    status, said = judge(found(same=20), Metric("accuracy", 0.94, 0.61), "int4", 3_600_000)
    assert status == "verified with loss"
    assert said.endswith("Four bits cost a model of 3.6 million weights a lot: take int8.")
    assert "int8" not in judge(found(same=49), None, "int4", 7_000_000_000)[1]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_full_precision_with_other_answers_has_failed(precision):
    assert judge(found(same=40), None, precision, 4_000_000)[0] == "failed"


def test_garbage_has_failed():
    assert judge(found(same=0), Metric("accuracy", 0.9, 0.0), "int4", 4_000_000)[0] == "failed"
    assert judge(found(gap=math.nan), None, "int8", 4_000_000)[0] == "failed"
    assert judge(found(gap=math.inf), None, "int8", 4_000_000)[0] == "failed"


def test_a_device_that_is_not_here_says_why():
    status, said = verify.not_here(targets.TARGETS["webgpu"])
    assert status == "not verified here" and said.startswith("Built, and not run here. Tunesmith does not run WebGPU")


def test_the_tokens_that_two_answers_share():
    figures = verify._figures(
        {"answers": [[1, 2, 3], [1, 9, 3, 4]], "max_logit_difference": 0.1, "logit_range": 1, "largest_logit": 1,
         "logit_rows": 2, "differing": [], "tokens_per_second": 1, "load_seconds": 1},
        [[1, 2, 3], [1, 2, 3, 4]],
    )  # fmt: skip
    assert figures.greedy_match == 0.5 and figures.token_match == 4 / 7
