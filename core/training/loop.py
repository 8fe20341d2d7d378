"""A whole training: rows, model, method, transformers.Trainer, and the tuned weights, all in the run directory."""

from __future__ import annotations

import functools
import gc
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, set_seed

from core.config import RunConfig
from core.data.encoded import lengths_of
from core.data.lengths import count_updates
from core.errors import InputError
from core.methods import method
from core.models.load import Precision, fingerprint, load_base, parameters, precision
from core.models.rates import learning_rate
from core.runs import checkpoints
from core.runs.curve import Curve
from core.runs.environment import threads
from core.runs.eventlog import EventLog
from core.runs.files import whole_folder, write_json
from core.runs.state import Job
from core.runs.store import Run
from core.training.arguments import arguments, check, remarks
from core.training.clock import Clock
from core.training.events import Follow
from core.training.examples import Examples, prepare
from core.training.noise import noisy
from core.training.order import ORDERS
from core.training.publish import prove, publish
from core.training.trainer import Hooks, RunTrainer, best_of

SAMPLE_TOKENS = 96


def fit(config: RunConfig, run: Run, job: Job, log: EventLog, resume: bool = False) -> dict[str, Any]:
    """Train, and leave the tuned weights in `run/model`.

    The weights are those of the best validation loss so far wherever rows are kept back, the last ones otherwise; when
    the training is stopped before it was ever validated, the last ones too. The `end` event says which.

    Args:
        config: of the run. run: its directory. job: its state, which this reports to and is stopped by.
        log: its events. resume: go on from the newest checkpoint that is whole.

    Returns:
        The keys of `python -m core train --json`.

    Raises:
        InputError: the config cannot be trained; `field` says where. Stopped: before the first step.
    """
    torch.set_num_threads(threads())
    on = precision(config.training.mixed_precision)
    rows = _rows(config, job, log)
    steps = count_updates(len(rows.train), config)
    check(config, steps)
    for note in remarks(config, steps, on):
        say(log, 0, note)
    job.check()
    way = method(config.method.name)
    job.say("loading the model")
    set_seed(config.training.seed)
    head = rows.objective.head
    model = load_base(
        config.model.path,
        config.model.revision,
        on.frozen if way.frozen_base else torch.float32,
        head,
        rows.objective.labels,
        way.quantization(config.method, on),
    )
    _fits(model, rows, config)
    model = way.prepare(model, config.method, config.model.path, config.model.revision, head)
    facts = {"parameters": parameters(model), "base_fingerprint": _same_base(run, config, resume)}
    write_json(run.dir / "environment.json", run.environment() | _environment(rows, on) | facts)
    job.check()
    follow, taken = _train(config, run, job, log, rows, model, on, resume)
    del model
    gc.collect()
    return _finish(config, run, job, log, rows, follow, taken, facts)


def _rows(config: RunConfig, job: Job, log: EventLog) -> Examples:
    job.say("reading the data")

    def tell(done: int, total: int) -> None:
        job.progress(done, total, "encoding the rows")
        job.check()

    rows = prepare(config, tell)
    for note in rows.notes:
        say(log, 0, note)
    return rows


def say(log: EventLog, step: int, note: str) -> None:
    """A note for whoever follows the run: an event, and a line on standard error."""
    log.add("note", step, text=note)
    print(note, file=sys.stderr, flush=True)


def _fits(model: Any, rows: Examples, config: RunConfig) -> None:
    """InputError when model and tokenizer, or model and rows, do not belong together."""
    width = model.get_input_embeddings().num_embeddings
    highest = max(max(row["input_ids"], default=0) for part in (rows.train, rows.validation) for row in part)
    if highest >= width:
        raise InputError(
            f"The tokenizer of {config.model.path!r} makes the id {highest}, and the model knows {width:,} ids: they "
            "do not belong together.",
            "model.path",
        )
    window = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if window and rows.data["longest"] > window:
        raise InputError(
            f"The longest example has {rows.data['longest']:,} tokens, and the model reads at most {window:,}: "
            f"set max_tokens to {window} or less.",
            "data.max_tokens",
        )


def _same_base(run: Run, config: RunConfig, resume: bool) -> str:
    """The fingerprint of the base. InputError when a run is resumed on other weights than it began with."""
    now, before = fingerprint(config.model.path, config.model.revision), run.environment().get("base_fingerprint")
    if resume and before and now != before:
        raise InputError(
            f"The weights of {config.model.path!r} are not those that this run began with: it cannot go on. "
            "Put the old ones back, or start a new run.",
            "model.path",
        )
    return now


def _environment(rows: Examples, on: Precision) -> dict[str, Any]:
    name = torch.cuda.get_device_name() if on.device == "cuda" else platform.processor() or platform.machine()
    return {
        "data": rows.data,
        "device": {"type": on.device, "name": name, "threads": torch.get_num_threads()},
        "precision": {"frozen": str(on.frozen).removeprefix("torch."), "trained": "float32", "autocast": on.autocast},
    }


