"""transformers.Trainer with our order of rows, our validation, and checkpoints that are whole or not there."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer, TrainerControl

from core.errors import InputError
from core.runs import checkpoints
from core.runs.eventlog import EventLog
from core.runs.files import read_json, whole_folder, write_json
from core.tasks.objective import Objective
from core.training.clock import Clock
from core.training.events import Follow, diverged
from core.training.order import Order

TRAINER_STATE = "trainer_state.json"


@dataclass(frozen=True)
class Hooks:
    """What the Trainer needs of a run.

    Attributes:
        log, follow: where events go. folder: for checkpoints. keep: how many. order: of the rows.
        objective: what is learned. validation: from a model to its figures; None where no rows are kept back.
        patience: in checks, or None.
        sample: writes the sample event of a step. save: writes the weights, with what proves them, into a folder.
    """

    log: EventLog
    follow: Follow
    folder: Path
    keep: int
    order: Order
    objective: Objective
    validation: Callable[[Any], dict[str, float]] | None
    patience: int | None
    sample: Callable[[Any, int], None]
    save: Callable[[Any, Path], None]


class RunTrainer(Trainer):
    """A Trainer for one run. Best weights so far: `checkpoints/best-N`; to go on from: `checkpoints/step-N`."""

    def __init__(self, hooks: Hooks, **kwargs: Any) -> None:
        self.hooks = hooks
        self.control: TrainerControl
        super().__init__(**kwargs)
        self.model_accepts_loss_kwargs = (
            True  # the loss is divided by the items of the whole update, not by its batches
        )

    # What is trained on

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        return self.hooks.order

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, torch.Tensor]], device: Any) -> torch.Tensor:
        """What the loss of an update is a mean over, in all of its batches; tokens are counted for the speed too."""
        objective, follow = self.hooks.objective, self.hooks.follow
        items = torch.stack([objective.items(batch) for batch in batch_samples]).sum()
        follow.supervised += sum(objective.trained(batch) for batch in batch_samples)
        follow.tokens += sum(objective.read(batch) for batch in batch_samples)
        return items.to(device)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of one batch as its share of the update, so that accumulation is equal to one large batch."""
        return self.hooks.objective.loss(model, inputs, num_items_in_batch)

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
            {"eval_loss"}: nats a trained token.
        """
        began, step = time.monotonic(), self.state.global_step
        validation = self.hooks.validation
        if validation is None:
            raise RuntimeError("evaluate() was called without validation rows")
        figures = validation(self.model)
        loss = figures.pop("loss")
        self.hooks.log.add("eval", step, validation_loss=loss, **figures)
        words = "".join(f" · {name} {value:.4g}" for name, value in figures.items())
        print(f"step {step:,} · validation loss {loss:.4f}{words}", file=sys.stderr, flush=True)
        if not math.isfinite(loss):
            raise diverged(step, self.hooks.follow.learning_rate)
        if step:
            self._keep_best(loss, step)
        self.hooks.sample(self.model, step)
        self.hooks.follow.paused += time.monotonic() - began
        metrics = {"eval_loss": loss}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _keep_best(self, loss: float, step: int) -> None:
        """Keep the weights when they beat all before; or note that patience is over.

        What is best is read from the folder itself: a run that was resumed finds there what it had reached before it
        was killed, and goes the same way again.
        """
        best = best_of(self.hooks.folder)
        if best is None or loss < best["validation_loss"]:
            with whole_folder(self.hooks.folder / f"best-{step}") as work:
                self.hooks.save(self.model, work)
                write_json(work / "best.json", {"step": step, "validation_loss": loss})
            if best is not None and best["step"] != step:
                shutil.rmtree(best["path"], ignore_errors=True)
            return
        checks = (step - best["step"]) // self.args.eval_steps
        if self.hooks.patience is not None and checks >= self.hooks.patience:
            self.hooks.follow.stop_early = True

    # Checkpoints

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write all that is needed to go on, then the manifest, then rename: a folder `step-N` is a whole one."""
        began, step = time.monotonic(), self.state.global_step
        if not all(bool(torch.isfinite(p).all()) for p in self.model.parameters() if p.requires_grad):
            raise diverged(step, self.hooks.follow.learning_rate)
        with whole_folder(self.hooks.folder / f"step-{step}") as work:
            self.save_model(str(work), _internal_call=True)
            (work / "training_args.bin").unlink(missing_ok=True)  # a pickle, which nobody reads
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


def best_of(folder: Path) -> dict[str, Any] | None:
    """{"step", "validation_loss", "path"} of the best weights in a run's `checkpoints` folder, or None."""
    found = [(note, path) for path in folder.glob("best-*") if (note := read_json(path / "best.json")) is not None]
    if not found:
        return None
    note, path = min(found, key=lambda f: (f[0]["validation_loss"], f[0]["step"]))
    return {**note, "path": path}
