"""LoRAs added by weight: a run like any other, whose change of the base is the sum of theirs."""

import pytest
import torch

from core.adapters.combine import combine
from core.errors import InputError
from core.models.load import load_base, load_run
from core.runs import adapters, store

IDS = torch.arange(5, 21).unsqueeze(0)


def deltas(run):
    """What the run's adapter adds to each weight: scaling * B A, by the name of the layer."""
    model, _ = load_run(run)
    layers = {n: m for n, m in model.named_modules() if "default" in getattr(m, "lora_A", {})}
    return {n: m.get_delta_weight("default") for n, m in layers.items()}


def test_the_sum_of_the_changes(made):
    """Ranks, scalings and layers differ; one is rank-stabilised, which PEFT by itself would count twice."""
    a = made("lora", 1, r=4, lora_alpha=16, use_rslora=True)
    b = made("lora", 2, r=8, target_modules="q_proj, v_proj")
    run = combine([a, b.id], [0.75, -0.5], "both of them")
    first, second, both = deltas(a), deltas(b), deltas(run)
    assert both.keys() == first.keys() > second.keys()
    for name, delta in both.items():
        want = 0.75 * first[name] - 0.5 * second.get(name, torch.zeros(1))
        torch.testing.assert_close(delta, want, atol=1e-5, rtol=1e-5)


def test_it_is_a_run_like_any_other(made, tiny_llama):
    a, b = made("lora", 1, r=4), made("lora", 2, r=8)
    run = combine([a, b], [0.5, 0.5])
    assert run.id in [found.id for found in store.list_runs()]
    assert run.state().state == "done" and run.has_model
    assert run.config().method.r == 12 and run.config().data == a.config().data
    combined = run.environment()["combined"]
    assert combined["method"] == "cat"
    assert [(p["run"], p["weight"]) for p in combined["parts"]] == [(a.id, 0.5), (b.id, 0.5)]
    info = adapters.adapter_of(run)
    assert info.base == adapters.adapter_of(a).base and info.label == "LoRA r 12"
    assert {p.name for p in (run.dir / "model").iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "base.json", "README.md",
    }  # fmt: skip
    assert a.id in (run.dir / "model" / "README.md").read_text()
    model, _ = load_run(run)
    with torch.no_grad(), model.disable_adapter():
        assert torch.equal(model(IDS).logits, load_base(str(tiny_llama))(IDS).logits)


def test_other_ways_to_add(made):
    a, b = made("lora", 1, r=4), made("lora", 2, r=4)
    want = {name: 0.5 * delta + 0.5 * deltas(b)[name] for name, delta in deltas(a).items()}
    near = deltas(combine([a, b], [0.5, 0.5], method="svd"))
    for name, delta in near.items():  # the best of this rank: as far off as the singular values that are left out
        left_out = torch.linalg.svdvals(want[name])[4:].norm()
        torch.testing.assert_close((delta - want[name]).norm(), left_out, atol=1e-4, rtol=1e-3)
    rough = combine([a, b], [0.5, 0.5], method="linear")
    assert rough.config().method.r == 4


def test_what_cannot_be_added(made):
    a, b, wide = made("lora", 1, r=4), made("adapter", 2), made("lora", 3, r=8)
    refused = [
        ([a], [1.0], "cat", "two or more"),
        ([a, a], [1.0, 1.0], "cat", "two or more"),
        ([a, wide], [1.0], "cat", "2 weights"),
        ([a, wide], [1.0, float("nan")], "cat", "2 weights"),
        ([a, wide], [0.0, 0.0], "cat", "not all 0"),
        ([a, b], [1.0, 1.0], "cat", "bottleneck adapter, and only LoRAs"),
        ([a, wide], [1.0, 1.0], "linear", "equal ranks, and these are 4, 8"),
        ([a, wide], [1.0, 1.0], "lineal", "'linear'"),
        ([made("lora", 5, r=200), made("lora", 6, r=100)], [1.0, 1.0], "cat", "300, more than 256: choose svd"),
    ]
    before = [run.id for run in store.list_runs()]
    for runs, weights, method, words in refused:
        with pytest.raises(InputError, match=words):
            combine(runs, weights, method=method)
    assert len(store.list_runs()) == len(before), "nothing is left of what was refused"


def test_dora_cannot_be_added(made):
    with pytest.raises(InputError, match="has DoRA"):
        combine([made("lora", 1), made("lora", 2, use_dora=True)], [1.0, 1.0])
