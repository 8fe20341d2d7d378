"""python -m core export RUN_OR_MODEL --device cpu --precision int8: a package that runs elsewhere, and the proof."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from core.cli.arguments import whole
from core.errors import InputError
from core.export import bundle, choice, formats, targets
from core.export.options import Options
from core.paths import place, refuse_unwritable, resolve
from core.runs import store
from core.runs.failures import explain
from core.runs.state import Job, StateFile

HELP = "Write a model as ONNX for a device, and compare its answers with PyTorch's."
ALL = "all"
Work = Callable[[Path, dict[str, Any]], dict[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("target", metavar="RUN_OR_MODEL", help="a run's id or folder, a model's folder, or a Hub id")
    parser.add_argument("--format", default=formats.ONNX, help=f"onnx, {', '.join(formats.FORMATS)} (onnx)")
    parser.add_argument("--device", default="cpu", help=f"{', '.join(targets.TARGETS)} (cpu)")
    parser.add_argument(
        "--precision", default=None,
        help="fp32, fp16, bf16, int8, int4, or all: each that the device takes; left out: the device's default",
    )  # fmt: skip
    parser.add_argument("--block-size", type=whole(1), default=32, help="of int4: weights that share a scale (32)")
    parser.add_argument(
        "--accuracy-level",
        type=whole(0),
        default=None,
        help="of int4: 0 to 4, what it reckons in; left out: the device's own",
    )
    parser.add_argument(
        "--calibration",
        default="dynamic",
        help="int8 of a model that reads: dynamic, or static from real rows (dynamic)",
    )
    parser.add_argument("--keep-adapter", action="store_true", help="leave a LoRA apart from its base in the graph")
    parser.add_argument(
        "--adapters",
        default="",
        metavar="RUN,RUN",
        help="further runs on the same base, as adapters in the same package, which takes the place of the run's own",
    )
    parser.add_argument("--data", default=None, help="rows to compare on (a run brings its own)")
    parser.add_argument("--rows", type=whole(1), default=60, help="compare at most so many rows (60)")
    parser.add_argument("--out", default=None, metavar="DIR", help="a new folder (RUN/export/DEVICE-PRECISION)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Build, compare, pack. The result's keys: core.export, and dir; "exit" is 1 where the comparison failed."""
    began = time.monotonic()
    if args.format != formats.ONNX:
        if args.adapters or args.keep_adapter:
            raise InputError(
                "Adapters stay apart only in ONNX packages: leave out --adapters and --keep-adapter, or take "
                "--format adapter for one of them alone.",
                "export.adapters",
            )
        form, precision = formats.check(args.format, args.precision)
        return _placed(args, form.name, precision, partial(_file, args.target, form.name, precision), began)
    all_of_them = args.precision == ALL
    device, precision = targets.check(args.device, None if all_of_them else args.precision)
    level = device.accuracy_levels[0] if args.accuracy_level is None else args.accuracy_level
    options = Options(
        device.device, ALL if all_of_them else precision, args.block_size, level, args.calibration,
        args.keep_adapter, tuple(name.strip() for name in args.adapters.split(",") if name.strip()),
    )  # fmt: skip
    return _placed(args, device.device, options.precision, partial(_onnx, args, options), began)


def _placed(args: argparse.Namespace, name: str, precision: str, work: Work, began: float) -> dict[str, Any]:
    """Do the work in the folder that is asked for, or in the run's own, with a state that others can follow."""
    found = store.find(args.target)
    if found is not None and not found.has_model:
        raise InputError(f"The run {found.id} has no tuned model yet: its training is {found.state().state}.")
    if found is not None and found.state().under_way:
        raise InputError(f"The run {found.id} is being trained. Export it when that has ended, or stop it first.")
    if args.out is not None:
        out = Path(os.path.realpath(place(args.out, "--out")))
        each = [out / f"{name}-{one}" for one in targets.PRECISIONS] if precision == ALL else [out]
        for folder in each:
            bundle.refuse_foreign(folder)
        for one in (out, out.parent):  # its zip lies beside it
            refuse_unwritable(one, "--out")
        try:
            return work(out / f"{name}-{precision}" if precision == ALL else out, _watching(args, None, began))
        except Exception as error:  # main would name the disk of the runs, and look whether that one is full
            reason, sentence = explain(error, next(place for place in out.parents if place.exists()))
            if reason != "disk_full":
                raise
            raise InputError(sentence) from None
    if found is None:
        if "/" not in args.target and not resolve(args.target).exists():
            store.open_run(args.target)  # which says that there is none, and which one was probably meant
        raise InputError(f"{args.target!r} is no run, so say where its package goes: --out DIR.")
    out = found.export_dir(name, precision)
    refuse_unwritable(out)
    out.mkdir(parents=True, exist_ok=True)
    with StateFile(out / "state.json").working("loading", forget=True) as job:
        return work(out, _watching(args, job, began))


