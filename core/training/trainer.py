"""transformers.Trainer with our order of rows, our validation, and checkpoints that are whole or not there."""

from __future__ import annotations

import functools
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer, TrainerControl

from core.errors import InputError
from core.models.load import Precision
from core.runs import checkpoints
from core.runs.eventlog import EventLog
from core.runs.files import whole_folder
from core.runs.state import Stopped
from core.tasks.objective import Objective, Row
from core.training.best import LOSS, Best
from core.training.broken import NUMBERS, Numbered, culprits, diverged, numbered
from core.training.clock import Clock
from core.training.events import Follow
from core.training.order import Order

TRAINER_STATE = "trainer_state.json"


@dataclass(frozen=True)
class Hooks:
    """What the Trainer needs of a run.

    Attributes:
        log, follow: where events go. folder: for checkpoints. keep: how many. order: of the rows.
        objective: what is learned. rows: to train on. places: of each in the data, from 0. on: what is computed in.
        validation: from a model to its figures; None where no rows are kept back. best: what is made of them.
        sample: writes the sample event of a step. write: writes the tuned weights into a folder; save: with what
        proves them.
    """

    log: EventLog
    follow: Follow
    folder: Path
    keep: int
    order: Order
    objective: Objective
    rows: Sequence[Row]
    places: Sequence[int]
    on: Precision
    validation: Callable[[Any], dict[str, float]] | None
    best: Best
    sample: Callable[[Any, int], None]
    write: Callable[[Any, Path], None]
    save: Callable[[Any, Path], None]


