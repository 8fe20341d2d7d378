"""evaluate RUN_OR_MODEL: measure it on rows that it never saw, beside its base model."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from core.cli.arguments import whole
from core.errors import InputError
from core.runs import store
from core.runs.state import StateFile

Telling = tuple[Callable[[float, float, str], None], Callable[[], bool] | None]

HELP = "measure a run or a model on held-out rows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """RUN_OR_MODEL and its options; --task and --template are for a model alone."""
    parser.add_argument("target", metavar="RUN_OR_MODEL", help="a run (id or directory), a model folder or a Hub id")
    parser.add_argument("--data", help="the rows; for a run its held-out rows if not given")
    parser.add_argument("--split", metavar="SPEC", help="validation or train (of a run), or a slice like [:100]")
    parser.add_argument("--metrics", metavar="a,b", help="the main one first; those of the task if not given")
    parser.add_argument(
        "--baseline",
        metavar="RUN_OR_MODEL",
        default="base",
        help="base (that of the run), none, or another to compare with",
    )
    parser.add_argument("--rows", type=whole(1), metavar="N", help="at most so many rows, evenly spaced")
    parser.add_argument(
        "--max-new-tokens", type=whole(1), metavar="N", help="an answer is cut off after so many tokens"
    )
    parser.add_argument("--task", help="of a model alone; generation if not given")
    parser.add_argument("--template", help="of a model alone; its chat template if not given")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure. The state of a run's evaluation is written to evaluation/state.json. Raises InputError."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    names = [name.strip() for name in args.metrics.split(",") if name.strip()] if args.metrics is not None else None
    if names == []:
        raise InputError("--metrics names no metric: write some, parted by commas.", "metrics")
    found = store.find(args.target)
    with _telling(found) as (tell, should_stop):
        from core.evaluation.evaluate import evaluate  # torch: the state should say something before it is there

        made = evaluate(
            found or args.target, args.data, split=args.split, metrics=names, max_rows=args.rows,
            baseline=None if args.baseline == "none" else args.baseline, task=args.task, template=args.template,
            max_new_tokens=args.max_new_tokens, on_progress=tell, should_stop=should_stop,
        )  # fmt: skip
    return made.result


@contextlib.contextmanager
def _telling(found: store.Run | None) -> Iterator[Telling]:
    """Progress to the run's evaluation/state.json, if it is a run, and to standard error; and whether to stop."""
    if found is None:
        yield _say, None
        return
    file = StateFile(found.dir / "evaluation" / "state.json")
    file.folder.mkdir(parents=True, exist_ok=True)
    with file.working("loading the libraries", forget=True) as job:

        def tell(done: float, total: float, what: str) -> None:
            job.progress(done, total, what)
            _say(done, total, what)

        yield tell, lambda: job.stop_asked


def _say(done: float, total: float, what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def show(result: dict[str, Any]) -> str:
    """A table for a person."""
    base, differences = result["baseline"], result["difference"]
    data = result["data"]
    which = "" if data["which"] == "given" else f"{data['which']} "
    lines = [f"{result['target']} on {result['rows']:,} {which}rows of {data['name']}, task {result['task']}"]
    if base is not None:
        lines.append(f"{'':28} {'baseline':>10} {'this':>10}   difference (95 % interval)")
    for name, value in result["metrics"].items():
        about = result["about"][name]
        line = f"{about['label']:<28} " + (f"{_number(base[name])} " if base is not None else "") + _number(value)
        if name in differences:
            d = differences[name]
            line += f"   {d['mean']:+.3f} ({d['low']:+.3f} to {d['high']:+.3f}, p {d['p']:.3f})"
        lines.append(line + ("" if about["higher_is_better"] else "   lower is better"))
    for column, values in result["groups"].items():
        for value, row in values.items():
            main = row[result["main_metric"]]
            lines.append(f"{column} = {value}: {_number(main).strip()} ({row['rows']:,} rows)")
    return "\n".join([*lines, *result["notes"]])


def _number(value: float | None) -> str:
    return f"{'not finite' if value is None else f'{value:.4f}':>10}"
