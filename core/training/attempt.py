"""One attempt at a training: the Trainer, from a beginning or from the newest whole checkpoint, to its end."""

from __future__ import annotations

import functools
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, set_seed

from core import config as configs
from core.config import RunConfig
from core.errors import ConfigError, InputError
from core.methods import method, prompt
from core.models.load import Precision
from core.runs import checkpoints
from core.runs.curve import Curve
from core.runs.eventlog import EventLog
from core.runs.files import whole_folder, write_text
from core.runs.state import Job
from core.runs.store import Run
from core.training.arguments import arguments
from core.training.best import Best, Measure, scorer
from core.training.clock import Clock
from core.training.events import Follow
from core.training.examples import Examples
from core.training.noise import noisy
from core.training.order import Order
from core.training.publish import prove
from core.training.trainer import TRAINER_STATE, Hooks, RunTrainer

SAMPLE_TOKENS = 96
SETTINGS = "config.yaml"  # in a checkpoint
MOVED = ("model.path", "data.path", "training.report_to")  # change nothing of what is trained
NEEDED = ("optimizer.pt", "scheduler.pt", "rng_state.pth", TRAINER_STATE)  # transformers goes on in silence without


def say(log: EventLog, step: int, note: str) -> None:
    """A note for whoever follows the run: an event, and a line on standard error."""
    log.add("note", step, text=note)
    print(note, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        reason: why it ended: finished, early_stopped, time_budget or stopped. steps: taken, of max_steps.
        best: what `Best.found` says of the best weights; None where the last ones are in `checkpoints/last`.
    """

    reason: str
    steps: int
    max_steps: int
    best: dict[str, Any] | None


def attempt(
    config: RunConfig,
    run: Run,
    job: Job,
    log: EventLog,
    rows: Examples,
    order: Order,
    model: Any,
    steps: int,
    measure: Measure,
    on: Precision,
    resume: bool,
) -> Outcome:
    """Train to the end, early or not.

    Args:
        order: of the rows in an epoch. steps: updates of the whole training. measure: what the best weights are
        chosen by. on: what is computed in.

    Raises:
        InputError: a setting does not work here, or the training fell apart.
    """
    t, folder, objective = config.training, run.dir / "checkpoints", rows.objective
    start = _start(folder, log, resume)
    clock = Clock(t.max_minutes and t.max_minutes * 60)
    score = None
    if rows.validation:
        score = scorer(config, rows, measure, on, lambda: job.stop_asked)
    best = Best(folder, measure, config, score)
    if start is not None:
        _same_settings(config, folder / f"step-{start}")
        clock.load(folder / f"step-{start}")
        best.history = _checked(run)
    hooks = Hooks(
        log=log,
        follow=Follow(log, job, steps, clock),
        folder=folder,
        keep=t.save_total_limit,
        order=order,
        objective=objective,
        rows=rows.train,
        places=rows.places,
        on=on,
        validation=objective.validation(rows.validation, t.per_device_train_batch_size, on)
        if rows.validation
        else None,
        best=best,
        sample=functools.partial(
            _sample, rows=rows, most=min(config.evaluation.max_new_tokens, SAMPLE_TOKENS), log=log, on=on
        ),
        write=functools.partial(_write, config=config),
        save=functools.partial(_save, config=config, rows=rows, on=on),
    )
    trainer = RunTrainer(
        hooks,
        model=model,
        args=arguments(config, folder, on, validate=bool(rows.validation)),
        eval_dataset=rows.validation or None,
    )
    trainer.remove_callback(PrinterCallback)
    if wrong := objective.wrong_batches(trainer.model, rows.train, on):
        raise InputError(wrong, "training.batching")
    log.add("state", start or 0, state="running", max_steps=steps)
    if start is None:
        job.say("validating the base model")
        # Vectors in front would change what the base says; other adapters begin as if they were not there.
        with prompt.without(model):
            if rows.validation:
                trainer.evaluate()
            else:
                hooks.sample(model, 0)
        job.check()
    else:
        _back_at(trainer, folder, start)
        if rows.validation and start not in best.history and (start % t.eval_steps == 0 or start == steps):
            trainer.evaluate()  # it was stopped while it was validating here
    set_seed(t.seed)
    job.say("training")
    over = _over(hooks, start, steps)
    if not over:
        with noisy(model, t.neftune_noise_alpha):
            trainer.train(resume_from_checkpoint=str(folder / f"step-{start}") if start else None)
    found = best.found()
    if found is None:
        with whole_folder(folder / "last") as work:
            hooks.save(trainer.model, work)
    return Outcome(over or hooks.follow.reason, int(trainer.state.global_step), steps, found)


def _over(hooks: Hooks, start: int | None, steps: int) -> str:
    """Why an attempt has nothing left to do: it was cut off after its last checkpoint. "" where it has."""
    if start is None:
        return ""
    if start >= steps:
        return "finished"
    if hooks.best.given_up:
        return "early_stopped"
    return "time_budget" if hooks.follow.clock.over else ""


def _back_at(trainer: RunTrainer, folder: Path, step: int) -> None:
    """Put the weights of a checkpoint into the model."""
    trainer._load_from_checkpoint(str(folder / f"step-{step}"))
    trainer.state.global_step = step


def _checked(run: Run) -> dict[int, float]:
    """What each check so far came to, by step, the base model's left out."""
    curve = Curve()
    curve.add(run.events()[0])
    values = {step: event.get("metric_value", event["validation_loss"]) for step, event in curve.evals.items() if step}
    return {step: value for step, value in values.items() if isinstance(value, float)}


def _start(folder: Path, log: EventLog, resume: bool) -> int | None:
    """The step to go on from, or None for a beginning; what an earlier attempt left half written goes away."""
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return None
    path, notes = checkpoints.newest(folder, NEEDED)
    for note in notes:
        say(log, 0, note)
    step = int(path.name.removeprefix("step-")) if path else None
    log.add("resumed", step or 0)
    print(f"resuming from step {step}" if step else "no whole checkpoint: starting again", file=sys.stderr, flush=True)
    for stale in (*folder.glob(".writing-*"), folder / "last"):
        shutil.rmtree(stale, ignore_errors=True)
    if step is None:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return step


def _sample(model: Any, step: int, rows: Examples, most: int, log: EventLog, on: Precision) -> None:
    """The answers to the probes, as one event, which speaks of the first and has all of them under `answers`; the first
    event says what was asked and what is wanted, too."""
    answers = []
    for probe in rows.probes:
        text, ended = rows.objective.answer(model, probe, most, on)
        asked = {"prompt": probe.prompt, "want": probe.want} if not step else {}
        answers.append({"row": probe.row, "answer": text, "ended": ended, **asked})
    log.add("sample", step, **answers[0], answers=answers)


def _write(model: Any, folder: Path, config: RunConfig) -> None:
    """What a checkpoint has of the weights, and the settings that they came from."""
    method(config.method.name).save(model, folder)
    write_text(folder / SETTINGS, configs.dumps(config))


def _same_settings(config: RunConfig, checkpoint: Path) -> None:
    """ConfigError with what differs from the settings that a checkpoint was made with: from it another run would come.

    Files may have been moved: what they hold is compared elsewhere. What is measured afterwards makes no difference.
    """
    if not (checkpoint / SETTINGS).is_file():
        return
    before, errors = configs.load(checkpoint / SETTINGS).model_dump(), dict[str, str]()
    for name, section in config.model_dump().items():
        now, was = (part if isinstance(part, dict) else {"": part} for part in (section, before[name]))
        keys = ["name"] if now.get("name") != was.get("name") and name == "method" else now
        for key in keys:
            field = f"{name}.{key}".rstrip(".")
            if now.get(key) != was.get(key) and name != "evaluation" and field not in MOVED:
                errors[field] = (
                    f"it is {now.get(key)!r}, and the run was trained up to its checkpoint with {was.get(key)!r}: put "
                    "that back, or start a new run."
                )
    if errors:
        raise ConfigError(dict(sorted(errors.items())))


def _save(model: Any, folder: Path, config: RunConfig, rows: Examples, on: Precision) -> None:
    """Weights, and the proof that they are these."""
    method(config.method.name).save(model, folder)
    prove(model, rows.objective, (rows.validation or rows.train)[0], folder, on)
