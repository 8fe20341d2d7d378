"""The command line: python -m core check|train|evaluate|export|runs ... (see docs/commands.md)."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys

from core.errors import InputError

COMMANDS = ("check", "train", "evaluate", "export", "runs")


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong word is an InputError: one sentence, exit status 2."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise InputError(f"{message[:1].upper()}{message[1:]}. See: {self.prog} --help")


def parser(argv: list[str]) -> Parser:
    """The parser; only the command that is asked for is imported, so that `runs` does not wait for torch."""
    top = Parser(prog="python -m core", description="Fine-tune, measure and export small language models.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    wanted = next((a for a in argv if a in COMMANDS), None)
    for name in COMMANDS if wanted is None else (wanted,):
        module = importlib.import_module(f"core.cli.{name}")
        sub = commands.add_parser(name, help=module.HELP, description=module.HELP)
        sub.add_argument("--json", action="store_true", help="print one JSON object as the last line, and nothing else")
        module.add_arguments(sub)
        sub.set_defaults(module=module)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 2 the input is wrong (one sentence on standard error), 1 anything else."""
    argv = sys.argv[1:] if argv is None else argv
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        args = parser(argv).parse_args(argv)
        with contextlib.redirect_stdout(sys.stderr):  # libraries print; standard output is the answer's alone
            result = args.module.run(args)
        print(json.dumps(result, ensure_ascii=False) if args.json else args.module.show(result), flush=True)
        return int(result.get("exit", 0)) if isinstance(result, dict) else 0
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
