"""python -m core play RUN "a text": an exported package and the run's PyTorch model, asked the same, side by side."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from core.cli.arguments import MOST, real, whole
from core.errors import InputError
from core.export import targets
from core.runs import store

HELP = "Ask an exported package and the model that it was made of the same, side by side."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run's id or folder; it was exported before")
    parser.add_argument("text", nargs="?", default="", metavar="TEXT", help="what a person would type")
    parser.add_argument("--device", default="cpu", help="of the package (cpu)")
    parser.add_argument("--precision", default=None, help="of the package; left out: the best for the device")
    parser.add_argument("--field", action="append", default=[], metavar="NAME=VALUE", help="a field of the prompt")
    parser.add_argument("--adapter", default=None, metavar="NAME", help="which of several in the package")
    parser.add_argument("--max-new-tokens", type=whole(1), default=None, metavar="N", help="at most so many tokens")
    parser.add_argument("--serve", action="store_true", help="answer JSON lines on standard input: what the page does")
    parser.add_argument(
        "--idle-minutes", type=real(0, MOST), default=15.0, metavar="N", help="with --serve: end after so long"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Both answers: {"onnx", "pytorch": see core.runs.playing.Side, "same", "loading"}. InputError: nothing to ask."""
    if args.serve:
        return _serve(args)
    if args.run is None:
        raise InputError("play needs a run: python -m core play RUN TEXT.")
    device, precision = targets.check(args.device, args.precision)
    found = store.find(args.run) or store.open_run(args.run)
    from core.export.packages.base import fields_of
    from core.export.play import Warm  # torch

    def write(said: dict[str, Any]) -> None:
        if "state" in said:
            print(f"{said['state']} ...", file=sys.stderr, flush=True)

    question = {
        "package": str(found.export_dir(device.device, precision)),
        "run": str(found.dir),
        "text": args.text,
        "fields": fields_of(args.field),
        "history": [],
        "adapter": args.adapter,
        "max_new_tokens": args.max_new_tokens,
    }
    return Warm().answer(question, write)


def _serve(args: argparse.Namespace) -> dict[str, Any]:
    from core.export.play import Warm  # torch
    from core.runs.serving import serve

    def out(value: dict[str, Any]) -> None:
        os.write(args.answer, (json.dumps(value) + "\n").encode())

    return {"answered": serve(0, out, args.idle_minutes * 60, Warm())}


def show(result: dict[str, Any]) -> str:
    """The result for a person."""
    if "answered" in result:
        return f"answered        {result['answered']}"
    lines = []
    for name, side in (("ONNX", result["onnx"]), ("PyTorch", result["pytorch"])):
        if side.get("error"):
            lines.append(f"{name:<8} {side['error']}")
            continue
        speed = f"{side['tokens_per_second']:.0f} tokens/s, first after {side['first_token_seconds'] * 1000:.0f} ms"
        if side.get("answer") is not None:
            speed = f"{side['seconds'] * 1000:.1f} ms"
        lines.append(f"{name:<8} {side['text']}\n{'':<8} {speed}")
    if result["same"] is not None:
        lines.append("Both answers are the same." if result["same"] else "The answers differ.")
    return "\n".join(lines)
