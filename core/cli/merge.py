"""python -m core merge RUN --out DIR: what a run trained beside its base, added into the base's weights."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.paths import place, refuse_unwritable

HELP = "Write a tuned model as one folder of weights, its adapter added into the base, and compare the answers."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("target", metavar="RUN_OR_MODEL", help="a run's id or folder, or a folder with an adapter")
    parser.add_argument("--out", required=True, metavar="DIR", help="a new folder, or an empty one")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Merge. Keys: dir, merged (false: it was whole already, and nothing was written), bytes of the weights, seconds.

    Raises:
        InputError: the folder is in use, there is nothing to merge, or it cannot be merged.
    """
    began, out = time.monotonic(), Path(os.path.realpath(place(args.out, "--out")))
    for one in (out, out.parent):
        refuse_unwritable(one, "--out")
    if out.exists() and any(out.iterdir()):
        raise InputError(f"--out {str(out)!r} is there already, and not empty: name a new folder.")
    from core.methods.merge import merge  # after the check: torch takes seconds

    print("merging, and comparing the answers ...", file=sys.stderr, flush=True)
    folder = merge(args.target, out)
    return {
        "dir": str(folder),
        "merged": folder == out,
        "bytes": sum(path.stat().st_size for path in folder.glob("*.safetensors")),
        "seconds": round(time.monotonic() - began, 1),
    }


def show(result: dict[str, Any]) -> str:
    """The result for a person."""
    size = f"{result['bytes'] / 1e6:,.1f} MB"
    if not result["merged"]:
        return f"Its weights are whole already ({size}), so nothing was written.\n{result['dir']}"
    return f"Merged: {size}, {result['seconds']:.1f} s. It answers as base and adapter do.\n{result['dir']}"
