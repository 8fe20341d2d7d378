"""Small tools for building sentences: filling templates, plurals, dates, numbers, joining."""

import re
from collections.abc import Sequence
from random import Random

from .lexicon import DAYS, MONTHS, NUMBER_WORDS


def capital(text: str) -> str:
    """The text with its first letter in upper case, the rest untouched."""
    return text[:1].upper() + text[1:]


def articles(text: str) -> str:
    """The text with "a" turned into "an" before a vowel (of a word in lower case)."""
    return re.sub(r"\b([Aa]) (?=[aeio]|u[mgn])", r"\1n ", text)


def article(noun: str) -> str:
    """The noun with "a" or "an"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def plural(noun: str) -> str:
    """Plural of a noun of the lexicon."""
    return noun + ("es" if noun.endswith(("ss", "x", "ch", "sh")) else "s")


def number(rng: Random, value: int, words: float = 0.25) -> str:
    """The value in digits, or, up to twelve, in words with the given probability."""
    return NUMBER_WORDS[value] if value < len(NUMBER_WORDS) and rng.random() < words else str(value)


def amount(rng: Random, value: int, noun: str) -> str:
    """A count of things: "3 lamps", "three lamps", "1 lamp", "a lamp"."""
    if value == 1:
        return rng.choice((f"1 {noun}", article(noun), f"one {noun}"))
    return f"{number(rng, value)} {plural(noun)}"


def date(rng: Random) -> tuple[int, str]:
    """A day of the month and a month."""
    return rng.randint(1, 28), rng.choice(MONTHS)


def ordinal(day: int) -> str:
    """1st, 2nd, 3rd, 4th ..."""
    ending = "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def spoken_date(rng: Random, day: int, month: str) -> str:
    """The same date in one of several wordings; each can follow "on" or "by"."""
    return rng.choice((f"{day} {month}", f"{day} {month}", f"{month} {day}", f"the {ordinal(day)} of {month}"))


def code(rng: Random) -> str:
    """A reference such as KT-4821."""
    letters = "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(rng.randint(1, 3)))
    return f"{letters}{rng.choice(('-', '', '/'))}{rng.randint(10, 9999)}"


def clock(rng: Random) -> str:
    """A time of day such as 14:30."""
    return f"{rng.randint(7, 21)}:{rng.choice(('00', '15', '30', '45'))}"


def weekday(rng: Random) -> str:
    """A day of the week."""
    return rng.choice(DAYS)


def listing(words: Sequence[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
