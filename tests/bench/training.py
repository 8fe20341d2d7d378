"""Supervised tokens per processor second of our loop, with each way to make batches, against a plain
transformers.Trainer padded to the longest row.

Same base model, adapter, rows, batch size and number of steps, one thread each; all are timed by the same callback
from step to step, so that loading and saving do not count. A packed batch holds as many sequences as the others rows.
"""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from typing import Any

from core.config import RunConfig, build, load
from core.paths import ROOT
from core.runs import store
from core.runs.eventlog import EventLog
from core.runs.state import StateFile
from tests.bench.table import Row, in_turn

NAMES = ("instructions", "fields")
WAYS = ("grouped", "shuffled", "packed", "padding_free")


def measure(quick: bool) -> list[Row]:
    """A row for each way and data set: one whose rows differ much in length, one whose rows differ little."""
    import torch
    from transformers import TrainerCallback
    from transformers import trainer as module

    torch.set_num_threads(1)
    stamps: list[float] = []

    class Clock(TrainerCallback):
        """Processor time at the end of each step; every Trainer of this process gets one."""

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            stamps.append(time.process_time())

    module.DEFAULT_CALLBACKS.append(Clock)
    skip, steps, times = (1, 3, 1) if quick else (5, 25, 3)
    found = []
    try:
        for name in NAMES[:1] if quick else NAMES:
            config = load(ROOT / "assets" / "configs" / f"{name}.yaml")
            values = config.model_dump()
            values["data"]["validation"] = 0
            values["training"] |= {"max_steps": steps, "logging_steps": steps, "save_steps": steps}

            def rate(work: Any, way: str, values: dict[str, Any] = values) -> float:
                stamps.clear()
                config = build(values | {"training": values["training"] | {"batching": way}})
                supervised = work(config, steps)
                return sum(supervised[skip:steps]) / (stamps[steps - 1] - stamps[skip - 1])

            works = [functools.partial(rate, _ours, way) for way in WAYS]
            *ours, theirs = in_turn(*works, functools.partial(rate, _plain, "shuffled"), times=times)
            beside = "Trainer, padded to the longest row"
            for way, figure in zip(WAYS, ours, strict=True):
                what = f"{name}: trained tokens, {way}"
                found.append(Row("training", what, figure, beside, theirs, "/ CPU s", more_is_better=True))
    finally:
        module.DEFAULT_CALLBACKS.remove(Clock)
    return found


def _supervised(row: dict[str, list[int]]) -> int:
    return sum(label != -100 for label in row["labels"][1:])


def _ours(config: RunConfig, steps: int) -> list[int]:
    """Train as `python -m core train` does; trained tokens of each step."""
    from core.training.examples import prepare
    from core.training.loop import fit
    from core.training.order import ORDERS

    rows = prepare(config, lambda done, total: None).train
    run = store.create(config)
    with open(os.devnull, "w") as quiet, StateFile(run.dir / "state.json").working("", graceful=True) as job:
        err, sys.stderr = sys.stderr, quiet
        try:
            fit(config, run, job, EventLog(run.dir / "events.jsonl"))
        finally:
            sys.stderr = err
    t = config.training
    size = t.per_device_train_batch_size
    order = ORDERS[t.batching]([len(row["input_ids"]) for row in rows], size, t.seed)
    batches: list[list[Any]] = []
    while len(batches) < steps:
        drawn = list(order)
        batches += [drawn[n : n + size] for n in range(0, len(drawn), size)]
        order.set_epoch(order.epoch + 1)
    items = order.over(rows)
    return [sum(map(_supervised, _flat(items[i] for i in batch))) for batch in batches[:steps]]


def _flat(items: Iterable[Any]) -> list[dict[str, list[int]]]:
    """Rows, of rows or lists of rows."""
    return [row for item in items for row in (item if isinstance(item, list) else [item])]


def _plain(config: RunConfig, steps: int) -> list[int]:
    """The same adapter on the same rows with transformers' own Trainer; every row padded to the longest of all."""
    import torch
    from transformers import PrinterCallback, Trainer, TrainingArguments

    from core.methods import method
    from core.models.load import load_base
    from core.models.rates import learning_rate
    from core.training.examples import prepare

    given = prepare(config, lambda done, total: None)
    longest = max(len(row["input_ids"]) for row in given.train)
    counted: list[int] = []

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        counted.append(sum(map(_supervised, batch)))
        fill = {"input_ids": given.objective.pad, "labels": -100}
        tensors = {
            key: torch.tensor([row[key] + [value] * (longest - len(row[key])) for row in batch])
            for key, value in fill.items()
        }
        lengths = torch.tensor([len(row["input_ids"]) for row in batch])
        return tensors | {"attention_mask": (torch.arange(longest) < lengths[:, None]).long()}

    torch.manual_seed(config.training.seed)
    model = load_base(config.model.path, None, torch.float32)
    model = method(config.method.name).prepare(model, config.method, config.model.path, None)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=steps, per_device_train_batch_size=config.training.per_device_train_batch_size,
            learning_rate=learning_rate(config), use_cpu=True, save_strategy="no", report_to=[], disable_tqdm=True,
            logging_strategy="no", seed=config.training.seed, remove_unused_columns=False,
        )  # fmt: skip
        trainer = Trainer(model=model, args=arguments, train_dataset=given.train, data_collator=collate)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return counted
