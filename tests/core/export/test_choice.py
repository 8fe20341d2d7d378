"""Which of several packages is recommended."""

from core.export.choice import recommend


def report(size, speed, onnx=0.9, low=-0.05, high=0.03, status="verified", same=1.0, metric=True):
    measured = {"name": "accuracy", "pytorch": 0.9, "onnx": onnx, "difference": {"low": low, "high": high}}
    return {
        "status": status, "same": same, "bytes": size, "rows": 50, "metric": measured if metric else None,
        "tokens_per_second": {"pytorch": 1.0, "onnx": speed} if speed else None,
    }  # fmt: skip


def test_without_packages_it_is_the_usual_choice():
    found = recommend({}, "int8")
    assert (found.precision, found.measured) == ("int8", False)
    unseen = report(10, None) | {"status": "not verified here", "same": None}
    assert not recommend({"fp16": unseen}, "fp16").measured


def test_small_and_fast_wins_where_quality_is_kept():
    found = recommend(
        {"fp32": report(400, 100), "int8": report(100, 150), "int4": report(60, 140, 0.5, -0.5, -0.2)}, "fp32"
    )
    assert found.precision == "int8" and found.measured
    assert found.why == (
        "4.0 times smaller than fp32 and 1.5 times as fast, all 50 answers equal; int4 would lose quality."
    )


def test_a_loss_within_chance_is_kept_and_one_beyond_is_not():
    chance = {"fp32": report(400, 100), "int4": report(60, 100, 0.88, -0.06, 0.02, "verified with loss", 0.95)}
    found = recommend(chance, "fp32")
    assert found.precision == "int4"
    assert found.why == (
        "6.7 times smaller than fp32 and 1.0 times as fast, 3 of 50 answers differ from PyTorch's, accuracy 0.880 "
        "instead of 0.900, which on so few rows may be chance."
    )
    assert "which on so few rows may be chance" in recommend({"int4": chance["int4"]}, "fp32").why
    beyond = {"fp32": report(400, 100), "int4": report(60, 100, 0.8, -0.2, -0.02, "verified with loss", 0.8)}
    assert recommend(beyond, "int4").precision == "fp32"


def test_without_a_metric_the_answers_decide():
    found = recommend({"fp32": report(400, 100, metric=False), "int4": report(60, 400, metric=False, same=0.7)}, "int4")
    assert found.precision == "fp32"


def test_where_all_lose_the_least_loss_is_said_to_be_one():
    lossy = {"int8": report(100, 100, 0.8, -0.2, -0.1, same=0.9), "int4": report(60, 100, 0.5, -0.5, -0.3, same=0.5)}
    found = recommend(lossy, "int8")
    assert found.precision == "int8" and "loses quality" in found.why


def test_a_failed_package_does_not_count():
    assert recommend({"int8": report(10, 900, status="failed"), "fp32": report(400, 1)}, "int8").precision == "fp32"
