"""The curves of a run for other programs: TensorBoard's files, trackio, Weights & Biases.

They get what events.jsonl gets, while it is written. Nothing leaves this machine unless somebody asked for it with
WANDB_MODE=online or TRACKIO_SPACE_ID. A board that fails is left out with a note: it never ends a training.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from core.config import RunConfig
from core.errors import InputError
from core.runs.curve import Curve
from core.runs.eventlog import Event, EventLog
from core.runs.files import plain
from core.runs.store import Run

PROJECT = "tunesmith"
FOLDER = "tensorboard"
TRAINED = ("loss", "learning_rate", "grad_norm", "tokens_per_second", "epoch")
WORDS = ("kind", "metric", "metric_value", "higher_is_better", "validation_loss", "step", "t")


class Board(Protocol):
    """Where numbers go. To add one, write a class like these, and an entry in BOARDS."""

    def __init__(self, run: Run, config: RunConfig) -> None: ...

    def put(self, step: int, figures: dict[str, float]) -> None:
        """The numbers of a step."""

    def resumed(self, curve: Curve) -> None:
        """The run goes on from the end of this curve; what was put beyond it comes again."""

    def close(self) -> None:
        """The last word."""


def figures(event: Event) -> dict[str, float]:
    """What a curve has of an event: "train/loss", "validation/loss", "validation/accuracy", ...; for most nothing."""
    kind = event["kind"]
    if kind == "log":
        found = {f"train/{name}": event.get(name) for name in TRAINED}
    elif kind == "eval":
        found = {f"validation/{name}": value for name, value in event.items() if name not in WORDS}
        found["validation/loss"] = event["validation_loss"]
    else:
        return {}
    return {name: float(value) for name, value in found.items() if isinstance(value, (int, float))}


class TensorBoard:
    """`RUN/tensorboard`, for `tensorboard --logdir runs`. After a resume it is written anew: no step is there twice."""

    def __init__(self, run: Run, config: RunConfig) -> None:
        self._folder: Path = run.dir / FOLDER
        self._open()

    def _open(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        shutil.rmtree(self._folder, ignore_errors=True)
        self._writer = SummaryWriter(str(self._folder), flush_secs=5)

    def put(self, step: int, figures: dict[str, float]) -> None:
        """See Board."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def resumed(self, curve: Curve) -> None:
        """See Board."""
        self._writer.close()
        self._open()
        for points in (curve.logs, curve.evals):
            for step, event in points.items():
                self.put(step, figures(event))

    def close(self) -> None:
        """See Board."""
        self._writer.close()


class _Once(ABC):
    """What two boards share that keep what they have: a step that comes again after a resume is passed over."""

    def __init__(self, run: Run, config: RunConfig) -> None:
        self._seen: dict[str, int] = {}
        for event in run.events()[0]:
            for name in figures(event):
                self._seen[name] = max(self._seen.get(name, 0), event["step"])
        self._had = bool(self._seen)
        with contextlib.redirect_stdout(sys.stderr):
            self._begin(run, plain(config.model_dump(mode="json")))

    @abstractmethod
    def _begin(self, run: Run, settings: dict[str, Any]) -> None: ...

    @abstractmethod
    def _log(self, step: int, figures: dict[str, float]) -> None: ...

    def put(self, step: int, figures: dict[str, float]) -> None:
        """See Board."""
        new = {name: value for name, value in figures.items() if not self._had or step > self._seen.get(name, -1)}
        if new:
            self._log(step, new)

    def resumed(self, curve: Curve) -> None:
        """See Board: it has kept all of it."""
        return None


class Trackio(_Once):
    """A run of the project "tunesmith", for `trackio show`; in TRACKIO_DIR, or where trackio puts it."""

    def _begin(self, run: Run, settings: dict[str, Any]) -> None:
        self._trackio = importlib.import_module("trackio")
        self._trackio.init(
            project=PROJECT, name=run.id, config=settings, resume="allow", embed=False, auto_log_gpu=False,
            auto_log_cpu=False,
        )  # fmt: skip

    def _log(self, step: int, figures: dict[str, float]) -> None:
        self._trackio.log(figures, step=step)

    def close(self) -> None:
        """See Board."""
        with contextlib.redirect_stdout(sys.stderr):
            self._trackio.finish()


class WeightsAndBiases(_Once):
    """A run of the project "tunesmith" in `RUN/wandb`, for `wandb sync`; sent at once where WANDB_MODE is online."""

    def _begin(self, run: Run, settings: dict[str, Any]) -> None:
        wandb = importlib.import_module("wandb")
        self._run = wandb.init(
            project=PROJECT, id=run.id, name=run.id, dir=str(run.dir), config=settings, resume="allow",
            mode=os.environ.get("WANDB_MODE", "offline"), settings=wandb.Settings(silent=True, console="off"),
        )  # fmt: skip

    def _log(self, step: int, figures: dict[str, float]) -> None:
        self._run.log(figures, step=step)

    def close(self) -> None:
        """See Board."""
        with contextlib.redirect_stdout(sys.stderr):
            self._run.finish()


BOARDS: dict[str, Callable[[Run, RunConfig], Board]] = {
    "tensorboard": TensorBoard,
    "trackio": Trackio,
    "wandb": WeightsAndBiases,
}


def require(config: RunConfig) -> None:
    """InputError (field training.report_to) when a board's package is not installed."""
    missing = [name for name in config.training.report_to if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed here: "
            f"pip install {' '.join(missing)}, or leave {'it' if len(missing) == 1 else 'them'} out.",
            "training.report_to",
        )


@contextlib.contextmanager
def reporting(config: RunConfig, run: Run, log: EventLog, note: Callable[[str], None]) -> Iterator[None]:
    """Let the boards of a config follow the events of a run.

    Args:
        note: told in a sentence of a board that failed; the others go on.
    """
    boards: dict[str, Board] = {}

    def trying(name: str, act: Callable[..., Any], *values: Any) -> Any:
        try:
            return act(*values)
        except Exception as error:  # whatever another program's board comes to, the training goes on
            boards.pop(name, None)
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            note(f"Nothing more goes to {name}: {reason.rstrip('.')}.")

    def follow(event: Event) -> None:
        numbers = figures(event)
        if event["kind"] == "resumed":
            curve = Curve()
            curve.add(run.events()[0])
            for name, board in list(boards.items()):
                trying(name, board.resumed, curve)
        elif numbers:
            for name, board in list(boards.items()):
                trying(name, board.put, event["step"], numbers)

    for wanted in config.training.report_to:
        if board := trying(wanted, BOARDS[wanted], run, config):
            boards[wanted] = board
    log.follower = follow if boards else None
    try:
        yield
    finally:
        log.follower = None
        for name, board in list(boards.items()):
            trying(name, board.close)
