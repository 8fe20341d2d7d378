"""Supervised tokens per processor second of our loop, against a plain transformers.Trainer padded to the longest row.

Same base model, adapter, rows, batch size and number of steps, one thread each; both are timed by the same callback
from step to step, so that loading and saving do not count.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from typing import Any

from core.config import RunConfig, build, load
from core.paths import ROOT
from core.runs import store
from core.runs.eventlog import EventLog
from core.runs.state import StateFile
from tests.bench.table import Row, in_turn

NAMES = ("instructions", "fields")


def measure(quick: bool) -> list[Row]:
    """A row for each data set: one whose rows differ much in length, one whose rows differ little."""
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
            config = build(values)

            def rate(work: Any, config: RunConfig = config) -> float:
                stamps.clear()
                supervised = work(config, steps)
                return sum(supervised[skip:steps]) / (stamps[steps - 1] - stamps[skip - 1])

            ours, theirs = in_turn(lambda: rate(_ours), lambda: rate(_plain), times=times)
            what = f"{name}: trained tokens"
            beside = "Trainer, padded to the longest row"
            found.append(Row("training", what, ours, beside, theirs, "/ CPU s", more_is_better=True))
    finally:
        module.DEFAULT_CALLBACKS.remove(Clock)
    return found


def _supervised(row: dict[str, list[int]]) -> int:
    return sum(label != -100 for label in row["labels"][1:])


def _ours(config: RunConfig, steps: int) -> list[int]:
    """Train as `python -m core train` does; trained tokens of each step."""
    from core.training.examples import prepare
    from core.training.loop import fit
    from core.training.order import GroupedOrder

    rows = prepare(config, lambda done, total: None).train
    run = store.create(config)
    with open(os.devnull, "w") as quiet, StateFile(run.dir / "state.json").working("", graceful=True) as job:
        err, sys.stderr = sys.stderr, quiet
        try:
            fit(config, run, job, EventLog(run.dir / "events.jsonl"))
        finally:
            sys.stderr = err
    size = config.training.per_device_train_batch_size
    order = GroupedOrder([len(row["input_ids"]) for row in rows], size, config.training.seed)
    drawn: list[int] = []
    for epoch in range(1 + steps * size // len(rows)):
        order.set_epoch(epoch)
        drawn += list(order)
    return [sum(_supervised(rows[i]) for i in drawn[n * size : (n + 1) * size]) for n in range(steps)]


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
