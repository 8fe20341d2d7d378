"""Paragraphs with one point: meetings, repairs and journeys, and the one line each comes down to."""

from dataclasses import dataclass
from random import Random

from . import names
from .lexicon import (
    DECISION_OBJECTS,
    DECISION_TAILS,
    DECISION_VERBS,
    FAULTS,
    ITEMS,
    PURPOSES,
    REMEDIES,
    TOPICS,
    TRANSPORT,
    VENUES,
    WEATHER,
)
from .text import capital, clock, weekday


@dataclass(frozen=True)
class Story:
    """A paragraph, its facts by role, and the one line that sums it up."""

    kind: str
    text: str
    facts: dict[str, str]
    line: str


MEETING_OPEN = """
{a} and {b} met on {wd} to talk about {t}.
{a} and {b} sat down in the {v} on {wd} to talk about {t}.
On {wd} {a} invited {b} to the {v}. The subject was {t}.
{a} called {b} on {wd}. They spoke about {t}.
{a} sent {b} a long message about {t}. On {wd} they met in the {v}.
There was a meeting about {t} on {wd}. {a} opened it and {b} took notes.
The meeting on {t} took place in the {v}. {a} led it, and {b} was there too.
In the {v}, {a} showed {b} some figures. It was all about {t}.
{a} had asked for a talk about {t}. {b} came to the {v} on {wd}.
""".strip().splitlines()
MEETING_MIDDLE = """
They sat there for {n} hours.
{a} showed {n} slides.
{b} asked {n} questions.
{b} was not convinced at first.
{a} had brought coffee and cake.
The room was full and rather {w}.
{b} arrived {n} minutes late.
Both had read the papers before.
The first idea was too expensive.
There were {n} different opinions.
It was a {w} day, so they kept it short.
{a} drew a plan on the board.
""".strip().splitlines()
MEETING_END = """
In the end they agreed to {d}.
They agreed to {d}.
After a while both wanted to {d}.
{b} proposed to {d}, and {a} said yes.
{a} suggested to {d}. {b} was happy with that.
The result: they will {d}.
So the plan is to {d}.
At {c} it was settled: they will {d}.
Finally {a} and {b} chose to {d}.
""".strip().splitlines()
REPAIR_OPEN = """
{a} from {y} bought {an} {i} last month.
{a} lives in {y} and owns {an} {i} from our shop.
{a} wrote to us from {y} about {an} {i}.
{a} came to our shop in {y} with {an} {i}.
Our shop in {y} had a visit from {a}, who carried {an} {i}.
""".strip().splitlines()
REPAIR_MIDDLE = """
After {n} days the {i} {f}.
The {i} {f} on {wd}.
On {wd}, without any warning, the {i} {f}.
It was fine for {n} weeks, but then the {i} {f}.
{a} was using it when suddenly the {i} {f}.
""".strip().splitlines()
REPAIR_FILL = """
The bill was still there.
{a} was not pleased.
We looked at it for {n} minutes.
It had cost {n}0 euros.
The box was still in the car.
A colleague checked the papers.
""".strip().splitlines()
REPAIR_END = """
The {i} was {m} the same day.
On {wd} it was {m} free of charge.
We said sorry, and the {i} was {m}.
It was {m} within {n} days.
Now the {i} has been {m}.
""".strip().splitlines()
TRIP_OPEN = """
{a} left {x} on {wd} and took the {z} to {y}.
{a} took the {z} from {x} to {y} on {wd}.
On {wd} {a} went from {x} to {y}. The {z} left at {c}.
Early on {wd} {a} said goodbye to {x} and took the {z}. The way to {y} was long.
{a} lives in {x}. On {wd} there was a {z} to {y}, and {a} was on it.
""".strip().splitlines()
TRIP_FILL = """
The weather was {w}.
The {z} was {n} minutes late.
A friend called {b} came along for the first hour.
There was nothing to eat on the way.
The ticket cost {n} euros.
{a} slept for {n} hours.
""".strip().splitlines()
TRIP_END = """
The plan was to {p}.
The reason was simple: {a} wanted to {p}.
{a} wanted to {p} there.
It was time to {p}.
{a} had promised to {p}.
""".strip().splitlines()


def decision(rng: Random) -> str:
    """What people agree to do, as a verb phrase: "rent a larger room by Friday"."""
    phrase = f"{rng.choice(DECISION_VERBS)} {rng.choice(DECISION_OBJECTS)}"
    return f"{phrase} {rng.choice(DECISION_TAILS)}" if rng.random() < 0.4 else phrase


def _fillers(rng: Random, options: list[str], most: int) -> list[str]:
    return rng.sample(options, rng.randint(0, most))


def _slots(rng: Random) -> dict[str, str | int]:
    return {"wd": weekday(rng), "n": rng.randint(2, 45), "w": rng.choice(WEATHER), "c": clock(rng)}


def meeting(rng: Random, made_up: float = 0.5) -> Story:
    """Two people talk about a topic and decide something."""
    facts = {"a": names.first_name(rng, made_up), "b": names.first_name(rng, made_up)}
    while facts["b"] == facts["a"]:
        facts["b"] = names.first_name(rng, made_up)
    facts |= {"t": rng.choice(TOPICS), "d": decision(rng)}
    parts = [rng.choice(MEETING_OPEN), *_fillers(rng, MEETING_MIDDLE, 2), rng.choice(MEETING_END)]
    text = " ".join(parts).format(**facts, **_slots(rng), v=rng.choice(VENUES))
    line = "{a} and {b} discussed {t} and decided to {d}.".format(**facts)
    return Story("meeting", capital(text), facts, line)


def repair(rng: Random, made_up: float = 0.5) -> Story:
    """Something broke and was put right."""
    item = rng.choice(ITEMS)
    facts = {"a": names.first_name(rng, made_up), "i": item, "y": names.town(rng, made_up),
             "f": rng.choice(FAULTS), "m": rng.choice(REMEDIES)}  # fmt: skip
    middle = [rng.choice(REPAIR_MIDDLE), *_fillers(rng, REPAIR_FILL, 2)]
    slots = {**_slots(rng), "an": "an" if item[0] in "aeiou" else "a"}
    text = " ".join([rng.choice(REPAIR_OPEN), *middle, rng.choice(REPAIR_END)]).format(**facts, **slots)
    line = "The {i} of {a} in {y} {f} and was {m}.".format(**facts)
    return Story("repair", capital(text), facts, line)


def trip(rng: Random, made_up: float = 0.5) -> Story:
    """Somebody goes from one town to another for a reason."""
    facts = {"a": names.first_name(rng, made_up), "x": names.town(rng, made_up), "y": names.town(rng, made_up),
             "z": rng.choice(TRANSPORT), "p": rng.choice(PURPOSES)}  # fmt: skip
    slots = {**_slots(rng), "b": names.first_name(rng, made_up)}
    parts = [rng.choice(TRIP_OPEN), *_fillers(rng, TRIP_FILL, 2), rng.choice(TRIP_END)]
    line = "{a} travelled from {x} to {y} by {z} to {p}.".format(**facts)
    return Story("trip", capital(" ".join(parts).format(**facts, **slots)), facts, line)


STORIES = (meeting, repair, trip)
