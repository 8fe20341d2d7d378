"""Small everyday events with named parts, told in prose: what the corpus asks about, lists and retells."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from . import meetings, names, notes
from .lexicon import ANIMALS, COLOURS, DAYS, FOODS, ITEMS, JOBS, ROOMS
from .text import article, articles, capital, clock, code, number


@dataclass(frozen=True)
class Event:
    """Facts by key, and a way to tell them; each call of `tell` words them anew."""

    facts: dict[str, str]
    tell: Callable[[Random], str]


# Keys that the corpus uses for a fact; the keys of the data sets are others.
KEYS = {
    "who": ("customer", "buyer", "client", "person", "who"),
    "what": ("product", "article", "thing", "what"),
    "count": ("count", "pieces", "number", "how many"),
    "where": ("town", "place", "where"),
    "when": ("day", "due", "when"),
    "guest": ("guest", "booked by", "who"),
    "room": ("room", "place"),
    "price": ("price", "cost", "euros"),
    "code": ("code", "reference", "key"),
    "time": ("time", "at", "hour"),
    "from": ("from", "start"),
    "to": ("to", "goal"),
    "by": ("by", "means"),
    "why": ("why", "reason"),
    "job": ("job", "work", "trade"),
    "animal": ("animal", "pet"),
    "pet": ("called", "pet's name"),
    "colour": ("colour", "shade"),
    "first": ("first", "speaker", "one"),
    "second": ("second", "listener", "other"),
    "topic": ("topic", "subject", "about"),
    "plan": ("plan", "result", "next step"),
    "fault": ("fault", "what happened", "trouble"),
    "remedy": ("then", "done", "help"),
    "food": ("dish", "food", "meal"),
}
QUESTIONS = {
    "who": ("Who is it?", "Who is this about?", "What is the person called?"),
    "what": ("Which thing?", "What is it about?", "Which product is meant?"),
    "count": ("How many?", "How many pieces?", "What number?"),
    "where": ("Where?", "Which town?", "Where does it happen?"),
    "when": ("When?", "On which day?", "What is the day?"),
    "guest": ("Who is the guest?", "Who comes?"),
    "room": ("Which room?", "In which room?"),
    "price": ("How much is it?", "What does it cost?"),
    "code": ("What is the code?", "Which reference?"),
    "time": ("At what time?", "When does it start?"),
    "from": ("From where?", "Where does the journey start?"),
    "to": ("Where to?", "Where does the journey end?"),
    "by": ("How?", "By what means?"),
    "why": ("Why?", "What for?"),
    "job": ("What is the job?", "What kind of work?"),
    "animal": ("What animal is it?", "Which animal?"),
    "pet": ("What is the animal called?", "What is its name?"),
    "colour": ("What colour?", "Which colour is it?"),
    "first": ("Who spoke first?", "Who is one of the two?"),
    "second": ("Who is the other one?", "Who else was there?"),
    "topic": ("What was it about?", "Which subject?"),
    "plan": ("What will they do?", "What is the plan?"),
    "fault": ("What went wrong?", "What happened to it?"),
    "remedy": ("How did it end?", "What was done?"),
    "food": ("What was there to eat?", "Which dish?"),
}


def _from_templates(templates: str, facts: dict[str, str], **shown: Callable[[Random], str]) -> Event:
    lines = templates.strip().splitlines()

    def tell(rng: Random) -> str:
        slots = facts | {key: how(rng) for key, how in shown.items()}
        return articles(capital(rng.choice(lines).format(**slots)))

    return Event(facts, tell)


def an_order(rng: Random) -> Event:
    """Somebody ordered something."""
    fact = notes.order(rng)
    facts = {"who": fact.name, "what": fact.item, "count": str(fact.quantity), "where": fact.city, "when": fact.date}
    return Event(facts, lambda again: notes.tell(again, fact))


def a_booking(rng: Random) -> Event:
    """Somebody booked a room."""
    count = rng.randint(2, 12)
    facts = {"guest": names.person(rng), "count": str(count), "where": names.town(rng),
             "price": str(rng.randint(30, 900)), "when": rng.choice(DAYS), "code": code(rng)}  # fmt: skip
    return _from_templates(
        """
{guest} booked a hotel in {where} for {people} people. They come on {when}. It costs {price} euros, code {code}.
The hotel in {where} has a room for {guest} and {people} people from {when}, at {price} euros. The code is {code}.
Booking {code}: {guest}, {people} guests, {where}, from {when}, {price} euros.
On {when} {guest} will arrive in {where} with a group of {people}. They pay {price} euros. Reference {code}.
We got {price} euros from {guest} for {people} beds in {where} on {when}. Keep the number {code}.
From {when} on, {people} friends of {guest} will stay in {where} for {price} euros. The booking is {code}.
""",
        facts,
        people=lambda again: number(again, count),
    )


def a_job(rng: Random) -> Event:
    """Somebody works somewhere."""
    job = rng.choice(JOBS)
    facts = {
        "who": names.person(rng),
        "job": job,
        "where": names.town(rng),
        "time": clock(rng),
        "colour": rng.choice(COLOURS),
    }
    return _from_templates(
        """
{who} works as {a_job} in {where}. The day starts at {time}, and the way to work is by a {colour} bicycle.
{who} is {a_job} from {where} and gets up early, because work begins at {time}. The coat for work is {colour}.
In {where} lives {a_job} called {who}. At {time} the {colour} door of the workshop opens.
At {time} {who} leaves the {colour} house in {where}. Being {a_job} is not easy.
The {colour} van in {where} belongs to {who}, {a_job}. It is always gone by {time}.
""",
        facts,
        a_job=lambda again: article(job),
    )


def a_pet(rng: Random) -> Event:
    """Somebody has an animal."""
    animal = rng.choice(ANIMALS)
    facts = {"who": names.first_name(rng), "animal": animal, "pet": names.first_name(rng), "where": names.town(rng),
             "colour": rng.choice(COLOURS)}  # fmt: skip
    return _from_templates(
        """
{who} lives in {where} and has a {colour} {animal} called {pet}.
{who} has a {animal}. It is {colour}, its name is {pet}, and they live in {where}.
{pet} is a {colour} {animal}. It lives with {who} in {where}.
In {where} everybody knows {pet}, the {colour} {animal} of {who}.
When {who} moved to {where}, the {colour} {animal} came along. It is called {pet}.
The {animal} of {who} ran through {where}. "Come back, {pet}!" they called, but the {colour} tail was gone.
""",
        facts,
    )


def a_dinner(rng: Random) -> Event:
    """Somebody cooks for somebody."""
    facts = {"first": names.first_name(rng), "second": names.first_name(rng), "food": rng.choice(FOODS),
             "time": clock(rng), "room": rng.choice(ROOMS)}  # fmt: skip
    return _from_templates(
        """
{first} invited {second} for {food} at {time}. They ate in the {room}.
At {time} {first} and {second} sat in the {room} and had {food}.
There was {food} at {time}. {first} had cooked it for {second}, and the {room} smelled good.
"Is there any {food} left?" asked {first}. "It is in the {room}," said {second}. It was {time}.
{first} told {second} to come to the {room} at {time}, and there was {food} for both.
""",
        facts,
    )


def a_thing(rng: Random) -> Event:
    """Somebody lost, found, sold or lent a thing."""
    facts = {"who": names.person(rng), "what": rng.choice(ITEMS), "where": names.town(rng),
             "colour": rng.choice(COLOURS), "when": rng.choice(DAYS), "code": code(rng)}  # fmt: skip
    return _from_templates(
        """
{who} lost a {colour} {what} in {where} on {when}. The tag says {code}.
A {colour} {what} with the number {code} was found in {where} on {when}. It belongs to {who}.
{who} sold a {colour} {what} on {when}. It was picked up in {where} with the code {code}.
On {when} {who} lent a friend in {where} the {colour} {what}. It is marked {code}.
Has anyone seen the {colour} {what} of {who}? It was left in {where} on {when}, and {code} is written on it.
{code} is the number of a {colour} {what} that {who} gave to the museum of {where} on {when}.
""",
        facts,
    )


_ROLES = {
    "meeting": {"a": "first", "b": "second", "t": "topic", "d": "plan"},
    "repair": {"a": "who", "i": "what", "y": "where", "f": "fault", "m": "remedy"},
    "trip": {"a": "who", "x": "from", "y": "to", "z": "by", "p": "why"},
}


def a_story(rng: Random) -> Event:
    """A meeting, a repair or a journey."""
    story = rng.choice(meetings.STORIES)(rng)
    return Event({_ROLES[story.kind][key]: value for key, value in story.facts.items()}, lambda _: story.text)


EVENTS = ((an_order, 34), (a_story, 30), (a_booking, 8), (a_job, 7), (a_pet, 7), (a_dinner, 5), (a_thing, 9))


def event(rng: Random) -> Event:
    """A random event."""
    makers, weights = zip(*EVENTS, strict=True)
    return rng.choices(makers, weights)[0](rng)
