"""run.py of a model that writes, in a terminal: one question, or one after another."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import InputError
from core.export.packages.base import checked, ending, fields_of
from core.export.packages.prompts import Prompted
from core.export.packages.sessions import PLACES_HELP, where


def converse(make: Callable[[Path, str | None], Prompted], folder: Path, about: str, argv: Sequence[str] | None) -> int:
    """The command line. Exit status: 0 answered, 2 the input is wrong, 1 the package is damaged."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("text", nargs="?", default="", help="the text to answer; without any, asks for one")
    parser.add_argument("--field", action="append", default=[], metavar="NAME=VALUE", help="a field of the prompt")
    parser.add_argument(
        "--adapter", default=None, metavar="NAME", help="which adapter answers, where there are several"
    )
    parser.add_argument("--on", default="", metavar="WHERE", help=PLACES_HELP)
    parser.add_argument("--max-new-tokens", type=int, default=None, help="cut an answer off after so many tokens")
    parser.add_argument("--ids", action="store_true", help="print the tokens of prompt and answer, as JSON")
    parser.add_argument("--check", action="store_true", help="compare every file with its hash")
    args = parser.parse_args(argv)

    def work() -> int:
        if args.check:
            return checked(folder)
        if args.max_new_tokens is not None and args.max_new_tokens < 1:
            raise InputError(f"--max-new-tokens {args.max_new_tokens} is too few: ask for 1 or more.")
        package = make(folder, args.adapter)
        where(package.settings, args.on)
        fields = fields_of(args.field)
        if not args.text and not fields:
            _talk(package)
            return 0
        ids = package.ids(package.row(args.text, fields, []))
        if args.ids:
            print(json.dumps({"prompt": ids, "answer": list(package.generate(ids, args.max_new_tokens))}))
            return 0
        for piece in package.words(ids, args.max_new_tokens):
            print(piece, end="", flush=True)
        print(flush=True)
        return 0

    return ending(work, folder)


def _talk(package: Prompted) -> None:
    """Questions from the terminal until an empty one."""
    history: list[dict[str, str]] = []
    names = package.settings["fields"]
    print("An empty line ends.", file=sys.stderr)
    while True:
        given: dict[str, str] = {}
        for name in names if len(names) > 1 else [""]:
            given[name] = input(f"{name}> ")
        if not any(given.values()):
            return
        text = given.pop("", "")
        answer = ""
        try:
            for piece in package.words(package.ids(package.row(text, given, history))):
                print(piece, end="", flush=True)
                answer += piece
        except InputError as error:  # of this question; the next may be another matter
            print(error, file=sys.stderr)
            continue
        print(flush=True)
        history += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
