"""Notes about orders: the prose world behind the data set `fields`, told in many ways."""

from dataclasses import dataclass
from random import Random

from . import names
from .lexicon import COLOURS, ITEMS, RELATIVES, ROOMS
from .text import amount, capital, clock, code, date, spoken_date, weekday


@dataclass(frozen=True)
class Order:
    """Who ordered what, how many, for which town, for which day."""

    name: str
    item: str
    quantity: int
    city: str
    day: int
    month: str

    @property
    def date(self) -> str:
        """The date as a record writes it: 14 March."""
        return f"{self.day} {self.month}"


# {n} the person, {w} the wanted things, {c} the town, {d} the date
PLAIN = """
{n} ordered {w} for delivery to {c} on {d}.
{n} from {c} ordered {w}, due on {d}.
{n} wants {w} sent to {c} by {d}.
{n} would like to have {w} delivered to {c} on {d}.
{n} bought {w} and needs everything in {c} by {d}.
{n} called from {c} and asked for {w} by {d}.
{n} needs {w} in {c} no later than {d}.
{n} placed an order for {w}. Ship it to {c} on {d}.
{n} wrote to us about {w}. The parcel goes to {c} and must arrive by {d}.
{n} is waiting for {w} in {c}. We promised {d}.
Please send {w} to {n} in {c} by {d}.
Please ship {w} to {c} on {d}. The customer is {n}.
Please reserve {w} for {n}, who will collect them in {c} on {d}.
On {d} we received an order from {n}: {w}, to be delivered to {c}.
On {d} {n} rang us from {c} and ordered {w}.
On {d}, {w} must be in {c}. They are for {n}.
By {d} we have to deliver {w} to {n} in {c}.
For {d}, {n} has booked {w} with our shop in {c}.
Order for {c}: {n} wants {w} before {d}.
Order of {d}: {w} for {n}, shipping to {c}.
A customer named {n} asked for {w}. Deliver to {c} on {d}.
A new order came in from {c}: {w} for {n}, due {d}.
Our shop in {c} has sold {w} to {n}. Delivery is on {d}.
The shop in {c} needs {w} for {n} by {d}.
The order of {n} is ready: {w}, leaving for {c} on {d}.
The parcel for {n} with {w} leaves for {c} on {d}.
We owe {n} {w}. The truck to {c} goes on {d}.
We have to bring {w} to {c} on {d}, and {n} will sign for them.
In {c}, {n} is expecting {w} on {d}.
In {c} there is a customer, {n}, who ordered {w} for {d}.
To {c}, by {d}: {w} for {n}.
{w} for {n}, please, to {c} by {d}.
{w} should reach {n} in {c} on {d}.
{w} will go to {c} on {d}. The buyer is {n}.
Hello, this is {n} from {c}. I would like {w} by {d}.
Hello, I am {n} and I need {w}. My address is in {c}, and {d} would suit me.
Hi, my name is {n}. Could you send {w} to {c} by {d}?
Dear team, I want to order {w}. Send them to {c} on {d}. Regards, {n}
Good morning, {w} to {c} for {d}, please. Thank you, {n}
I am writing from {c}. I ordered {w} and hope to get them by {d}. Yours, {n}
""".strip().splitlines()

# Sentences around the fact: they carry other people, other numbers and other days.
BEFORE = """
The phone rang at {t}.
This came in on {wd} at {t}.
Message {k} was read on {wd}.
{o} took the call.
{o} passed this on to us.
Here is a note from the front desk.
One more job for the warehouse.
Another order before the weekend.
""".strip().splitlines()
AFTER = """
The bill is {p} euros.
The customer paid {p} euros in advance.
{o} will drive the van.
{o} packed the box.
Please call {o} first.
The reference is {k}.
The invoice number is {k}.
It is a present for {r}.
Leave it in the {room}.
The colour should be {col}.
The bell does not work, so please knock.
No rush, but please be careful.
Ring at {t} or later.
The old address is no longer valid.
Shipping is free this week.
Wrap it in {col} paper.
""".strip().splitlines()


def order(rng: Random, made_up: float = 0.5) -> Order:
    """A random order; person and town are made up with the given probability."""
    quantity = 1 if rng.random() < 0.08 else rng.randint(2, rng.choice((12, 30, 60)))
    day, month = date(rng)
    return Order(names.person(rng, made_up), rng.choice(ITEMS), quantity, names.town(rng, made_up), day, month)


def _aside(rng: Random, template: str, made_up: float) -> str:
    return template.format(
        t=clock(rng), wd=weekday(rng), k=code(rng), o=names.first_name(rng, made_up), p=rng.randint(12, 990),
        r=rng.choice(("my ", "his ", "her ", "a ")) + rng.choice(RELATIVES), room=rng.choice(ROOMS),
        col=rng.choice(COLOURS),
    )  # fmt: skip


def tell(rng: Random, fact: Order, made_up: float = 0.5, asides: float = 0.35) -> str:
    """The order in prose: one of the wordings, perhaps with a sentence before and after that is beside the point."""
    text = capital(
        rng.choice(PLAIN).format(
            n=fact.name,
            w=amount(rng, fact.quantity, fact.item),
            c=fact.city,
            d=spoken_date(rng, fact.day, fact.month),
        )
    )
    if rng.random() < asides * 0.6:
        text = f"{_aside(rng, rng.choice(BEFORE), made_up)} {text}"
    if rng.random() < asides and not text.endswith(fact.name):
        text = f"{text} {_aside(rng, rng.choice(AFTER), made_up)}"
    return text