def _train(
    config: RunConfig, run: Run, job: Job, log: EventLog, rows: Examples, model: Any, on: Precision, resume: bool
) -> tuple[Follow, int]:
    """Run the Trainer to its end, early or not; (what followed it, steps taken)."""
    t, folder = config.training, run.dir / "checkpoints"
    order = ORDERS[t.batching](lengths_of(rows.train), t.per_device_train_batch_size, t.seed)
    steps = count_updates(len(order), config)
    start = _start(folder, log, resume)
    clock = Clock(t.max_minutes and t.max_minutes * 60)
    if start is not None:
        clock.load(folder / f"step-{start}")
    follow = Follow(log, job, learning_rate(config), steps, clock)
    objective = rows.objective
    validation = objective.validation(rows.validation, t.per_device_train_batch_size, on) if rows.validation else None
    hooks = Hooks(
        log=log,
        follow=follow,
        folder=folder,
        keep=t.save_total_limit,
        order=order,
        objective=objective,
        validation=validation,
        patience=t.early_stopping_patience,
        sample=functools.partial(
            _sample, rows=rows, most=min(config.evaluation.max_new_tokens, SAMPLE_TOKENS), log=log, on=on
        ),
        save=functools.partial(_save, config=config, rows=rows, on=on),
    )
    trainer = RunTrainer(
        hooks,
        model=model,
        args=arguments(config, folder, on, validate=validation is not None),
        train_dataset=order.over(rows.train),
        eval_dataset=rows.validation or None,
        data_collator=objective.collate,
        callbacks=[follow],
    )
    trainer.remove_callback(PrinterCallback)
    if wrong := objective.wrong_batches(trainer.model, rows.train, on):
        raise InputError(wrong, "training.batching")
    log.add("state", start or 0, state="running", max_steps=steps)
    if start is None:
        job.say("validating the base model")
        if validation is not None:
            trainer.evaluate()
        else:
            hooks.sample(model, 0)
        job.check()
    set_seed(t.seed)
    job.say("training")
    if start is None or (start < steps and not clock.over):
        with noisy(model, t.neftune_noise_alpha):
            trainer.train(resume_from_checkpoint=str(folder / f"step-{start}") if start else None)
    else:
        follow.reason = "time_budget" if start < steps else "finished"
        trainer._load_from_checkpoint(str(folder / f"step-{start}"))
        trainer.state.global_step = start
    taken = int(trainer.state.global_step)
    if best_of(folder) is None:
        with whole_folder(folder / "last") as work:
            hooks.save(trainer.model, work)
    return follow, taken


def _start(folder: Path, log: EventLog, resume: bool) -> int | None:
    """The step to go on from, or None for a beginning; what an earlier attempt left half written goes away."""
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return None
    path, notes = checkpoints.newest(folder)
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


def _save(model: Any, folder: Path, config: RunConfig, rows: Examples, on: Precision) -> None:
    """Weights, and the proof that they are these."""
    method(config.method.name).save(model, folder)
    prove(model, rows.objective, (rows.validation or rows.train)[0], folder, on)


def _finish(
    config: RunConfig,
    run: Run,
    job: Job,
    log: EventLog,
    rows: Examples,
    follow: Follow,
    taken: int,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """Choose the weights, publish them, say how it ended."""
    folder = run.dir / "checkpoints"
    best = best_of(folder)
    weights = best["path"] if best else folder / "last"
    curve = Curve()
    curve.add(run.events()[0])
    base = curve.evals.get(0, {}).get("validation_loss")
    result: dict[str, Any] = {
        "run": run.id,
        "dir": str(run.dir),
        "state": "stopped" if follow.reason == "stopped" else "done",
        "reason": follow.reason,
        "steps": taken,
        "max_steps": follow.max_steps,
        "train_loss": curve.mean_loss(),
        "validation_loss": best["validation_loss"] if best else None,
        "base_validation_loss": base,
        "best_step": best["step"] if best else None,
        "weights": "best" if best else "last",
        "weights_step": best["step"] if best else taken,
        "parameters": facts["parameters"],
        "rows": {"train": len(rows.train), "validation": len(rows.validation)},
    }
    if best and base is not None and best["validation_loss"] >= base:
        say(
            log, taken, f"Validation never got better than the base model's {base:.4f}; a lower learning rate may help."
        )
    job.say("saving the model, and loading it back")
    why = "the lowest validation loss" if best else "the last ones, as no rows were validated"
    publish(run, config, rows.objective, weights, result | facts | {"data": rows.data, "why": why})
    shutil.rmtree(folder / "last", ignore_errors=True)
    log.add(
        "end", taken, **{k: result[k] for k in ("reason", "best_step", "weights", "weights_step", "validation_loss")}
    )
    job.finish(result["state"])
    return result
