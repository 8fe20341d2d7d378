"""adapters: several on one base: list, ask together, combine and rename them."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from core.cli.arguments import MOST, real, whole
from core.errors import InputError
from core.runs import adapters, store
from core.runs.adapters import Base

HELP = "list, ask, combine and rename adapters that share a base model"
ACTIONS = ("list", "ask", "combine", "rename", "serve")
METHODS = ("cat", "svd", "linear")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[list | ask | combine | rename ID NAME | serve] and their options."""
    parser.add_argument("action", nargs="?", default="list", choices=ACTIONS, help="what to do; list if left out")
    parser.add_argument("id", nargs="?", help="rename: the id of a run, or its directory")
    parser.add_argument("new_name", nargs="?", metavar="NAME", help="rename: what to call it")
    parser.add_argument("--runs", metavar="A,B", help="ask, combine: ids of runs; for ask also base, the base itself")
    parser.add_argument("--prompt", metavar="TEXT", help="ask: what stands in the field of the template")
    parser.add_argument("--max-new-tokens", type=whole(1), default=128, metavar="N", help="ask: at most so many tokens")
    parser.add_argument("--weights", metavar="W,W", help="combine: how much of each; equal shares if not given")
    parser.add_argument("--name", default="", help="combine: what to call it")
    parser.add_argument("--method", default="cat", choices=METHODS, help="combine: how; cat (exact) if not given")
    parser.add_argument("--base", metavar="MODEL", help="ask, serve: the base, where no run says it")
    parser.add_argument("--revision", help="of a base on the Hub")
    parser.add_argument(
        "--idle-minutes", type=real(0, MOST), default=15.0, metavar="N", help="serve: end after so long"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Do it. Raises InputError for a run that is none, and for what does not go together."""
    if args.action == "list":
        return {"bases": [_base(base, infos) for base, infos in adapters.by_base().items()]}
    if args.action == "rename":
        if not args.id or args.new_name is None:
            raise InputError("adapters rename needs the id of a run and its new name.")
        found = store.find(args.id) or store.open_run(args.id)
        adapters.rename(found, args.new_name)
        return {"run": found.id, "title": found.title}
    if args.action == "serve":
        return _serve(args)
    names = [name.strip() for name in (args.runs or "").split(",") if name.strip()]
    if args.action == "combine":
        return _combine(args, names)
    if not names or args.prompt is None:
        raise InputError("adapters ask needs --runs and --prompt.")
    return _ask(args, names)


def _base(base: Base, infos: list[adapters.AdapterInfo]) -> dict[str, Any]:
    return {
        "base": base.path,
        "revision": base.revision,
        "head": base.head,
        "quantized": bool(base.quantization),
        "adapters": [{"run": i.run.id, "title": i.run.title, "kind": i.kind, "label": i.label} for i in infos],
    }


def _ask(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    from core.adapters.serve import Warm  # torch

    question = {"prompt": args.prompt, "names": names, "max_new_tokens": args.max_new_tokens}
    return Warm().answer(question | {"base": args.base, "revision": args.revision})


def _combine(args: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    from core.adapters.combine import combine  # torch

    try:
        weights = (
            [float(text) for text in args.weights.split(",")] if args.weights else [1 / max(1, len(names))] * len(names)
        )
    except ValueError:
        raise InputError(f"--weights {args.weights!r} is no list of numbers: write such as 0.7,0.3.") from None
    made = combine(names, weights, args.name, args.method)
    return {"run": made.id, "dir": str(made.dir), "title": made.title, "model": str(made.dir / "model")}


def _serve(args: argparse.Namespace) -> dict[str, Any]:
    from core.adapters.serve import Warm  # torch
    from core.runs.serving import serve

    def out(value: dict[str, Any]) -> None:
        os.write(args.answer, (json.dumps(value) + "\n").encode())

    base = Base(args.base, args.revision) if args.base else None
    return {"answered": serve(0, out, args.idle_minutes * 60, Warm(base))}


def show(result: dict[str, Any]) -> str:
    """Lines for a person."""
    if "bases" in result:
        lines = []
        for base in result["bases"]:
            lines.append(base["base"] + (" in 4 bits" if base["quantized"] else ""))
            lines += [f"  {a['run']}  {a['label']}  {a['title']}" for a in base["adapters"]]
        return "\n".join(lines) if lines else "No run has an adapter yet."
    if "said" in result:
        wide = max(len(one["name"]) for one in result["said"])
        return "\n".join(f"{one['name']:<{wide}}  {one['text']}" for one in result["said"])
    return "\n".join(f"{key:<16}{value}" for key, value in result.items())
