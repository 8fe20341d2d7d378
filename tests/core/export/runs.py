"""Runs that look tuned, for tests that share one package: a random adapter on a base, without any training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.runs.store import Run

TEMPLATE = "### {phrase}\n{tone}"


def tuned(
    base: Path, rows: Path, seed: int, name: str, method: str = "lora", settings: dict[str, Any] | None = None,
    evaluation: dict[str, Any] | None = None, **data: Any,
) -> Run:  # fmt: skip
    """A finished run on tone rows with a random adapter of its method (lora, qlora) on a base."""
    import torch

    from core.config import build
    from core.methods import lora, qlora
    from core.models.load import copy_companions, load_base
    from core.models.precision import precision
    from core.runs import store
    from core.runs.files import write_json

    config = build(
        {
            "task": "generation" if data.get("template", TEMPLATE) is None else "classification",
            "model": {"path": str(base)},
            "data": {"path": str(rows), "template": TEMPLATE, "max_tokens": 64, "validation": 0.25} | data,
            "method": {"name": method, **(settings or {})},
            "evaluation": {"max_new_tokens": 6} | (evaluation or {}),
        }
    )
    run = store.create(config, name)
    kind: Any = {"lora": lora, "qlora": qlora}[method]
    quantization = kind.quantization(config.method, precision())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind.prepare(load_base(str(base), quantization=quantization), config.method, str(base), None)
        for key, parameter in model.named_parameters():
            if "lora_B" in key:
                torch.nn.init.normal_(parameter, std=0.1)
    kind.save(model, run.dir / "model")
    copy_companions(str(base), None, run.dir / "model")
    if quantization:
        write_json(run.dir / "model" / "base.json", {"quantization": quantization})
    write_json(run.dir / "state.json", json.loads((run.dir / "state.json").read_text()) | {"state": "done"})
    return run
