"""The callback: what happens in the Trainer becomes events of the run, and a request to stop reaches the Trainer."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from core.runs.eventlog import EventLog
from core.runs.state import Job
from core.training.clock import Clock

EXPLODED, POINTS = 3.0, 5  # times the first loss, for so many points in a row: said, not stopped


class Follow(TrainerCallback):
    """Appends to the event log; ends when asked, when the time is up, when validation no longer improves.

    Attributes:
        reason: why the training ended: finished, early_stopped, time_budget or stopped.
        supervised, tokens: counted by the Trainer since the last log: trained tokens, and all that are no padding.
        paused: seconds since the last log that went into validating and saving, not training.
    """

    def __init__(self, log: EventLog, job: Job, max_steps: int, clock: Clock) -> None:
        self.log, self.job, self.clock = log, job, clock
        self.max_steps = max_steps
        self.reason = "finished"
        self.supervised, self.tokens, self.paused = 0, 0, 0.0
        self.stop_early = False
        self._since = self._began = time.monotonic()
        self._first = 0
        self._first_loss: float | None = None
        self._high = 0  # points in a row that lay far above it

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Starts the clock."""
        self._since = self._began = time.monotonic()
        self.paused, self._first = 0.0, state.global_step
        self.clock.start()
        self.job.progress(state.global_step, self.max_steps, "training")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """A stop is seen after each step; the last step is always logged."""
        self.job.progress(state.global_step, self.max_steps)
        if self.job.stop_asked and not control.should_training_stop:
            self.reason = "stopped"
            control.should_training_stop = control.should_save = True
        if self.clock.over and not control.should_training_stop:
            self.reason = "time_budget"
            control.should_training_stop = control.should_save = True
            control.should_evaluate = args.eval_strategy != IntervalStrategy.NO
        if control.should_training_stop:
            control.should_log = True
        return control

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """One log event, and one line for whoever looks at the terminal."""
        if not logs or "loss" not in logs:
            return
        now = time.monotonic()
        busy = max(now - self._since - self.paused, 1e-9)
        loss, step = float(logs["loss"]), state.global_step
        self.log.add(
            "log",
            step,
            loss=loss,
            learning_rate=float(logs["learning_rate"]),
            grad_norm=float(logs.get("grad_norm", math.nan)),
            epoch=state.epoch,
            tokens_per_second=self.supervised / busy,
            all_tokens_per_second=self.tokens / busy,
            max_steps=self.max_steps,
        )
        left = (now - self._began) / max(step - self._first, 1) * (self.max_steps - step)
        print(
            f"step {step:,} of {self.max_steps:,} · loss {loss:.4f} · {self.supervised / busy:,.0f} trained tokens/s"
            f" · {left // 60:.0f}:{left % 60:02.0f} left",
            file=sys.stderr,
            flush=True,
        )
        self._since, self.paused, self.supervised, self.tokens = now, 0.0, 0, 0
        self._watch(loss, step, args.learning_rate)

    def _watch(self, loss: float, step: int, rate: float) -> None:
        """A note when the loss stays far above where it began."""
        self._first_loss = loss if self._first_loss is None else self._first_loss
        self._high = self._high + 1 if loss > EXPLODED * self._first_loss else 0
        if self._high == POINTS:
            text = (
                f"The loss is more than {EXPLODED:.0f} times what it was at first ({self._first_loss:.3g}, now "
                f"{loss:.3g}) and does not come down: the learning rate of {rate:g} is probably too high."
            )
            self.log.add("note", step, text=text)
            print(text, file=sys.stderr, flush=True)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        """Ends the training when the Trainer has found that validation no longer improves."""
        if self.stop_early and not control.should_training_stop:
            self.reason = "early_stopped"
            control.should_training_stop = control.should_save = True
        return control
