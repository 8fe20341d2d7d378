"""A run in miniature: a tiny model that has learnt the tones of a few phrases by heart, in a run directory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from core import config as configs
from core.runs import store
from core.runs.store import Run
from tests import factory

TEMPLATE = "{phrase}\n-> {tone}"


def teach(base: Path, run: Run, steps: int = 80) -> None:
    """Fit all weights of a base to the training rows of a run, and put them where training puts them."""
    import torch
    from transformers import AutoModelForCausalLM

    from core.training.batches import Collator
    from core.training.examples import prepare

    examples = prepare(run.config(), lambda done, total: None)
    batch = Collator(examples.objective.pad)(examples.train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_pretrained(base).train()
        optimiser = torch.optim.AdamW(model.parameters(), lr=6e-3)
        for _ in range(steps):
            loss = model(**batch).loss
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
    model.save_pretrained(run.dir / "model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base / name, run.dir / "model" / name)


@pytest.fixture(scope="session")
def tone_run(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained on 18 of 24 phrases, 6 kept back. Its directory is shared: tests that write into it use `own_run`."""
    base = tmp_path_factory.mktemp("tone")
    data = factory.write_jsonl(base / "tone.jsonl", factory.tone_rows())
    values: dict[str, Any] = {
        "task": "classification",
        "model": {"path": str(tiny_llama)},
        "data": {"path": str(data), "template": TEMPLATE, "validation": 0.25, "max_tokens": 64},
        "method": {"name": "full"},
        "evaluation": {"max_new_tokens": 12},
    }
    run = store.create(configs.build(values), directory=base / "run")
    teach(tiny_llama, run)
    return run


@pytest.fixture
def own_run(tone_run: Run, tmp_path: Path) -> Run:
    """A copy of that run, without any evaluation."""
    shutil.copytree(tone_run.dir, tmp_path / "own", ignore=shutil.ignore_patterns("evaluation", "predictions"))
    return Run(tmp_path / "own")
