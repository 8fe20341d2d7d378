"""Processor seconds of one update by each method, beside full fine-tuning of the same model on the same batch.

Forward, backward and AdamW's step, one thread each; what is registered in core.methods joins by itself. The batch is
the eight longest rows of the fields' first sixteen, so that all methods compute the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from core.config import build, load
from core.paths import ROOT
from tests.bench.table import Row, cpu_seconds, in_turn

BATCH = 8


def measure(quick: bool) -> list[Row]:
    """A row for each method."""
    import torch

    from core.methods import METHODS
    from core.training.examples import prepare

    torch.set_num_threads(1)
    steps, times = (1, 1) if quick else (5, 5)
    values = load(ROOT / "assets" / "configs" / "fields.yaml").model_dump()
    examples = prepare(build(values), lambda done, total: None)
    drawn = sorted(examples.train[: 2 * BATCH], key=lambda row: len(row["input_ids"]))[-BATCH:]
    batch = examples.objective.collate(drawn)
    names = [name for name in METHODS if name != "full"]
    found = []
    for name in names[:1] if quick else names:
        ours, trained = _update(values, name, examples.objective, batch)
        theirs, _ = _update(values, "full", examples.objective, batch)
        for work in (ours, theirs):
            work()  # what is set up at the first step does not count
        mine, full = in_turn(*(functools.partial(cpu_seconds, work, steps) for work in (ours, theirs)), times=times)
        found.append(Row("methods", f"{name}: an update ({trained:,} trained)", mine, "full", full, "CPU s"))
    return found


def _update(values: dict[str, Any], name: str, objective: Any, batch: dict[str, Any]) -> tuple[Callable[[], None], int]:
    """(what makes one update of a fresh model, how many parameters it trains)."""
    import torch

    from core.methods import method
    from core.models.load import load_base, parameters, precision

    config = build(values | {"method": {"name": name}})
    way, on = method(name), precision()
    torch.manual_seed(0)
    base = load_base(config.model.path, None, torch.float32, quantization=way.quantization(config.method, on))
    model = way.prepare(base, config.method, config.model.path, None).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)

    def update() -> None:
        objective.loss(model, dict(batch)).backward()
        optimizer.step()
        optimizer.zero_grad()

    return update, parameters(model)["trained"]
