"""The command line: python -m core COMMAND ... (see docs/commands.md; the commands are those of COMMANDS below)."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import os
import sys
from collections.abc import Iterator

from core.errors import InputError, Overran, unknown
from core.models.hub_access import FOR, OWNER
from core.paths import runs_dir
from core.runs.environment import threads
from core.runs.failures import explain
from core.runs.files import plain
from core.runs.masking import mask_output
from core.runs.turn import my_turn

COMMANDS = (
    "check", "estimate", "presets", "train", "evaluate", "merge", "export", "play", "push", "runs", "adapters", "olive",
)  # fmt: skip
MOST_SAID = 400  # characters of argparse's words, which hold what was given, however long


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong word is an InputError: one sentence, exit status 2."""

    def error(self, message: str) -> None:  # type: ignore[override]
        said = " ".join(message.split())
        said = said if len(said) <= MOST_SAID else f"{said[:MOST_SAID]} ..."
        raise InputError(f"{said[:1].upper()}{said[1:]}. See: {self.prog} --help")


def parser(argv: list[str]) -> Parser:
    """The parser; only the command that is asked for is imported, so that `runs` does not wait for torch."""
    top = Parser(prog="python -m core", description="Fine-tune, measure and export small language models.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    first = argv[0] if argv else ""
    if first and not first.startswith("-") and first not in COMMANDS:
        raise InputError(unknown("command", first, COMMANDS))
    for name in (first,) if first in COMMANDS else COMMANDS:
        module = importlib.import_module(f"core.cli.{name}")
        sub = commands.add_parser(name, help=module.HELP, description=module.HELP)
        sub.add_argument("--json", action="store_true", help="print one JSON object as the last line, and nothing else")
        module.add_arguments(sub)
        sub.set_defaults(module=module)
    return top


@contextlib.contextmanager
def answer_alone() -> Iterator[int]:
    """Standard output is the answer's alone: what libraries, native code and children print goes to standard error.

    What it was before is the descriptor that the block gets.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield kept
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def main(argv: list[str] | None = None) -> int:
    """Run one command, when it is its turn. Exit status: 0 done, 2 the input is wrong (one sentence on standard error),
    130 interrupted or stopped, 1 anything else."""
    with my_turn() as mine:
        if mine:
            return _command(sys.argv[1:] if argv is None else argv)
    print("Stopped while it waited for its turn.", file=sys.stderr)
    return 130


def _command(argv: list[str]) -> int:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_NUM_THREADS", str(threads()))  # a core is left to the page; read when torch is imported
    try:
        args = parser(argv).parse_args(argv)
        with answer_alone() as args.answer:
            result = args.module.run(args)
        print(json.dumps(plain(result), ensure_ascii=False) if args.json else args.module.show(result), flush=True)
        return int(result.get("exit", 0))
    except (InputError, Overran) as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read has gone: nothing is left to flush to
        return 1
    except Exception as error:
        reason, sentence = explain(error, runs_dir())
        if reason not in ("disk_full", "no_access", "out_of_memory"):
            raise
        print(sentence, file=sys.stderr)
        return 1 if reason == "out_of_memory" else 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    os.environ.setdefault(FOR, OWNER)  # who has this machine's command line is its owner
    mask_output()
    status = main()
    gc.freeze()  # the end does not look through it all once more: three seconds with the libraries of a training
    sys.exit(status)
