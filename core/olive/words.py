"""The words of one command line of Olive's as its options, each with the value that belongs to it."""

from __future__ import annotations

import re

from core.errors import InputError, nearest, unknown
from core.olive.options import OPTIONS, OTHERS, SHORT, Given
from core.olive.shell import Line, Word
from core.olive.training import KNOWN as ARGUMENTS

_NEGATIVE = re.compile(r"-\d")
_TRUTH = ("true", "false", "yes", "no", "1", "0")


def subcommand(line: Line) -> str | None:
    """Which of Olive's commands a line is; None where it is none of Olive's.

    Raises:
        InputError: Olive has no such command, or it is one that nothing follows from here.
    """
    words = line.texts
    if words[:1] and words[0].rpartition("/")[2] in ("python", "python3", "py") and words[1:3] == ["-m", "olive"]:
        words = words[2:]
    if not words or words[0].rpartition("/")[2].removesuffix(".exe") != "olive":
        return None
    named = words[1] if len(words) > 1 else ""
    if named in ("", "-h", "--help", "--version"):
        raise InputError(
            f"`{' '.join(['olive', named]).strip()}` trains and exports nothing: there is nothing to read."
        )
    if named in OPTIONS:
        return named
    if named in OTHERS:
        raise InputError(
            f"Nothing of `olive {named}` has a place here: read are the commands {', '.join(OPTIONS)}.", ""
        )
    raise InputError(unknown("command of Olive", named, OPTIONS))


def options(command: str, line: Line) -> tuple[list[Given], list[Given]]:
    """(the options that are read, those with a variable in them whose value the text does not say).

    Flags may have true or false behind them; `--name=value`, short names and the beginnings of long ones are taken, as
    argparse does.

    Raises:
        InputError: an option with no value, or a word that belongs to none.
    """
    words = line.words
    at = next(i for i, word in enumerate(words) if word.text == command) + 1
    found: list[Given] = []
    unknown_values: list[Given] = []
    while at < len(words):
        option, mark, inline = words[at].text.partition("=")
        if not option.startswith("-") or _NEGATIVE.match(option):
            where = f"{words[at].text!r}{f' after {found[-1].option}' if found else ''}"
            raise InputError(f"{where} belongs to no option: put a value with spaces between quotes.")
        name = _name(command, option)
        end = at + 1
        while end < len(words) and not _is_option(words[end]):
            end += 1
        values = [Word(inline, words[at].unknown)] if mark else []
        taken = _take(_kind(command, name), words[at + 1 : end], bool(mark))
        values += words[at + 1 : at + 1 + taken]
        at += 1 + taken
        given = Given(name, option, _value(command, name, option, values))
        (unknown_values if any(word.unknown for word in values) else found).append(given)
    return found, unknown_values


def _is_option(word: Word) -> bool:
    return word.text.startswith("-") and len(word.text) > 1 and not _NEGATIVE.match(word.text) and " " not in word.text


def _name(command: str, option: str) -> str:
    if not option.startswith("--"):
        return SHORT.get(option[1:], option[1:])
    name = option[2:].replace("-", "_")
    known = OPTIONS[command]
    if name in known or name in ARGUMENTS:
        return name
    begun = [full for full in known if full.startswith(name)]
    return begun[0] if len(begun) == 1 and len(name) > 2 else name


def _kind(command: str, name: str) -> str:
    return OPTIONS[command].get(name, "argument")


def _take(kind: str, after: list[Word], inline: bool) -> int:
    """How many of the words behind an option belong to it."""
    if inline:
        return 0
    if kind == "list":
        return len(after)
    if kind == "flag":
        return int(bool(after) and after[0].text.casefold() in _TRUTH)
    return min(1, len(after))


def _value(command: str, name: str, option: str, values: list[Word]) -> str | list[str] | bool:
    kind = _kind(command, name)
    texts = [word.text for word in values]
    if kind == "list":
        return texts
    if texts:
        return texts[0]
    if kind == "text":
        raise InputError(f"{option} has no value: write one behind it.")
    return True


def no_option(command: str, given: Given) -> str:
    """The sentence for an option that a command does not have, with a guess at what was meant."""
    guess = nearest(given.name, [*OPTIONS[command], *(ARGUMENTS if command == "finetune" else ())])
    hint = f" Did you mean --{guess}?" if guess and guess != given.name else ""
    return f"`olive {command}` has no such option.{hint}"
