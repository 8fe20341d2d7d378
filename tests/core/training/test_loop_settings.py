"""Settings of the training, each seen to do what it says on a tiny model."""

import math

import pytest
import torch
import torch.utils.checkpoint
from transformers import Trainer

from core.cli.train import train
from core.config import build
from core.errors import ConfigError, InputError
from core.models.precision import Precision, precision
from core.runs import store
from core.training.arguments import arguments, check, remarks
from core.training.clock import Clock
from core.training.noise import noisy


def logged(run, key="loss"):
    return [event[key] for event in run.curve()["log"]]


def trainer_of(tmp_path, **training):
    """Transformers' Trainer with the arguments of a config, on one layer."""
    settings = build({"training": {"learning_rate": 1e-2, **training}})
    args = arguments(settings, tmp_path, precision(), validate=False)
    return Trainer(model=torch.nn.Linear(64, 128), args=args, train_dataset=[])


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("linear", [0, 0.5, 1, 0.75, 0.5, 0.25, 0]),
        ("cosine", [0, 0.5, 1, *((1 + math.cos(math.pi * n / 4)) / 2 for n in (1, 2, 3, 4))]),
        ("constant", [1] * 7),
        ("constant_with_warmup", [0, 0.5, 1, 1, 1, 1, 1]),
        ("inverse_sqrt", [0, 0.5, 1, *(math.sqrt(2 / (2 + n)) for n in (1, 2, 3, 4))]),
    ],
)
@pytest.mark.parametrize("warmup", [2, 0.3])
def test_schedules(tmp_path, schedule, wanted, warmup):
    trainer = trainer_of(tmp_path, lr_scheduler_type=schedule, warmup_steps=warmup)
    trainer.create_optimizer_and_scheduler(6)
    rates = []
    for _ in wanted:
        rates.append(trainer.lr_scheduler.get_last_lr()[0] / 1e-2)
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
    assert rates == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    "optim", ["adamw_torch_fused", "adamw_torch", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit", "adafactor"]
)
@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU:UserWarning")
def test_every_optimiser_moves_and_decays(tmp_path, optim):
    torch.manual_seed(0)
    given, wanted, losses = torch.randn(32, 64), torch.randn(32, 128), []
    for decay in (0.0, 0.5):
        torch.manual_seed(1)
        trainer = trainer_of(tmp_path, optim=optim, weight_decay=decay)
        optimizer, start = trainer.create_optimizer(), None
        for _ in range(10):
            loss = (trainer.model(given) - wanted).square().mean()
            start = start or loss.item()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
        assert losses[-1] < 0.95 * start
    assert losses[0] != losses[1]


@pytest.mark.parametrize("optim", ["paged_adamw_8bit", "adamw_8bit"])
def test_paging_is_remarked_on_where_there_is_nothing_to_page(optim):
    notes = remarks(build({"training": {"optim": optim}}), 9, Precision("cpu", torch.float32, ""))
    assert any("no graphics memory to page from" in note for note in notes) == optim.startswith("paged")


def test_an_optimiser_that_is_not_there_is_one_sentence(config, monkeypatch):
    def missing(*args):
        raise ImportError("bitsandbytes is not installed")

    monkeypatch.setattr(Trainer, "get_optimizer_cls_and_kwargs", staticmethod(missing))
    with pytest.raises(InputError, match="adamw_8bit does not work on this machine: bitsandbytes is not") as error:
        train(store.create(config(optim="adamw_8bit")))
    assert error.value.field == "training.optim"


@pytest.mark.slow
@pytest.mark.parametrize(("method", "family"), [("lora", "llama"), ("full", "gpt2")])
def test_checkpointed_activations_give_the_same_losses(config, tiny_models, monkeypatch, method, family):
    real, times = torch.utils.checkpoint._checkpoint_without_reentrant_generator, []
    monkeypatch.setattr(
        torch.utils.checkpoint,
        "_checkpoint_without_reentrant_generator",
        lambda *a, **k: times.append(1) or real(*a, **k),
    )
    same = {"model": {"path": str(tiny_models(family))}, "max_steps": 2, "eval_steps": 9, "save_steps": 9}
    runs = [store.create(config(method, gradient_checkpointing=again, **same)) for again in (False, True)]
    for run, used in zip(runs, (False, True), strict=True):
        train(run)
        assert bool(times) == used
    assert logged(runs[1]) == pytest.approx(logged(runs[0]), rel=1e-6)
    assert logged(runs[1], "grad_norm") == pytest.approx(logged(runs[0], "grad_norm"), rel=1e-5)