class RunTrainer(Trainer):
    """A Trainer for one run. Best weights so far: `checkpoints/best-N`; to go on from: `checkpoints/step-N`."""

    def __init__(self, hooks: Hooks, **kwargs: Any) -> None:
        self.hooks = hooks
        self.control: TrainerControl
        self._numbers: list[list[int]] = []  # of the rows in each batch of the update
        self._seen: list[int] = []  # of those rows whose gradients are there
        collate = numbered(hooks.objective.collate)
        super().__init__(
            train_dataset=hooks.order.over(Numbered(hooks.rows)),
            data_collator=collate,
            callbacks=[hooks.follow],
            **kwargs,
        )
        self.model_accepts_loss_kwargs = (
            True  # the loss is divided by the items of the whole update, not by its batches
        )

    # What is trained on

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        return self.hooks.order

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, torch.Tensor]], device: Any) -> torch.Tensor:
        """What the loss of an update is a mean over, in all of its batches; tokens are counted for the speed too."""
        objective, follow = self.hooks.objective, self.hooks.follow
        self._numbers = [batch.pop(NUMBERS).tolist() for batch in batch_samples]
        items = torch.stack([objective.items(batch) for batch in batch_samples]).sum()
        follow.supervised += sum(objective.trained(batch) for batch in batch_samples)
        follow.tokens += sum(objective.read(batch) for batch in batch_samples)
        return items.to(device)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of one batch as its share of the update, so that accumulation is equal to one large batch."""
        return self.hooks.objective.loss(model, inputs, num_items_in_batch)

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """One batch forwards and backwards. InputError when its loss is no number, naming the rows."""
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        numbers = self._numbers.pop(0)
        if not torch.isfinite(loss):
            hooks, items = self.hooks, self.hooks.order.over(self.hooks.rows)
            alone = {number: hooks.objective.collate([items[hooks.order.alone(number)]]) for number in numbers}
            raise self._broken(culprits(model, hooks.objective, alone, hooks.on))
        self._seen += numbers
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """The length of the gradients. InputError when it is no number (in fp16 it may be: the scaler sees to that)."""
        norm = super()._get_grad_norm(model, grad_norm)
        seen, self._seen = self._seen, []
        if self.accelerator.scaler is None and not math.isfinite(float(norm)):
            raise self._broken(seen)
        return norm

    def _broken(self, numbers: Sequence[int]) -> InputError:
        """The error, and the event, of an update that would make the weights worthless; it is not made."""
        step, hooks = self.state.global_step + 1, self.hooks
        rows = sorted({hooks.places[number] + 1 for number in numbers})
        kept = max(checkpoints.steps(hooks.folder), default=None)
        hooks.log.add("diverged", step, rows=rows, checkpoint=kept)
        return diverged(step, self.args.learning_rate, rows, kept)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: nobody reads it, and counting walks over all parameters at each step."""
        return 0

    # How the weights are moved

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The optimiser of the settings. InputError (field training.optim) where it does not work here."""
        try:
            return super().create_optimizer(model)
        except (ImportError, RuntimeError, ValueError, NotImplementedError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"The optimiser {self.args.optim.value} does not work on this machine: {reason.rstrip('.')}. "
                "adamw_torch_fused works everywhere.",
                "training.optim",
            ) from error

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> torch.optim.lr_scheduler.LRScheduler:
        """The schedule of the settings; with a time budget it comes to its end when the time does."""
        made = super().create_scheduler(num_training_steps, optimizer)
        clock = self.hooks.follow.clock
        if clock.budget is not None and isinstance(made, LambdaLR):
            made.lr_lambdas = [_timed(rule, clock, num_training_steps) for rule in made.lr_lambdas]
        return made

    # Validation

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Validate, keep the weights if they are the best so far, show a sample.

        Returns:
            {"eval_loss"}: nats a trained token. Nothing when somebody asked to end it: a resume checks this step first.
        """
        began, step, hooks = time.monotonic(), self.state.global_step, self.hooks
        if hooks.validation is None:
            raise RuntimeError("evaluate() was called without validation rows")
        figures = hooks.validation(self.model)
        loss = figures["loss"]
        if not math.isfinite(loss):
            raise diverged(step, self.args.learning_rate, kept=max(checkpoints.steps(hooks.folder), default=None))
        try:
            value = hooks.best.value(self.model, figures)
        except Stopped:
            hooks.follow.reason = "stopped"
            self.control.should_training_stop = self.control.should_save = True
            return {}
        name, higher = hooks.best.measure.name, hooks.best.measure.higher_is_better
        figures = {k: v for k, v in ({name: value} | figures).items() if k != LOSS}
        judged = {"metric": name, "metric_value": value, "higher_is_better": higher}
        hooks.log.add("eval", step, validation_loss=loss, **judged, **figures)
        words = "".join(f" · {name} {value:.4g}" for name, value in figures.items())
        print(f"step {step:,} · validation loss {loss:.4f}{words}", file=sys.stderr, flush=True)
        if step:
            hooks.best.keep(step, value, loss, functools.partial(hooks.save, self.model))
            hooks.follow.stop_early = hooks.best.given_up
        hooks.sample(self.model, step)
        hooks.follow.paused += time.monotonic() - began
        metrics = {"eval_loss": loss}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    # Checkpoints

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write all that is needed to go on, then the manifest, then rename: a folder `step-N` is a whole one."""
        began, step = time.monotonic(), self.state.global_step
        if not all(bool(torch.isfinite(p).all()) for p in self.model.parameters() if p.requires_grad):
            raise diverged(step, self.args.learning_rate)
        self.hooks.folder.mkdir(exist_ok=True)
        with whole_folder(self.hooks.folder / f"step-{step}") as work:
            self.hooks.write(self.model, work)
            self._save_optimizer_and_scheduler(str(work))
            self._save_scaler(str(work))
            self._save_rng_state(str(work))
            self.state.save_to_json(str(work / TRAINER_STATE))
            self.hooks.follow.clock.save(work)
            checkpoints.write_manifest(work)
        checkpoints.rotate(self.hooks.folder, self.hooks.keep)
        self.hooks.log.add("checkpoint", step, path=f"checkpoints/step-{step}")
        self.hooks.follow.paused += time.monotonic() - began


def _timed(rule: Callable[[float], float], clock: Clock, steps: int) -> Callable[[int], float]:
    """A rule of the schedule, asked at the step where the clock has it."""
    return lambda step: rule(clock.step(step, steps))