def _watching(args: argparse.Namespace, job: Job | None, began: float) -> dict[str, Any]:
    """What an export is told and asked while it is at work."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # bars of libraries; tqdm reads it when it is imported

    def say(what: str) -> None:
        print(f"{what} ...", file=sys.stderr, flush=True)
        if job is not None:
            job.check()
            job.say(what)

    return {
        "data": args.data,
        "rows": args.rows,
        "say": say,
        "progress": job.progress if job is not None else lambda done, total: None,
        "should_stop": lambda: job is not None and job.stop_asked,
        "began": began,
    }


def _file(target: str, name: str, precision: str, out: Path, watching: dict[str, Any]) -> dict[str, Any]:
    from core.export.make_format import make

    return make(target, name, precision, out, **watching)


def _onnx(args: argparse.Namespace, options: Options, out: Path, watching: dict[str, Any]) -> dict[str, Any]:
    if options.adapters:
        if options.precision == ALL or args.data is not None:
            raise InputError("A package of several adapters has one precision, and is compared on its runs' own rows.")
        from core.export.several import make_several

        del watching["data"]
        return make_several([args.target, *options.adapters], options, out, **watching)
    if options.precision == ALL:
        return _all(args.target, options, out.parent, watching)
    from core.export.make import make

    return make(args.target, options, out, **watching)


def _all(target: str, options: Options, folder: Path, watching: dict[str, Any]) -> dict[str, Any]:
    """Every precision of the device for this kind of model, and the one to take."""
    from dataclasses import replace

    from core.export.make import make_all
    from core.models.load import head_of_weights, weights_of

    device = targets.target(options.device)
    kind = targets.kind_of(head_of_weights(weights_of(target)).name)
    targets.check(options.device, None, kind)
    choices = [replace(options, precision=name) for name in device.precisions_for(kind)]
    made = make_all(target, choices, folder, **watching)
    best = choice.recommend({r["precision"]: r for r in made}, device.default_for(kind) or "")
    failed = [r["precision"] for r in made if r["status"] == "failed"]
    return {
        "dir": str(folder),
        "device": options.device,
        "precision": ALL,
        "packages": made,
        "recommended": {"precision": best.precision, "why": best.why, "measured": best.measured},
        **({"exit": 1} if len(failed) == len(made) else {}),
    }


def show(result: dict[str, Any]) -> str:
    """The result for a person."""
    if "packages" in result:
        best = result["recommended"]
        return "\n\n".join([*map(_shown, result["packages"]), f"Take {best['precision']}. {best['why']}"])
    return _shown(result)


def _shown(result: dict[str, Any]) -> str:
    form = result.get("format")
    label = formats.FORMATS[form].label if form else targets.TARGETS[result["device"]].label
    lines = [f"{label} {result['precision']}: {result['status']}. {result['message']}"]
    if result.get("bytes"):
        lines.append(f"{result['bytes'] / 1e6:.1f} MB, {result['seconds']:.1f} s")
    if result["max_logit_difference"] is not None and result["logit_range"]:
        lines.append(
            f"largest logit difference {result['max_logit_difference']:.2g}, of logits that span "
            f"{result['logit_range']:.1f}, on {result['rows']} {result['rows_from']}"
        )
    if speeds := result["tokens_per_second"]:
        lines.append(f"tokens per second: ONNX {speeds['onnx']:.0f}, PyTorch {speeds['pytorch']:.0f}")
    if first := result["first_token_seconds"]:
        lines.append(f"first token after: ONNX {first['onnx'] * 1e3:.1f} ms, PyTorch {first['pytorch'] * 1e3:.1f} ms")
    return "\n".join([*lines, result["dir"]])
