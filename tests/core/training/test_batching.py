"""Whole trainings with each way to make batches."""

import shutil
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from core.cli.train import train
from core.runs import store
from core.training.order import ORDERS
from tests import factory

JOINED = ("packed", "padding_free")


def uneven(folder, count, **more) -> dict[str, Any]:
    """`data` of a config: rows whose lengths differ, so that packed ones find a place beside others."""
    rows = [{"phrase": "word " * (n % 9) + f"no. {n}", "tone": "calm " * (1 + n % 3)} for n in range(count)]
    return {"path": str(factory.write_jsonl(folder / "uneven.jsonl", rows))} | more


def weights(run):
    return load_file(next((run.dir / "model").glob("*.safetensors")))


@pytest.mark.slow
@pytest.mark.parametrize("batching", JOINED)
def test_a_resumed_run_is_the_run_that_was_never_interrupted(config, tmp_path, batching):
    """From the middle of the first epoch into the second."""
    settings = config(
        "lora", uneven(tmp_path, 30), batching=batching, save_total_limit=9, per_device_train_batch_size=3,
        gradient_accumulation_steps=2,
    )  # fmt: skip
    whole = store.create(settings)
    result = train(whole)
    torn = store.create(settings)
    shutil.copytree(whole.dir / "checkpoints", torn.dir / "checkpoints")
    shutil.copy(whole.dir / "events.jsonl", torn.dir / "events.jsonl")
    for path in (torn.dir / "checkpoints").iterdir():
        if int(path.name.split("-")[1]) > 2:
            shutil.rmtree(path)
    torch.manual_seed(999)
    train(torn, resume=True)
    assert all(torch.equal(weights(torn)[name], value) for name, value in weights(whole).items())
    assert result["validation_loss"] < result["base_validation_loss"]
    log = whole.curve()["log"]
    assert [e["loss"] for e in torn.curve()["log"]] == [e["loss"] for e in log]
    assert all(e["all_tokens_per_second"] > e["tokens_per_second"] > 0 for e in log)
    assert log[2]["epoch"] < 1 < log[-1]["epoch"]


@pytest.mark.slow
@pytest.mark.parametrize("batching", ORDERS)
def test_eight_at_once_are_four_times_two(config, tmp_path, batching):
    """All rows in each update: three of them, in one batch or in four."""
    data, found = uneven(tmp_path, 8, validation=0), []
    for size, accumulation in ((8, 1), (2, 4)):
        run = store.create(
            config(
                "full", data, batching=batching, per_device_train_batch_size=size, learning_rate=1e-4,
                gradient_accumulation_steps=accumulation, max_steps=3, lr_scheduler_type="constant", warmup_steps=0,
            )
        )  # fmt: skip
        assert train(run)["steps"] == 3
        assert run.curve()["log"][-1]["epoch"] == 3
        found.append(weights(run))
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=0, atol=1e-6, msg=name)


@pytest.mark.slow
def test_an_epoch_of_packed_rows_has_fewer_updates(config, tmp_path):
    few = {"max_steps": None, "num_train_epochs": 1, "per_device_train_batch_size": 2}
    run = store.create(config("lora", uneven(tmp_path, 30, validation=0), batching="packed", **few))
    assert train(run)["steps"] < 15
    assert run.curve()["log"][-1]["epoch"] == 1