def test_noise_is_there_while_training_alone():
    model = torch.nn.Embedding(10, 16)
    model.get_input_embeddings = lambda: model
    ids = torch.arange(8).reshape(2, 4)
    plain = model(ids)
    with noisy(model, 5.0):
        off = (model.train()(ids) - plain).abs().max()
        assert 0 < off <= 5 / math.sqrt(4 * 16)
        assert torch.equal(model.eval()(ids), plain)
    assert torch.equal(model.train()(ids), plain)
    with noisy(model, None):
        assert torch.equal(model(ids), plain)


def test_a_clock_puts_the_schedule_forward_when_time_is_short(monkeypatch, tmp_path):
    now = [100.0]
    monkeypatch.setattr("core.training.clock.time.monotonic", lambda: now[0])
    clock = Clock(60.0)
    assert clock.seconds == 0 and clock.step(7, 100) == 7
    clock.start()
    now[0] += 30
    assert clock.step(7, 100) == 50 and clock.step(80, 100) == 80 and not clock.over
    clock.save(tmp_path)
    now[0] += 31
    assert clock.step(7, 100) == 100 and clock.over
    again = Clock(60.0)
    again.load(tmp_path)
    assert again.seconds == 30 and not again.over
    assert not Clock(None, 1e9).over and Clock(None, 1e9).step(3, 100) == 3


@pytest.mark.slow
def test_a_time_budget_ends_the_training_validated_and_saved(config, monkeypatch):
    """A clock that goes a second further each time a step asks it."""
    seconds = iter(range(10_000))
    monkeypatch.setattr(Clock, "seconds", property(lambda self: self.spent + next(seconds)))
    run = store.create(config(max_steps=5000, eval_steps=400, save_steps=400, max_minutes=0.5))
    result = train(run)
    assert result["reason"] == "time_budget" and result["state"] == "done" and result["steps"] < 100
    assert run.has_model and result["weights"] == "best" and result["best_step"] == result["steps"]
    assert logged(run, "learning_rate")[-1] < 0.2 * max(logged(run, "learning_rate"))
    assert train(run, resume=True)["reason"] == "time_budget"
    assert run.events()[0][-1]["kind"] == "end"


@pytest.mark.parametrize(
    ("mixed", "cuda", "capability", "wanted"),
    [
        ("no", True, (9, 0), ("cuda", torch.float32, "")),
        ("bf16", True, (9, 0), ("cuda", torch.bfloat16, "bf16")),
        ("fp16", True, (9, 0), ("cuda", torch.float16, "fp16")),
        ("bf16", False, None, ("cpu", torch.float32, "bf16")),
        ("no", False, None, ("cpu", torch.float32, "")),
        ("fp16", False, None, "fp16 needs a graphics card"),
        ("bf16", True, (7, 5), "takes fp16"),
    ],
)
def test_precision_that_is_asked_for(monkeypatch, mixed, cuda, capability, wanted):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "card")
    if isinstance(wanted, str):
        with pytest.raises(InputError, match=wanted) as error:
            precision(mixed)
        assert error.value.field == "training.mixed_precision"
    else:
        on = precision(mixed)
        assert (on.device, on.frozen, on.autocast) == wanted


@pytest.mark.slow
def test_bf16_on_a_cpu_works_and_is_remarked_on(config):
    run = store.create(config(mixed_precision="bf16", max_steps=2))
    assert train(run)["state"] == "done"
    assert any("bf16 was asked for on a CPU" in e.get("text", "") for e in run.events()[0])


def test_settings_that_do_not_go_with_the_rows(config):
    with pytest.raises(ConfigError, match="40 steps of warm-up, and the whole training has 12") as error:
        check(build({"training": {"warmup_steps": 40}}), 12)
    assert list(error.value.errors) == ["training.warmup_steps"]
    check(build({"training": {"warmup_steps": 0.9}}), 1)
    on = precision()
    late = {"training": {"early_stopping_patience": 2, "eval_steps": 20}}
    assert ["cannot stop early" in note for note in remarks(build(late), 40, on)] == [True]
    assert remarks(build(late), 41, on) == []
