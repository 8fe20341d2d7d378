"""Values of Olive's options, from a command line (text) or a workflow (plain values), as what a setting takes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from core.errors import InputError, nearest

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
MOST = 1e300  # no setting is anywhere near
_SHOWN = 60  # characters of a value in a sentence


def shown(value: Any) -> str:
    """A value in a sentence, not too long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def whole(value: Any, option: str) -> int:
    """A whole number. InputError for anything else."""
    found = number(value, option)
    if found != int(found):
        raise InputError(f"{option} {shown(value)} is not a whole number: give one such as {round(found)}.")
    return int(found)


def number(value: Any, option: str) -> float:
    """A number, 1e-4 as text too. InputError for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST:  # no NaN either
        raise InputError(f"{option} {shown(value)} is not a number: give one such as 16 or 2e-4.")
    return float(value)


def truth(value: Any, option: str) -> bool:
    """True or false, also as text. InputError for anything else."""
    words = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
    found = words.get(str(value).strip().casefold())
    if found is None:
        raise InputError(f"{option} {shown(value)} is neither true nor false: give one of the two.")
    return found


def text(value: Any, option: str) -> str:
    """Text that is not empty. InputError for anything else; numbers are taken as they are written."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
        raise InputError(f"{option} {shown(value)} is no text: give a name, a path or a sentence.")
    return str(value)


def names(value: Any, option: str) -> list[str]:
    """Names, as a list or parted by commas. InputError for anything else."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not value or not all(isinstance(part, str) and part for part in value):
        raise InputError(f"{option} {shown(value)} is no list of names: write them with commas between.")
    return value


def mapping(value: Any, option: str) -> dict[str, Any]:
    """A mapping of names to values; nothing is an empty one. InputError for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"{option} {shown(value)} is no mapping: write options and their values below it.")
    return {str(key): inner for key, inner in value.items()}


def one_of(value: Any, option: str, known: Iterable[str]) -> str:
    """One of several names, capitals aside. InputError for any other, with a guess at what was meant."""
    known = list(known)
    found = next((name for name in known if str(value).strip().casefold() == name.casefold()), None)
    if found is None:
        guess = nearest(str(value)[:_SHOWN], known)
        hint = f" Did you mean {guess}?" if guess else ""
        raise InputError(f"{option} {shown(value)} is not known.{hint} Known: {', '.join(known)}.")
    return found
