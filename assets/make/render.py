"""Turns events into documents that say the same thing twice, so that a model has to learn to copy."""

import json
from collections.abc import Callable
from random import Random

from . import names, phrases
from .events import KEYS, QUESTIONS, Event, event
from .lexicon import ITEMS
from .text import capital, code


def _some(rng: Random, found: Event, least: int = 2) -> list[str]:
    """Some of the event's keys, in any order."""
    keys = list(found.facts)
    return rng.sample(keys, rng.randint(min(least, len(keys)), len(keys)))


def _labels(rng: Random, keys: list[str]) -> list[str]:
    return [rng.choice(KEYS[key]) for key in keys]


def questions(rng: Random, found: Event) -> str:
    """Questions and answers."""
    ask, answer = rng.choice((("Q: ", "A: "), ("Question: ", "Answer: "), ("- ", "  "), ("? ", "> ")))
    return "\n".join(f"{ask}{rng.choice(QUESTIONS[key])}\n{answer}{found.facts[key]}" for key in _some(rng, found))


def card(rng: Random, found: Event) -> str:
    """Lines or a row of key and value."""
    keys = _some(rng, found, 3)
    mark = rng.choice((": ", " = ", ": ", " -> "))
    between = rng.choice(("\n", "\n", "; ", " | ", ", "))
    pairs = [f"{label}{mark}{found.facts[key]}" for label, key in zip(_labels(rng, keys), keys, strict=True)]
    if between == "\n" and rng.random() < 0.5:
        pairs = [capital(pair) for pair in pairs]
    return between.join(pairs)


def record(rng: Random, found: Event) -> str:
    """A JSON object; counts are numbers there."""
    keys = _some(rng, found, 2)
    values = {
        label: int(found.facts[key]) if key in ("count", "price") and rng.random() < 0.7 else found.facts[key]
        for label, key in zip(_labels(rng, keys), keys, strict=True)
    }
    if rng.random() < 0.15:
        return json.dumps(values, indent=1)
    return json.dumps(values)


def table(rng: Random, found: Event) -> str:
    """A table of one row."""
    keys = _some(rng, found, 3)
    mark = rng.choice((" | ", ",", ";"))
    return f"{mark.join(_labels(rng, keys))}\n{mark.join(found.facts[key] for key in keys)}"


def values(rng: Random, found: Event) -> str:
    """The values only, quoted or not."""
    quote = rng.choice(("", "", '"', "'"))
    return ", ".join(f"{quote}{found.facts[key]}{quote}" for key in _some(rng, found))


FORMS: tuple[tuple[Callable[[Random, Event], str], int], ...] = (
    (questions, 24),
    (card, 22),
    (record, 34),
    (table, 8),
    (values, 6),
)


def form(rng: Random, found: Event) -> str:
    """The event in one of the forms that are not prose."""
    makers, weights = zip(*FORMS, strict=True)
    return rng.choices(makers, weights)[0](rng, found)


def _headed(rng: Random, found: Event) -> str:
    """A form, perhaps under a heading."""
    heading = rng.choice(("", "", "", "Card:\n", "Record:\n", "In short:\n", "Facts:\n", "Data:\n"))
    return heading + form(rng, found)


def retold(rng: Random) -> str:
    """Prose and form, form and prose, two forms, or the same story in two wordings."""
    found = event(rng)
    way = rng.random()
    if way < 0.55:
        return f"{found.tell(rng)}\n{_headed(rng, found)}"
    if way < 0.72:
        return f"{_headed(rng, found)}\n{found.tell(rng)}"
    if way < 0.82:
        return f"{form(rng, found)}\n{form(rng, found)}"
    first, second = found.tell(rng), found.tell(rng)
    if way < 0.9 and first != second:
        return f"{first}\n{second}"
    return f"{found.tell(rng)}\n{record(rng, found)}\n{questions(rng, found)}"


def several(rng: Random) -> str:
    """Two or three events, then the form of one of them, pointed out by its first fact."""
    found = [event(rng) for _ in range(rng.choice((2, 2, 3)))]
    chosen = rng.choice(found)
    first = next(iter(chosen.facts.values()))
    prose = " ".join(one.tell(rng) for one in found)
    return f"{prose}\nAbout {first}: {form(rng, chosen)}"


def customer(rng: Random) -> str:
    """A customer's words and what can be said about them."""
    said, tone, item = phrases.phrase(rng)
    who = names.first_name(rng)
    mood = rng.choice(phrases.REPORTED[tone])
    stars = phrases.RATING[tone]
    return rng.choice(
        (
            f'{who} wrote: "{said}"\n{who} sounds {mood}. It is about the {item}.',
            f"{said}\nQ: How does the writer sound?\nA: {mood}\nQ: Which product?\nA: {item}",
            f"{said}\nMood: {mood}; product: {item}",
            f"A customer who is {mood}, about the {item}:\n{said}",
            f"{said}\nStars: {stars}",
            f"{stars} of 5 stars\n{said}\nThe writer is {mood}.",
            f"{said}\n" + json.dumps({"mood": mood, "product": item, "stars": stars}),
        )
    )


def _thing(rng: Random) -> str:
    return rng.choice(
        (
            lambda: names.made_up_name(rng),
            lambda: names.made_up_town(rng),
            lambda: names.person(rng, 0.7),
            lambda: rng.choice(ITEMS),
            lambda: names.first_name(rng, 0.2),
            lambda: str(rng.randint(1, 999)),
            lambda: code(rng),
            lambda: "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 6))).capitalize(),
        )
    )()


def echo(rng: Random) -> str:
    """Lists that come back: as they are, in another dress, one of them, or turned round."""
    things = [_thing(rng) for _ in range(rng.randint(2, 6))]
    plain = ", ".join(things)
    way = rng.randrange(7)
    if way == 0:
        return f"Say: {' '.join(things)}\nEcho: {' '.join(things)}"
    if way == 1:
        return f"List: {plain}\n{json.dumps(things)}"
    if way == 2:
        return f"{json.dumps(things)}\n" + "\n".join(f"- {thing}" for thing in things)
    if way == 3:
        index = rng.randrange(len(things))
        place = ("first", "second", "third", "fourth", "fifth", "sixth")[index]
        return f"{plain}\nThe {place} is {things[index]}."
    if way == 4:
        return f"{plain}\nTurned round: {', '.join(reversed(things))}"
    if way == 5:
        return f'"{things[0]}", said {things[1]}.\n{things[1]} said "{things[0]}".'
    pairs = {_thing(rng): _thing(rng) for _ in range(rng.randint(2, 5))}
    wanted = rng.choice(list(pairs))
    return "\n".join(f"{key} is {value}." for key, value in pairs.items()) + f"\n{wanted} is {pairs[wanted]}."
