"""Plain conversations in the chat format of the demo model, from small talk to questions about a text."""

from collections.abc import Callable
from random import Random

from . import names, phrases
from .events import KEYS, QUESTIONS, event
from .lexicon import CAPITALS, COLOURS, FOODS, ITEMS, JOBS, KINDS, OPPOSITES, RELATIVES, WEATHER
from .text import article, capital, listing, plural

Turn = tuple[str, str]

SYSTEM = (
    "You are a helpful assistant.",
    "You are a friendly assistant. Keep it short.",
    "You answer in one sentence.",
    "You help the customers of a small shop.",
    "Be polite and brief.",
)
GREETINGS = (
    "Hello!",
    "Hi!",
    "Hi there.",
    "Good morning.",
    "Good evening.",
    "Hello, how are you?",
    "Hey, how is it going?",
)
GREETING_REPLIES = ("Hello! How can I help you?", "Hi! What can I do for you?", "Hello, I am fine. What do you need?")
THANKS = ("Thank you.", "Thanks a lot!", "Great, thanks.", "That is all, thank you.", "Perfect.")
THANKS_REPLIES = ("You are welcome.", "Any time.", "Glad to help.", "You are welcome. Have a nice day!")
ABOUT = (
    ("Who are you?", "I am a very small language model that was trained for a demo."),
    ("What can you do?", "I can copy facts from a text, list things and answer simple questions."),
    ("Are you a person?", "No, I am a small language model."),
    ("What do you know?", "I know a small made-up world of orders, meetings and customers, and little else."),
    ("Can you help me?", "I can try. What is it about?"),
)


def _greeting(rng: Random) -> list[Turn]:
    return [(rng.choice(GREETINGS), rng.choice(GREETING_REPLIES))]


def _thanks(rng: Random) -> list[Turn]:
    return [(rng.choice(THANKS), rng.choice(THANKS_REPLIES))]


def _about(rng: Random) -> list[Turn]:
    return [rng.choice(ABOUT)]


def _name(rng: Random) -> list[Turn]:
    who = names.first_name(rng, 0.6)
    turns = [(f"My name is {who}.", f"Nice to meet you, {who}.")]
    if rng.random() < 0.6:
        town, work = names.town(rng), rng.choice(JOBS)
        turns.append(
            (f"I live in {town} and I am {article(work)}.", f"{town} must be a nice place for {article(work)}.")
        )
        turns.append(
            rng.choice((("Where do I live?", f"You live in {town}."), ("What is my job?", f"You are {article(work)}.")))
        )
    turns.append(("What is my name?", f"Your name is {who}."))
    return turns


def _text(rng: Random) -> list[Turn]:
    found = event(rng)
    keys = rng.sample(list(found.facts), rng.randint(1, min(3, len(found.facts))))
    lead = rng.choice(("Read this: ", "Here is a text. ", "", "Please look at this: "))
    turns = [(f"{lead}{found.tell(rng)} {rng.choice(QUESTIONS[keys[0]])}", f"{found.facts[keys[0]]}")]
    return turns + [(rng.choice(QUESTIONS[key]), found.facts[key]) for key in keys[1:]]


def _facts(rng: Random) -> list[Turn]:
    found = event(rng)
    keys = rng.sample(list(found.facts), rng.randint(2, min(4, len(found.facts))))
    labels = [rng.choice(KEYS[key]) for key in keys]
    ask = rng.choice(("Give me", "Find", "I need", "Tell me")) + f" {listing(labels)}: {found.tell(rng)}"
    return [(ask, "\n".join(f"{label}: {found.facts[key]}" for label, key in zip(labels, keys, strict=True)))]


def _opposite(rng: Random) -> list[Turn]:
    pairs = rng.sample(OPPOSITES, rng.randint(1, 2))
    turns = []
    for pair in pairs:
        one, other = pair if rng.random() < 0.5 else pair[::-1]
        turns.append((f"What is the opposite of {one}?", f"The opposite of {one} is {other}."))
    return turns


def _capital(rng: Random) -> list[Turn]:
    turns = []
    for country, town in rng.sample(CAPITALS, rng.randint(1, 2)):
        turns.append(
            rng.choice(
                (
                    (f"What is the capital of {country}?", f"The capital of {country} is {town}."),
                    (f"Where is {town}?", f"{town} is in {country}."),
                )
            )
        )
    return turns


