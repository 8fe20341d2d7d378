"""Runs with an adapter on the tiny model, as if they had been trained; and the process that asks them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.config import build
from core.runs import store
from core.runs.store import Run
from tests import factory

Made = Callable[..., Run]


@pytest.fixture
def made(tiny_llama: Path, tmp_path: Path, runs_dir: Path) -> Made:
    """A function that gives a run of a method whose adapter does something: `made("lora", seed=2, r=4)`."""
    rows = factory.write_jsonl(tmp_path / "rows" / "train.jsonl", factory.tone_rows(24))

    def make(
        method: str = "lora",
        seed: int = 1,
        base: Path = tiny_llama,
        template: str | None = "{phrase}\n{tone}",
        quantization: dict[str, Any] | None = None,
        head: str = "causal_lm",
        task: str = "generation",
        labels: tuple[str, ...] = (),
        **settings: Any,
    ) -> Run:
        import torch

        from core.methods import method as module_of
        from core.models.heads import HEADS
        from core.models.load import fingerprint, load_base
        from core.runs.files import write_json
        from core.runs.state import StateFile

        config = build(
            {
                "task": task,
                "model": {"path": str(base)},
                "data": {"path": str(rows), "template": template, "max_tokens": 64},
                "method": {"name": method} | settings,
            }
        )
        run = store.create(config, f"{method} {seed}")
        with StateFile(run.dir / "state.json").working("training"):
            torch.manual_seed(seed)
            ending = HEADS[head]
            model = load_base(str(base), head=ending, labels=labels, quantization=quantization)
            model = module_of(method).prepare(model, config.method, str(base), None, ending)
            for key, parameter in model.named_parameters():
                if parameter.requires_grad and "lora_A" not in key:
                    torch.nn.init.normal_(parameter, mean=float("ia3_l" in key), std=0.5)
            module_of(method).save(model, run.dir / "model")
            note = {"fingerprint": fingerprint(str(base)), "head": head, "labels": labels}
            write_json(run.dir / "model" / "base.json", note | {"quantization": quantization})
        return run

    return make
