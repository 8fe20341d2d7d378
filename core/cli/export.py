"""python -m core export RUN_OR_MODEL --device cpu --precision int8: a package that runs elsewhere, and the proof."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.export import bundle, targets
from core.export.options import Options
from core.runs import store
from core.runs.state import Job, StateFile

HELP = "Write a model as ONNX for a device, and compare its answers with PyTorch's."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("target", metavar="RUN_OR_MODEL", help="a run's id or folder, a model's folder, or a Hub id")
    parser.add_argument("--device", default="cpu", help=f"{', '.join(targets.TARGETS)} (cpu)")
    parser.add_argument("--precision", default=None, help="fp32, fp16, int8, int4; left out: the best for the device")
    parser.add_argument("--data", default=None, help="rows to compare on (a run brings its own)")
    parser.add_argument("--rows", type=int, default=60, help="compare at most so many rows (60)")
    parser.add_argument("--out", default=None, metavar="DIR", help="a new folder (RUN/export/DEVICE-PRECISION)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Build, compare, pack. The result's keys: core.export, and dir; "exit" is 1 where the comparison failed."""
    began = time.monotonic()
    device, precision = targets.check(args.device, args.precision)
    if args.rows < 1:
        raise InputError(f"--rows {args.rows} is too few: at least 1 row must be compared.")
    found = store.find(args.target)
    if found is not None and not found.has_model:
        raise InputError(f"The run {found.id} has no tuned model yet: its training is {found.state().state}.")
    if args.out is not None:
        out = Path(args.out).expanduser().absolute()
        bundle.refuse_foreign(out)
        return _make(args, device, precision, out, None, began)
    if found is None:
        if not Path(args.target).expanduser().exists() and "/" not in args.target:
            store.open_run(args.target)  # which says that there is none, and which one was probably meant
        raise InputError(f"{args.target!r} is no run, so say where its package goes: --out DIR.")
    out = found.export_dir(device.device, precision)
    out.mkdir(parents=True, exist_ok=True)
    with StateFile(out / "state.json").working("loading") as job:
        return _make(args, device, precision, out, job, began)


def _make(
    args: argparse.Namespace, device: targets.Target, precision: str, out: Path, job: Job | None, began: float
) -> dict[str, Any]:
    os.environ.setdefault("TQDM_DISABLE", "1")  # bars of libraries; tqdm reads it when it is imported
    from core.export.make import make

    def say(what: str) -> None:
        print(f"{what} ...", file=sys.stderr, flush=True)
        if job is not None:
            job.check()
            job.say(what)

    def progress(done: float, total: float) -> None:
        if job is not None:
            job.progress(done, total)

    def should_stop() -> bool:
        return job is not None and job.stop_asked

    return make(
        args.target,
        Options(device.device, precision),
        out,
        data=args.data,
        rows=args.rows,
        say=say,
        progress=progress,
        should_stop=should_stop,
        began=began,
    )


def show(result: dict[str, Any]) -> str:
    """The result for a person."""
    lines = [
        f"{targets.TARGETS[result['device']].label} {result['precision']}: {result['status']}. {result['message']}",
        f"{result['bytes'] / 1e6:.1f} MB, {result['seconds']:.1f} s",
    ]
    if result["max_logit_difference"] is not None:
        lines.append(
            f"largest logit difference {result['max_logit_difference']:.2g}, of logits that span "
            f"{result['logit_range']:.1f}, on {result['rows']} {result['rows_from']}"
        )
    if result["tokens_per_second"]:
        speeds = result["tokens_per_second"]
        lines.append(f"tokens per second: ONNX {speeds['onnx']:.0f}, PyTorch {speeds['pytorch']:.0f}")
    lines.append(result["dir"])
    return "\n".join(lines)
