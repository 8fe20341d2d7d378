"""Runs that look tuned: a random model (and an adapter on it) in a run directory, without any training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import factory


@pytest.fixture
def tuned_run(tmp_path: Path, runs_dir: Path) -> Callable[..., Any]:
    """A function that makes a finished run on tone rows: `tuned_run(base, method="lora", **data settings)`."""

    def make(base: Path, method: str = "lora", evaluation: dict[str, Any] | None = None, **data: Any) -> Any:
        import torch

        from core.config import build
        from core.methods import lora
        from core.models.load import copy_companions, load_base
        from core.runs import store
        from core.runs.files import write_json

        rows = factory.write_jsonl(tmp_path / "rows.jsonl", factory.tone_rows(40))
        settings = {"path": str(rows), "template": "### Phrase: {phrase}\n### Tone: {tone}", "max_tokens": 64} | data
        config = build(
            {
                "task": "generation" if settings["template"] is None else "classification",
                "model": {"path": str(base)},
                "data": settings,
                "method": {"name": method},
                "evaluation": {"max_new_tokens": 8} | (evaluation or {}),
            }
        )
        run = store.create(config)
        model = load_base(str(base))
        if method == "lora":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1)
                model = lora.prepare(model, config.method, str(base), None)  # type: ignore[arg-type]
                for name, parameter in model.named_parameters():
                    if "lora_B" in name:
                        torch.nn.init.normal_(parameter, std=0.05)
            lora.save(model, run.dir / "model")
            copy_companions(str(base), None, run.dir / "model")
        else:
            model.save_pretrained(run.dir / "model")
            copy_companions(str(base), None, run.dir / "model")
        write_json(run.dir / "state.json", json.loads((run.dir / "state.json").read_text()) | {"state": "done"})
        return run

    return make
