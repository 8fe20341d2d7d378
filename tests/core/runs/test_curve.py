"""The course of a run, resumed and thinned."""

from core.runs.curve import Curve, thin


def log(step, loss, **more):
    return {"kind": "log", "step": step, "loss": loss, "max_steps": 100, **more}


def test_what_a_resume_repeats_counts_once():
    curve = Curve()
    curve.add([log(10, 5.0), log(20, 4.0), log(30, 3.0), {"kind": "eval", "step": 20, "validation_loss": 4.1}])
    curve.add([{"kind": "resumed", "step": 10}, log(20, 3.9)])
    found = curve.thinned()
    assert [(e["step"], e["loss"]) for e in found["log"]] == [(10, 5.0), (20, 3.9)]
    assert found["eval"] == []
    assert found["max_steps"] == 100


def test_thinning_keeps_ends_spikes_and_all_checks():
    curve = Curve()
    curve.add(log(i, 9.0 if i == 5555 else 1 + 1 / i) for i in range(1, 20_001))
    curve.add({"kind": "eval", "step": i, "validation_loss": 1.0} for i in range(50, 20_001, 50))
    found = curve.thinned(1000)
    assert len(found["log"]) <= 1000 and found["points"] == 20_000 and len(found["eval"]) == 400
    assert [found["log"][0]["step"], found["log"][-1]["step"]] == [1, 20_000]
    assert 5555 in [e["step"] for e in found["log"]]
    assert [e["step"] for e in found["log"]] == sorted(e["step"] for e in found["log"])


def test_a_loss_that_is_no_number_does_no_harm():
    events = [log(i, None) for i in range(100)]
    assert len(thin(events, 10)) <= 10


def test_the_mean_loss_weighs_steps():
    curve = Curve()
    curve.add([log(1, 4.0), log(3, 1.0)])
    assert curve.mean_loss() == 2.0
    assert Curve().mean_loss() is None
