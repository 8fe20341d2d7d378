"""What arguments of commands may be: numbers within bounds, and paths; anything else is a sentence of argparse's."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from core.sentences import shown

MOST = 10**9  # of anything that is counted: rows, tokens, steps


def whole(least: int, most: int = MOST) -> Callable[[str], int]:
    """A reader of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:  # also of more digits than Python reads
            raise argparse.ArgumentTypeError(f"{shown(text)} is not a whole number") from None
        _bounded(number, least, most)
        return number

    return read


def real(least: float, most: float) -> Callable[[str], float]:
    """A reader of numbers from `least` to `most`; none that is not finite."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{shown(text)} is not a number") from None
        if not math.isfinite(number):
            raise argparse.ArgumentTypeError(f"{shown(text)} is not a number that can be counted with")
        _bounded(number, least, most)
        return number

    return read


def _bounded(number: float, least: float, most: float) -> None:
    if number < least:
        raise argparse.ArgumentTypeError(f"{shown(number)} is too small: at least {least:,}")
    if number > most:
        raise argparse.ArgumentTypeError(f"{shown(number)} is too large: at most {most:,}")
