"""train CONFIG.yaml --folds K: each fold a run of its own, one after another, and what they come to together."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.config import RunConfig, build
from core.data.dataset import open_examples
from core.data.split import split_source
from core.errors import InputError
from core.paths import runs_dir
from core.runs import store
from core.runs.curve import Curve
from core.runs.store import Run

Train = Callable[[Run, bool], dict[str, Any]]


def train_folds(config: RunConfig, count: int, directory: Path | None, train: Train) -> dict[str, Any]:
    """Train every fold, each with the others as its training rows.

    A fold that is done already on the same settings, rows and base model is not trained again, and one that was stopped
    goes on: so a second call does what is missing. Ctrl-C stops the fold in hand as it does a run, and no other begins.

    Args:
        config: of all folds; its data.folds and data.fold are set here. count: of folds.
        directory: for the runs, as fold-1, fold-2, ...; None: the folder of runs.
        train: trains a run in this process; its second argument: go on with it.

    Returns:
        The keys of `python -m core train --folds --json`.

    Raises:
        InputError: the rows cannot be parted so, a fold is under way elsewhere, or what `train` raises.
    """
    configs = [_of_fold(config, count, fold) for fold in range(1, count + 1)]
    fingerprint = _checked(configs)
    done = list[dict[str, Any]]()
    for fold, settings in enumerate(configs, 1):
        found = _earlier(settings, directory and directory / f"fold-{fold}", fingerprint)
        if found is not None and found.state().under_way:
            raise InputError(f"Fold {fold} is under way already, in the run {found.id}: wait for it, or stop it.")
        if found is not None and found.state().state == "done":
            result = _result(found)
            _say(fold, count, f"done already in {found.id}")
        else:
            _say(fold, count, f"goes on in {found.id}" if found else "begins")
            result = train(found or _new(settings, fold, count, directory), found is not None)
        done.append({"fold": fold} | result)
        if result["validation_loss"] is not None:
            _say(fold, count, f"validation loss {result['validation_loss']:.4f}")
        if result["state"] != "done":
            break
    return _together(done, count, directory)


def _say(fold: int, count: int, words: str) -> None:
    print(f"fold {fold} of {count}: {words}", file=sys.stderr, flush=True)


def _of_fold(config: RunConfig, count: int, fold: int) -> RunConfig:
    values = config.model_dump()
    values["data"] |= {"folds": count, "fold": fold}
    return build(values)


def _checked(configs: list[RunConfig]) -> str:
    """The fingerprint of the rows. InputError when there cannot be so many folds: before the first one is trained."""
    source = open_examples(configs[0])
    split_source(source, configs[0])
    return source.fingerprint


def _earlier(config: RunConfig, directory: Path | None, fingerprint: str) -> Run | None:
    """The newest run with these settings, on these rows and this base model."""
    given = store.find(directory) if directory is not None else None
    wanted = store.settled(config)
    for run in [given] if given else store.list_runs() if directory is None else []:
        try:
            same = run.config() == wanted
        except InputError:
            continue  # a run that cannot be read is nobody's
        if same and run.state().under_way:
            return run
        known = run.environment()
        if same and known.get("data", {}).get("fingerprint") == fingerprint:
            from core.models.load import fingerprint as of_base  # torch

            if known.get("base_fingerprint") == of_base(config.model.path, config.model.revision):
                return run
    return None


def _new(config: RunConfig, fold: int, count: int, directory: Path | None) -> Run:
    name = f"{store.describe_config(config)} · fold {fold} of {count}"
    return store.create(config, name, directory and directory / f"fold-{fold}")


def _result(run: Run) -> dict[str, Any]:
    """What `train` returned when the run was done, as far as it is needed here."""
    events = run.events()[0]
    curve = Curve()
    curve.add(events)
    end = next(event for event in reversed(events) if event["kind"] == "end")
    return {
        "run": run.id,
        "dir": str(run.dir),
        "state": "done",
        "steps": end["step"],
        "max_steps": curve.max_steps,
        "train_loss": curve.mean_loss(),
        "validation_loss": end["validation_loss"],
        "base_validation_loss": curve.evals.get(0, {}).get("validation_loss"),
        "best_step": end["best_step"],
    }


def _together(done: list[dict[str, Any]], count: int, directory: Path | None) -> dict[str, Any]:
    losses = [r["validation_loss"] for r in done if r["validation_loss"] is not None and r["state"] == "done"]
    trained = [r["train_loss"] for r in done if r["train_loss"] is not None and r["state"] == "done"]
    return {
        "run": None,
        "dir": str(directory or runs_dir()),
        "state": done[-1]["state"],
        "folds": done,
        "of": count,
        "steps": sum(r["steps"] for r in done),
        "train_loss": statistics.fmean(trained) if trained else None,
        "validation_loss": statistics.fmean(losses) if losses else None,
        "validation_loss_spread": statistics.stdev(losses) if len(losses) > 1 else None,
    }


def show(result: dict[str, Any]) -> str:
    """A line for each fold, and the mean with its spread."""
    lines = []
    for r in result["folds"]:
        loss = f"{r['validation_loss']:.4f}" if r["validation_loss"] is not None else "-"
        lines.append(f"fold {r['fold']} of {result['of']}: {r['state']}, validation loss {loss}, {r['dir']}")
    if result["validation_loss"] is not None:
        spread = result["validation_loss_spread"]
        more = f", standard deviation {spread:.4f} over the folds" if spread is not None else ""
        lines.append(f"validation {result['validation_loss']:.4f} (mean, nats a token; lower is better){more}")
    if result["state"] != "done":
        lines.append("Give the same command again to go on.")
    return "\n".join(lines)
