"""Writes the four bundled data sets, train and held-out, from the generators of the demo world."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

from . import meetings, names, notes, phrases, replies
from .lexicon import CITIES, FIRST_NAMES, LAST_NAMES

SEED = 7
Row = dict[str, object]

# The columns that hold an answer; the others make up the question.
ANSWERS = ("tone", "fields", "summary", "output")
# Rows of each file: (train, held-out).
SIZES = {
    "tone": (900, 200),
    "fields": (1200, 240),
    "summary": (1000, 200),
    "instructions": (900, 120),
    "chats": (300, 60),
}


def tone_row(rng: Random, tone: str | None = None) -> Row:
    """A customer's words and their tone."""
    said, tone, _ = phrases.phrase(rng, tone)
    return {"phrase": said, "tone": tone}


def fields_row(rng: Random, made_up: float = 0.7) -> Row:
    """A note and what it says, as JSON."""
    fact = notes.order(rng, made_up)
    return {"note": notes.tell(rng, fact, made_up), "fields": as_fields(fact)}


def as_fields(fact: notes.Order) -> str:
    """The JSON that the model is to write: five keys in this order, the quantity as a number."""
    found = {"name": fact.name, "item": fact.item, "quantity": fact.quantity, "city": fact.city, "date": fact.date}
    return json.dumps(found)


def new_fields_row(rng: Random) -> Row:
    """The same with a person and a town that no training text may use."""
    fact = notes.order(rng)
    fact = notes.Order(
        names.reserved_person(rng), fact.item, fact.quantity, names.reserved_town(rng), fact.day, fact.month
    )
    return {"note": notes.tell(rng, fact), "fields": as_fields(fact)}


def summary_row(rng: Random) -> Row:
    """A paragraph and the one line it comes down to."""
    story = rng.choice(meetings.STORIES)(rng)
    return {"text": story.text, "summary": story.line}


def instruction_row(rng: Random) -> Row:
    """One task in the alpaca layout."""
    return dict(replies.task(rng))


def chat_row(rng: Random) -> Row:
    """One conversation of several turns."""
    return {"messages": replies.dialogue(rng)}


MAKERS: dict[str, Callable[[Random], Row]] = {
    "tone": tone_row,
    "fields": fields_row,
    "summary": summary_row,
    "instructions": instruction_row,
    "chats": chat_row,
}


def _distinct(make: Callable[[Random], Row], rng: Random, seen: set[str]) -> Iterator[Row]:
    """Rows whose question did not occur before."""
    while True:
        row = make(rng)
        question = json.dumps([value for key, value in row.items() if key not in ANSWERS])
        if question not in seen:
            seen.add(question)
            yield row


def _take(rows: Iterator[Row], count: int) -> list[Row]:
    return [next(rows) for _ in range(count)]


def build(name: str, seed: int = SEED) -> tuple[list[Row], list[Row]]:
    """Train and held-out rows of one set; no question is in both, none is there twice."""
    rng = Random(f"{name} {seed}")
    train_size, held_out_size = SIZES[name]
    if name == "tone":
        return _balanced_tone(rng, train_size, held_out_size)
    rows = _distinct(MAKERS[name], rng, set())
    train = _take(rows, train_size)
    if name != "fields":
        return train, _take(rows, held_out_size)
    # Half of the held-out notes use names of the training world, half use names from the reserved stock.
    known = [row | {"names": "known"} for row in _take(rows, held_out_size // 2)]
    used = names_in_use()
    fresh = _distinct(new_fields_row, rng, set())
    new: list[Row] = []
    while len(new) < held_out_size // 2:
        row = next(fresh)
        values = json.loads(str(row["fields"]))
        if used.isdisjoint([*values["name"].split(), values["city"]]):
            new.append(row | {"names": "new"})
    return train, [row for pair in zip(known, new, strict=True) for row in pair]


def _balanced_tone(rng: Random, train_size: int, held_out_size: int) -> tuple[list[Row], list[Row]]:
    """The same number of rows of each tone in both files, in random order."""
    seen: set[str] = set()
    train, held_out = [], []
    for tone in phrases.TONES:
        rows = _distinct(partial(tone_row, tone=tone), rng, seen)
        train += _take(rows, train_size // len(phrases.TONES))
        held_out += _take(rows, held_out_size // len(phrases.TONES))
    rng.shuffle(train)
    rng.shuffle(held_out)
    return train, held_out


def names_in_use() -> set[str]:
    """Every real name of the lexicon; a reserved name must be none of them."""
    return {*FIRST_NAMES, *LAST_NAMES, *CITIES}


def files(seed: int = SEED) -> dict[str, str]:
    """The text of every file by its path below assets/data."""
    texts = {}
    for name in SIZES:
        folder, prefix = ("instructions", "chats_") if name == "chats" else (name, "")
        for part, rows in zip(("train", "heldout"), build(name, seed), strict=True):
            lines = (json.dumps(row, ensure_ascii=False) for row in rows)
            texts[f"{folder}/{prefix}{part}.jsonl"] = "".join(f"{line}\n" for line in lines)
    return texts


def write(folder: Path, seed: int = SEED) -> None:
    """Write all files of the data sets below the folder."""
    for path, text in files(seed).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
