"""The pre-training corpus: an endless, seeded stream of short documents from the demo world."""

from collections.abc import Iterator
from random import Random

from . import chat, meetings, phrases, render
from .events import event
from .text import articles


def as_chat(messages: list[dict[str, str]]) -> str:
    """Messages in the text of the chat template, up to and without the last end token."""
    text = "".join(f"<|{message['role']}|>\n{message['content']}<|end|>\n" for message in messages)
    return text.removesuffix("<|end|>\n")


def _chat(rng: Random) -> str:
    return as_chat(chat.conversation(rng))


def _prose(rng: Random) -> str:
    """A page of prose: two to four events that have nothing to do with each other."""
    parts = [event(rng).tell(rng) for _ in range(rng.randint(2, 4))]
    if rng.random() < 0.3:
        parts.append(f'"{phrases.phrase(rng)[0]}"')
    return rng.choice((" ", "\n", "\n\n")).join(parts)


def _headline(rng: Random) -> str:
    """A story with a headline or minutes; the one line of the data set `summary` is worded otherwise."""
    story = rng.choice(meetings.STORIES)(rng)
    lines = {
        "meeting": (
            "Talk about {t}: {a} and {b} want to {d}",
            "Present: {a}, {b}. Subject: {t}. Result: {d}.",
            "{b} and {a} spoke about {t}. They will {d}.",
        ),
        "repair": (
            "{a}, {y}: {i} {f}, {m}",
            "A customer from {y} had trouble: the {i} {f}. It was {m}.",
            "In {y}, {a} had a {i} that {f}. We had it {m}.",
        ),
        "trip": (
            "From {x} to {y}: how {a} took the {z} to {p}",
            "{a} wanted to {p}, so there was a {z} from {x} to {y}.",
            "By {z} to {y}, to {p}: {a} from {x}",
        ),
    }
    line = articles(rng.choice(lines[story.kind]).format(**story.facts))
    return f"{line}\n{story.text}" if rng.random() < 0.35 else f"{story.text}\n{line}"


MIX = ((render.retold, 44), (render.several, 5), (render.customer, 10), (render.echo, 8), (_headline, 11), (_prose, 3),
       (_chat, 19))  # fmt: skip


def documents(seed: int) -> Iterator[str]:
    """Documents without end; the same seed gives the same stream."""
    rng = Random(seed)
    makers, weights = zip(*MIX, strict=True)
    while True:
        yield rng.choices(makers, weights)[0](rng)
