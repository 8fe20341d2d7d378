"""train CONFIG.yaml: fine-tune a model, here and now; progress on standard error, the result at the end."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from core import config as configs
from core.cli import folds
from core.cli.arguments import whole
from core.errors import InputError
from core.models.pinned import pin
from core.paths import place, runs_dir
from core.presets import apply, facts_of, preset
from core.runs import store
from core.runs.eventlog import EventLog
from core.runs.state import StateFile
from core.runs.store import Run

HELP = "fine-tune a model on a config"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """CONFIG.yaml [--preset NAME] [--set section.key=value ...] [--run-dir DIR] [--folds K], or --resume RUN."""
    parser.add_argument("config", nargs="?", help="a YAML file of settings")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", help="change one setting")
    parser.add_argument("--preset", metavar="NAME", help="change the settings of a preset first, such as quick")
    parser.add_argument("--run-dir", metavar="DIR", help="where to put the run, instead of in the folder of runs")
    parser.add_argument(
        "--folds", type=whole(2, 20), metavar="K", help="train each of K folds, a run each, one after another"
    )
    parser.add_argument("--resume", metavar="RUN", help="go on with a run: its directory, or its id")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Train. Raises InputError, which the state of the run then says too."""
    if args.resume is not None:
        if args.config or args.set or args.preset or args.run_dir is not None or args.folds is not None:
            raise InputError("--resume goes on with a run as it was configured: give nothing else with it.")
        return train(_resumable(args.resume), resume=True)
    directory = place(args.run_dir, "--run-dir") if args.run_dir is not None else None
    if not args.config:
        raise InputError("Give a config to train, such as assets/configs/tone.yaml, or a run to --resume.")
    config = configs.load(args.config, [] if args.preset else args.set)
    if args.preset:
        config = configs.overridden(_with_preset(config, args.preset), args.set)
    if args.folds is not None:
        return folds.train_folds(config, args.folds, directory, partial(_new, _there(directory)))
    prepared, there = _prepared(config, args), _there(directory)
    return train(prepared) if prepared else _new(there, store.create(config, directory=directory), False)


def _there(directory: Path | None) -> set[Path]:
    """The folders that are there before a run is made in one of them."""
    named = directory or runs_dir()
    return {folder for folder in (named, *named.parents) if folder.is_dir()}


def _new(there: set[Path], target: Run, resume: bool) -> dict[str, Any]:
    """Train a run that this command has made: one that is refused before it begins leaves nothing behind.

    Whoever gave the command is told by the sentence; the page's runs (`_prepared`) stay, since their state tells it.
    """
    try:
        return train(target, resume)
    except InputError:
        if not resume and not any(event.get("kind") == "state" for event in target.events()[0]):
            store.discard(target, there)
        raise


def _with_preset(config: configs.RunConfig, name: str) -> configs.RunConfig:
    """The config as a preset changes it; what that is goes to standard error."""
    changes = preset(name).changes(config, facts_of(config))
    for change in changes:
        print(f"{change.path}: {change.was} -> {change.value} ({change.why})", file=sys.stderr)
    return apply(config, changes)


def train(target: Run, resume: bool = False) -> dict[str, Any]:
    """Do the training of a run in this process; state.json and events.jsonl tell everybody else."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    log = EventLog(target.dir / "events.jsonl")
    file = StateFile(target.dir / "state.json")
    with file.working("loading the libraries", graceful=True, on_beat=log.beat) as job:
        config = pin(target)
        from core.training.loop import fit  # torch: the page should see that something happens before it is there

        return fit(config, target, job, log, resume)


def show(result: dict[str, Any]) -> str:
    """A few lines for a person."""
    if "folds" in result:
        return folds.show(result)
    lines = [f"{result['state']}: {result['steps']:,} of {result['max_steps']:,} steps", f"run        {result['dir']}"]
    if result["train_loss"] is not None:
        lines.append(f"training   {result['train_loss']:.4f} (mean loss)")
    if result["validation_loss"] is not None:
        was = f", base model {result['base_validation_loss']:.4f}" if result["base_validation_loss"] is not None else ""
        lines.append(
            f"validation {result['validation_loss']:.4f} at step {result['best_step']:,}{was}; lower is better"
        )
    return "\n".join(lines)


def _prepared(config: configs.RunConfig, args: argparse.Namespace) -> Run | None:
    """The run that the page has made and queued for exactly this command, if that is what --run-dir names."""
    if args.run_dir is None or args.set or args.preset:
        return None
    made = Run(place(args.run_dir, "--run-dir"))
    same = Path(args.config).absolute() == made.dir / "config.yaml"
    waiting = StateFile(made.dir / "state.json")
    return made if same and waiting.path.is_file() and not (made.dir / "events.jsonl").exists() else None


def _resumable(target: str) -> Run:
    """A run that is neither done nor under way."""
    found = store.find(target)
    if found is None:
        found = store.open_run(target)
    state = found.state()
    if state.state == "done":
        raise InputError(f"The run {found.id} is done: there is nothing to resume.")
    return found