def _kinds(rng: Random) -> list[Turn]:
    kind = rng.choice(list(KINDS))
    count = rng.randint(2, 4)
    word = {2: "two", 3: "three", 4: "four"}[count]
    turns = [(f"Name {word} {plural(kind)}.", f"{capital(listing(rng.sample(KINDS[kind], count)))}.")]
    thing = rng.choice(KINDS[kind])
    turns.append((f"Is {article(thing)} {article(kind)}?" if kind != "colour" else f"Is {thing} a colour?", "Yes."))
    other = rng.choice([name for name in KINDS if name not in (kind, "colour")])
    wrong = rng.choice(KINDS[other])
    turns.append((f"What kind of thing is {article(wrong)}?", f"{capital(article(wrong))} is {article(other)}."))
    return rng.sample(turns, rng.randint(1, 3))


def _sums(rng: Random) -> list[Turn]:
    one, other = rng.randint(1, 12), rng.randint(1, 12)
    if rng.random() < 0.5:
        return [(f"What is {one} plus {other}?", f"{one} plus {other} is {one + other}.")]
    first, second = rng.randint(1, 60), rng.randint(1, 60)
    bigger = max(first, second)
    return [(f"Which is more, {first} or {second}?", f"{bigger} is more." if first != second else "They are the same.")]


def _repeat(rng: Random) -> list[Turn]:
    things = [names.made_up_name(rng) if rng.random() < 0.6 else rng.choice(ITEMS) for _ in range(rng.randint(1, 5))]
    ask = rng.choice(("Repeat: ", "Say this again: ", "Please copy: ", "Write down: "))
    turns = [(ask + ", ".join(things), ", ".join(things))]
    if rng.random() < 0.4:
        turns.append(("And the first one?", things[0]))
    if rng.random() < 0.4:
        turns.append(("How many are there?", f"There {'is' if len(things) == 1 else 'are'} {len(things)}."))
    return turns


def _mood(rng: Random) -> list[Turn]:
    said, tone, item = phrases.phrase(rng)
    mood = rng.choice(phrases.REPORTED[tone])
    turns = [(f'A customer wrote: "{said}" How does that sound?', f"The customer sounds {mood}.")]
    if rng.random() < 0.5:
        turns.append(("What is it about?", f"It is about the {item}."))
    return turns


def _advice(rng: Random) -> list[Turn]:
    who, weather, food = rng.choice(RELATIVES), rng.choice(WEATHER), rng.choice(FOODS)
    item, colour = rng.choice(ITEMS), rng.choice(COLOURS)
    return [
        rng.choice(
            (
                (f"It is {weather} today.", f"If it is {weather}, take good care of yourself."),
                (f"What should I cook for my {who}?", f"How about {food} for your {who}?"),
                (f"I need a present for my {who}.", f"A {colour} {item} could please your {who}."),
                (f"Write a line to my {who} about the {food}.", f"Dear {who}, thank you for the {food}."),
                (f"My {item} is broken.", f"I am sorry to hear that. Do you want a new {item}?"),
                (f"Make a sentence with {item} and {colour}.", f"The {colour} {item} is in the room."),
            )
        )
    ]


SKILLS: tuple[tuple[Callable[[Random], list[Turn]], int], ...] = (
    (_text, 26), (_facts, 12), (_repeat, 10), (_name, 10), (_mood, 8), (_kinds, 8), (_opposite, 6), (_capital, 7),
    (_sums, 6), (_advice, 8), (_about, 3), (_greeting, 2), (_thanks, 1),
)  # fmt: skip


def conversation(rng: Random) -> list[dict[str, str]]:
    """Messages of one to about six turns, sometimes with a system message, greeting and thanks."""
    makers, weights = zip(*SKILLS, strict=True)
    turns = _greeting(rng) if rng.random() < 0.15 else []
    for maker in rng.choices(makers, weights, k=rng.choice((1, 1, 1, 2, 2, 3))):
        turns += maker(rng)
    if rng.random() < 0.15:
        turns += _thanks(rng)
    messages = [{"role": "system", "content": rng.choice(SYSTEM)}] if rng.random() < 0.3 else []
    for said, reply in turns:
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": reply}]
    return messages
