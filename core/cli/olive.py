"""olive: Olive's workflows and command lines as a config, and a run or a config as a workflow for Olive."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from typing import Any

from core import config as configs
from core import yamltext
from core.errors import InputError
from core.olive import read, workflow
from core.olive.reading import contents
from core.paths import place, resolve
from core.runs import store
from core.runs.files import write_text

HELP = "read a workflow or a command line of Olive's, or write a workflow"
ACTIONS = ("import", "export")
LONGEST_PATH = 4096  # characters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Either import FILE|"COMMAND" [--out FILE], or export RUN_OR_CONFIG [--device D] [--precision P] [--out FILE]."""
    parser.add_argument("action", choices=ACTIONS, help="which way")
    parser.add_argument("what", metavar="WHAT", help='a file, or a command line in quotes: "olive finetune ..."')
    parser.add_argument(
        "--out", metavar="FILE", help="write it there: a config (.yaml), or a workflow (.json or .yaml)"
    )
    parser.add_argument("--device", default=None, help="export: the device of the package (cpu)")
    parser.add_argument("--precision", default=None, help="export: its precision; left out: the best for the device")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Read or write.

    Keys of an import: those of core.olive.imported.Imported, and "out". Of an export: workflow, ignored, command, out.

    Raises:
        InputError: what is given can be neither read nor written; the sentence says why.
    """
    if args.action == "export":
        return _written(args)
    if args.device or args.precision:
        raise InputError("--device and --precision belong to olive export: an import takes them from what it reads.")
    given = args.what
    command = len(given.split()) > 1 and ("\n" in given or len(given) > LONGEST_PATH or not resolve(given).is_file())
    found = read(given if command else contents(given))
    if args.out is not None:
        if not found.config:
            raise InputError(f"There is no training in it, so no config is written to {args.out}.")
        _write(args.out, found.yaml)
    return {"out": args.out, **found.values(), "yaml": found.yaml}


def _written(args: argparse.Namespace) -> dict[str, Any]:
    run = store.find(args.what)
    if run is None and not resolve(args.what).is_file():
        run = store.open_run(args.what)  # which says that there is none, and which one was probably meant
    config = run.config() if run is not None else configs.load(args.what)
    made, notes = workflow(config, args.device or "cpu", args.precision)
    if args.out is not None:
        yaml = place(args.out, "--out").suffix.lower() in (".yaml", ".yml")
        _write(args.out, yamltext.write(made) if yaml else json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    return {
        "out": args.out,
        "workflow": made,
        "ignored": [asdict(note) for note in notes],
        "command": f"olive run --config {args.out or 'FILE.json'}",
    }


def _write(path: str, text: str) -> None:
    """A file, whole or not at all."""
    target = place(path, "--out")
    if (os.path.lexists(target) and not target.is_file()) or not target.parent.is_dir():
        raise InputError(f"--out {path!r} cannot be written: name a file in a folder that is there.")
    try:
        write_text(target, text)
    except OSError as error:
        raise InputError(f"--out {path!r} cannot be written: {(error.strerror or str(error)).lower()}.") from None


def show(result: dict[str, Any]) -> str:
    """The config or workflow, then what was left out of it: as comments of YAML, beside JSON on standard error."""
    if "workflow" in result:
        if result["out"] is None:
            _aside(_notes("Olive cannot say", result["ignored"]))
            return json.dumps(result["workflow"], indent=2, ensure_ascii=False)
        return "\n".join([*_notes("Olive cannot say", result["ignored"]), f"{result['out']}: {result['command']}"])
    lines = [f"# {line}" for line in _said(result)]
    return "\n".join(lines if result["out"] else [result["yaml"].rstrip("\n"), *lines]).strip("\n")


def _said(result: dict[str, Any]) -> list[str]:
    lines = [result["kind"]]
    if result["command"]:
        lines.append(f"export: {result['command']}")
    if result["search"]:
        lines.append(f"search: {json.dumps(result['search'], ensure_ascii=False)}")
    lines += _notes("not honoured", result["ignored"]) + _notes("taken as Olive does", result["assumed"])
    lines += result["missing"]
    for other in result["more"]:
        lines += ["", *_said(other)]
        if other["config"]:
            lines += ["  " + line for line in yamltext.write(other["config"]).splitlines()]
    return [*lines, *([f"written: {result['out']}"] if result.get("out") else [])]


def _notes(head: str, notes: list[dict[str, Any]]) -> list[str]:
    if not notes:
        return []
    return [f"{head}:", *(f"  {note['option']} {_short(note['value'])}: {note['reason']}" for note in notes)]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:56]} ..."


def _aside(lines: list[str]) -> None:
    print("\n".join(lines), file=sys.stderr)
