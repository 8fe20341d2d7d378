"""runs: list, show, stop, resume and delete runs."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from core.errors import InputError
from core.paths import portable, runs_dir
from core.runs import jobs, store
from core.runs.listing import LISTING, RunSummary
from core.visitors import LOCAL

HELP = "list, show, stop, resume and delete runs"
ACTIONS = ("list", "show", "stop", "resume", "delete")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[list | show ID | stop ID | resume ID | delete ID]."""
    parser.add_argument("action", nargs="?", default="list", choices=ACTIONS, help="what to do; list if left out")
    parser.add_argument("id", nargs="?", help="the id of a run, or its directory")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Do it. Raises InputError for an id that is none, and for what the run's state does not allow."""
    if args.action == "list":
        if args.id:
            raise InputError(f"runs list takes no id; did you mean: runs show {args.id}?")
        return {"dir": str(runs_dir()), "runs": [summary(row) for row in LISTING.summaries()]}
    if not args.id:
        raise InputError(f"runs {args.action} needs the id of a run; runs list names them all.")
    found = store.find(args.id) or store.open_run(args.id)
    if args.action == "stop":
        if not found.state().under_way:
            raise InputError(f"The run {found.id} is not under way: it is {found.state().state}.")
        jobs.stop(found, LOCAL)
    elif args.action == "resume":
        jobs.resume(found, visitor=LOCAL)
    elif args.action == "delete":
        store.delete(found)
        return {"run": found.id, "state": "deleted"}
    return summary(LISTING.summary(found)) | ({"log": found.log(20)} if args.action == "show" else {})


def summary(row: RunSummary) -> dict[str, Any]:
    """What there is to say about a run, from its files."""
    course = row.course
    return {
        "run": row.id,
        "dir": str(row.run.dir),
        "title": row.title,
        "state": row.state.state,
        "error": row.state.error,
        "damage": row.damage,
        "created": datetime.fromtimestamp(row.created, UTC).isoformat(),
        "seconds": round(row.state.seconds, 1),
        "step": course.step,
        "max_steps": course.max_steps,
        "loss": course.loss,
        "validation_loss": course.tuned,
        "best_step": course.tuned_step,
        "model": str(row.run.dir / "model") if row.has_model else None,
    }


def show(result: dict[str, Any]) -> str:
    """A table, or the lines of one run."""
    if "runs" in result:
        if not result["runs"]:
            return f"No runs in {portable(result['dir'])}."
        rows = [
            (r["run"], r["state"], f"{r['step']:,}/{r['max_steps']:,}", _loss(r), _titled(r)) for r in result["runs"]
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        return "\n".join("  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[4]]) for row in rows)
    lines = [f"{key:<16}{value}" for key, value in result.items() if key != "log" and value not in ("", None)]
    return "\n".join([*lines, *(["", *result["log"]] if result.get("log") else [])])


def _titled(row: dict[str, Any]) -> str:
    """The title, and that something of the run is damaged, where it is: `runs show` says what."""
    return f"{row['title']} (damaged)" if row["damage"] else str(row["title"])


def _loss(row: dict[str, Any]) -> str:
    return f"{row['validation_loss']:.4f}" if row["validation_loss"] is not None else "-"
