"""A whole training: rows, model, method, transformers.Trainer, and the tuned weights, all in the run directory."""

from __future__ import annotations

import gc
import platform
import shutil
from typing import Any

import torch
from transformers import set_seed

from core.config import RunConfig
from core.data.encoded import lengths_of
from core.data.lengths import count_updates
from core.errors import InputError
from core.methods import method
from core.models.load import Precision, fingerprint, load_base, parameters, precision
from core.runs import checkpoints
from core.runs.curve import Curve
from core.runs.environment import threads
from core.runs.eventlog import EventLog
from core.runs.files import write_json
from core.runs.state import Job
from core.runs.store import Run
from core.training.arguments import check, remarks
from core.training.attempt import Outcome, attempt, say
from core.training.best import LOSS, Measure, measure_of
from core.training.boards import reporting, require
from core.training.examples import Examples, prepare
from core.training.order import ORDERS
from core.training.publish import publish

LEAST = 8  # tokens of an example: the bound of data.max_tokens


def fit(config: RunConfig, run: Run, job: Job, log: EventLog, resume: bool = False) -> dict[str, Any]:
    """Train, and leave the tuned weights in `run/model`.

    The weights are the best so far (by training.metric_for_best_model) wherever rows are kept back, the last ones
    otherwise; when the training is stopped before it was ever validated, the last ones too. The `end` event says which.

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
    require(config)
    rows = _rows(config, job, log)
    if resume:
        _same_rows(run, rows)
    t = config.training
    order = ORDERS[t.batching](lengths_of(rows.train), t.per_device_train_batch_size, t.seed)
    steps = count_updates(len(order), config)
    check(config, steps)
    measure = measure_of(config, rows.objective)
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
    with reporting(config, run, log, lambda note: say(log, 0, note)):
        outcome = attempt(config, run, job, log, rows, order, model, steps, measure, on, resume)
    del model
    gc.collect()
    return _finish(config, run, job, log, rows, outcome, measure, facts)


def _rows(config: RunConfig, job: Job, log: EventLog) -> Examples:
    job.say("reading the data")

    def tell(done: int, total: int) -> None:
        job.progress(done, total, "encoding the rows")
        job.check()

    rows = prepare(config, tell)
    for note in rows.notes:
        say(log, 0, note)
    return rows


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
    if rows.objective.pad >= width:
        raise InputError(
            f"What fills batches is the id {rows.objective.pad} of the tokenizer of {config.model.path!r}, and the "
            f"model knows {width:,} ids: take pad_token out of its tokenizer_config.json, and another will fill them.",
            "model.path",
        )
    window = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if not window:
        return
    taken = vars(config.method).get("num_virtual_tokens", 0)  # they take places, too
    if window - taken < LEAST:
        raise InputError(
            f"{taken:,} vectors in front leave no room for a text: the model reads at most {window:,} tokens.",
            "method.num_virtual_tokens",
        )
    if rows.data["longest"] > window - taken:
        raise InputError(
            f"The longest example has {rows.data['longest']:,} tokens, and the model reads at most "
            f"{window - taken:,}: set max_tokens to {window - taken} or less.",
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


def _same_rows(run: Run, rows: Examples) -> None:
    """InputError when a run would go on from a checkpoint with other rows than it began with."""
    before = run.environment().get("data") or {}
    changed = [key for key in before.keys() & rows.data.keys() if before[key] != rows.data[key] and key != "path"]
    if changed and checkpoints.steps(run.dir / "checkpoints"):
        raise InputError(
            f"The rows of {rows.data['path']!r}, or what the tokenizer makes of them, are not those that this run "
            "began with: it cannot go on. Put the old ones back, or start a new run.",
            "data.path",
        )


def _environment(rows: Examples, on: Precision) -> dict[str, Any]:
    name = torch.cuda.get_device_name() if on.device == "cuda" else platform.processor() or platform.machine()
    return {
        "data": rows.data,
        "device": {"type": on.device, "name": name, "threads": torch.get_num_threads()},
        "precision": {"frozen": str(on.frozen).removeprefix("torch."), "trained": "float32", "autocast": on.autocast},
    }


def _finish(
    config: RunConfig,
    run: Run,
    job: Job,
    log: EventLog,
    rows: Examples,
    outcome: Outcome,
    measure: Measure,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """Publish the chosen weights, say how it ended."""
    best, folder = outcome.best, run.dir / "checkpoints"
    weights = best["path"] if best else folder / "last"
    curve = Curve()
    curve.add(run.events()[0])
    base = curve.evals.get(0, {})
    result: dict[str, Any] = {
        "run": run.id,
        "dir": str(run.dir),
        "state": "stopped" if outcome.reason == "stopped" else "done",
        "reason": outcome.reason,
        "steps": outcome.steps,
        "max_steps": outcome.max_steps,
        "train_loss": curve.mean_loss(),
        "validation_loss": best["validation_loss"] if best else None,
        "base_validation_loss": base.get("validation_loss"),
        "metric": measure.name,
        "metric_value": best["metric_value"] if best else None,
        "base_metric_value": base.get("metric_value"),
        "best_step": best["step"] if best else None,
        "weights": "best" if best else "last",
        "weights_step": best["step"] if best else outcome.steps,
        "parameters": facts["parameters"],
        "rows": {"train": len(rows.train), "validation": len(rows.validation)},
    }
    before = result["base_metric_value"]
    if best and before is not None and not measure.better(best["metric_value"], before):
        what = "Validation" if measure.name == LOSS else f"On the rows kept back, {measure.name}"
        say(
            log,
            outcome.steps,
            f"{what} never got better than the base model's {before:.4f}; a lower learning rate may help.",
        )
    job.say("saving the model, and loading it back")
    what = "the lowest validation loss" if measure.name == LOSS else f"the best {measure.name} on the rows kept back"
    why = what if best else "the last ones, as no rows were validated"
    publish(run, config, rows.objective, weights, result | facts | {"data": rows.data, "why": why})
    shutil.rmtree(folder / "last", ignore_errors=True)
    said = ("reason", "best_step", "weights", "weights_step", "validation_loss", "metric", "metric_value")
    log.add("end", outcome.steps, **{key: result[key] for key in said})
    job.finish(result["state"])
    return result
