"""Runs that were really trained, one after another, on one base."""

import shutil

import pytest
import torch

from core.adapters.several import Adapters
from core.cli.train import train
from core.models.load import load_run
from core.runs import adapters, store
from tests.core.training.conftest import config  # noqa: F401 - a fixture

IDS = torch.arange(5, 21).unsqueeze(0)


@pytest.mark.slow
def test_a_second_adapter_from_the_same_base_and_a_resumed_one(config):
    """A LoRA and a bottleneck adapter with dropout, which is broken off at step 2 as well: one base for all."""
    lora = store.create(config("lora"))
    train(lora)
    settings = config("adapter", save_total_limit=9)
    dropped = settings.method.model_copy(update={"placement": "houlsby", "dropout": 0.3, "reduction_factor": 4})
    settings = settings.model_copy(update={"method": dropped})
    whole, torn = store.create(settings), store.create(settings)
    result = train(whole)
    assert result["validation_loss"] < result["base_validation_loss"]
    for name in ("checkpoints", "events.jsonl"):
        copy = shutil.copytree if name == "checkpoints" else shutil.copy
        copy(whole.dir / name, torn.dir / name)
    for step in (4, 6):
        shutil.rmtree(torn.dir / "checkpoints" / f"step-{step}")
    for best in (torn.dir / "checkpoints").glob("best-*"):
        shutil.rmtree(best)
    torch.manual_seed(999)
    train(torn, resume=True)
    weights = [(run.dir / "model" / "adapter_model.safetensors").read_bytes() for run in (whole, torn)]
    assert weights[0] == weights[1]
    assert "only Tunesmith loads them" in (whole.dir / "model" / "README.md").read_text()
    (infos,) = adapters.by_base().values()
    assert {info.label for info in infos} == {"LoRA r 16", "bottleneck adapter"} and len(infos) == 3
    together = Adapters.of([lora, whole, torn])
    with torch.no_grad():
        for run in (lora, whole, torn):
            assert torch.equal(together.switch(run.id)(IDS).logits, load_run(run)[0](IDS).logits)
