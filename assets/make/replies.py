"""Tasks and dialogues of a small shop's assistant: the data set `instructions`, in a style new to the base."""

from collections.abc import Callable
from random import Random

from . import meetings, names, notes, phrases
from .lexicon import COLOURS, DAYS, FOODS, ITEMS, JOBS, KINDS, OPPOSITES, RELATIVES, VENUES
from .text import article, articles, capital, clock, listing, number, plural, weekday

Task = dict[str, str]

SORRY = {
    "angry": "We are very sorry, {n}. A manager will call you today about the {i}.",
    "disappointed": "We are sorry that the {i} let you down, {n}. You may send it back free of charge.",
    "glad": "Thank you for your kind words, {n}. Enjoy the {i}!",
    "neutral": "Thank you for your message, {n}. We will look after the {i} and answer soon.",
    "worried": "Please do not worry, {n}. We will check on the {i} at once.",
}


def _task(instruction: str, given: str, output: str) -> Task:
    return {"instruction": instruction, "input": given, "output": output}


def answer_customer(rng: Random) -> Task:
    """A reply that fits the customer's tone."""
    said, tone, item = phrases.phrase(rng)
    who = names.first_name(rng)
    ask = rng.choice(("Write a reply to this customer.", "Answer the customer in our name.", "Draft a short reply."))
    return _task(ask, f"{said} ({who})", SORRY[tone].format(n=who, i=item))


def confirm_order(rng: Random) -> Task:
    """A confirmation of an order."""
    fact = notes.order(rng)
    ask = rng.choice(
        ("Write a confirmation for this order.", "Confirm the order.", "Turn the note into a confirmation.")
    )
    wanted = fact.item if fact.quantity == 1 else plural(fact.item)
    reply = f"Dear {fact.name}, we confirm {fact.quantity} {wanted}. "
    reply += f"You will have your order in {fact.city} by {fact.date}."
    return _task(ask, notes.tell(rng, fact), reply)


def label(rng: Random) -> Task:
    """An address label."""
    fact = notes.order(rng)
    ask = rng.choice(("Write the address label.", "Make a parcel label from this note.", "What goes on the label?"))
    return _task(ask, notes.tell(rng, fact), f"To: {fact.name}, {fact.city}")


def subject_line(rng: Random) -> Task:
    """A subject line for a mail."""
    story = meetings.meeting(rng)
    ask = rng.choice(("Write a subject line.", "Find a subject for this mail.", "Which subject line fits?"))
    return _task(ask, story.text, "Subject: {t}, next step: {d}".format(**story.facts))


def invitation(rng: Random) -> Task:
    """An invitation from a few facts."""
    who, day, time, where = names.first_name(rng), weekday(rng), clock(rng), rng.choice(VENUES)
    what = rng.choice(("lunch", "a talk", "a party", "a meeting", "a training", "coffee"))
    ask = rng.choice(("Write an invitation.", "Invite this person.", "Turn these facts into an invitation."))
    given = rng.choice((f"{who}, {what}, {day}, {time}, {where}", f"{what} for {who} in the {where}, {day} at {time}"))
    return _task(ask, given, f"Dear {who}, you are invited to {what} on {day} at {time} in the {where}.")


def thank_you(rng: Random) -> Task:
    """A thank-you note."""
    who, item, relative = names.first_name(rng), rng.choice(ITEMS), rng.choice(RELATIVES)
    thing = f"{rng.choice(COLOURS)} {item}"
    ask = rng.choice(("Write a thank-you note.", "Say thank you.", "Write a short note of thanks."))
    return _task(ask, f"{who}, my {relative}, gave me a {thing}.".replace("  ", " "),
                 f"Dear {who}, thank you for the {thing}. It is a lovely present!")  # fmt: skip


def polite(rng: Random) -> Task:
    """A polite version of a blunt request."""
    verb, rest = rng.choice(
        (("send", "me the {i}"), ("bring", "the {i} to the {v}"), ("repair", "the {i} by {d}"), ("call", "{n} on {d}"),
         ("open", "the {v} on {d}"), ("move", "the {i} to {n}"), ("show", "{n} the {i}"),
         ("clean", "the {v} before {d}"))
    )  # fmt: skip
    rest = rest.format(i=rng.choice(ITEMS), v=rng.choice(VENUES), d=rng.choice(DAYS), n=names.first_name(rng))
    ask = rng.choice(("Make this polite.", "Say it more politely.", "Rewrite this as a polite request."))
    return _task(ask, f"{capital(verb)} {rest}!", f"Could you please {verb} {rest}?")


def bullets(rng: Random) -> Task:
    """A list from a sentence."""
    things = rng.sample(ITEMS + FOODS, rng.randint(3, 5))
    start = rng.choice(("We need", "Please buy", "They brought", "On the table there are", "The shop sells"))
    ask = rng.choice(("Make a list.", "Turn this into bullet points.", "List the things, one on each line."))
    return _task(ask, f"{start} {listing(things)}.", "\n".join(f"* {thing}" for thing in things))


def count_things(rng: Random) -> Task:
    """How many things a list has."""
    things = rng.sample(ITEMS, rng.randint(2, 6))
    ask = rng.choice(("How many things are in the list?", "Count the things."))
    return _task(ask, ", ".join(things), f"There are {number(rng, len(things), 1.0)} things in the list.")


def odd_one_out(rng: Random) -> Task:
    """Which word does not belong."""
    kind, other = rng.sample(sorted(KINDS), 2)
    odd = rng.choice(KINDS[other])
    words = [*rng.sample(KINDS[kind], 3), odd]
    rng.shuffle(words)
    ask = rng.choice(("Which word does not belong?", "Find the odd one out."))
    return _task(ask, ", ".join(words), f"{capital(odd)} does not belong, because it is {article(other)}.")


def opposite(rng: Random) -> Task:
    """The opposite, used in a sentence."""
    one, other = rng.choice(OPPOSITES)
    item = rng.choice(ITEMS)
    ask = rng.choice(("Say the opposite.", "Turn this into its opposite."))
    return _task(ask, f"The {item} is {one}.", f"The {item} is {other}.")


def advertise(rng: Random) -> Task:
    """One line of advertising."""
    item, colour, town = rng.choice(ITEMS), rng.choice(COLOURS), names.town(rng)
    ask = rng.choice(
        (f"Write an advertisement for a {item}.", f"Advertise our {item}.", f"Write a slogan for a {item}.")
    )
    reply = f"Now in {town}: the {item} in {colour}. Come and try it today!"
    return _task(articles(ask), f"colour: {colour}; shop: {town}", reply)


def introduce(rng: Random) -> Task:
    """An introduction of a new colleague."""
    who, work, town = names.person(rng), rng.choice(JOBS), names.town(rng)
    ask = rng.choice(("Introduce the new colleague.", "Write a line of welcome for the team."))
    return _task(ask, f"name: {who}; job: {work}; from: {town}",
                 f"Please welcome {who} from {town}, our new {work}!")  # fmt: skip


def without_input(rng: Random) -> Task:
    """A question that needs no further text."""
    item, kind = rng.choice(ITEMS), rng.choice(sorted(KINDS))
    first, second, third = rng.sample(KINDS[kind], 3)
    return rng.choice(
        (
            _task(f"Give me three examples of {article(kind)}.", "", f"For example: {first}, {second} and {third}."),
            _task(
                f"How do I return {article(item)}?",
                "",
                f"Put the {item} in its box and bring it to our shop with the bill.",
            ),
            _task(f"Do you sell {plural(item)}?", "", f"Yes, we sell {plural(item)}. Shall I reserve one for you?"),
            _task(f"Where is my {item}?", "", f"Please tell me your order number, and I will look for the {item}."),
            _task(f"My {item} does not work.", "", f"I am sorry about the {item}. We can repair or replace it."),
        )
    )


TASKS: tuple[Callable[[Random], Task], ...] = (
    answer_customer, confirm_order, label, subject_line, invitation, thank_you, polite, bullets, count_things,
    odd_one_out, opposite, advertise, introduce, without_input,
)  # fmt: skip


def task(rng: Random) -> Task:
    """A random task in the alpaca layout: instruction, input (may be empty), output."""
    return rng.choice(TASKS)(rng)


def dialogue(rng: Random) -> list[dict[str, str]]:
    """A conversation with the shop's assistant: an order or a complaint in several turns."""
    who, town, item = names.first_name(rng), names.town(rng), rng.choice(ITEMS)
    count, day = rng.randint(2, 12), weekday(rng)
    wanted = f"{count} {plural(item)}"
    order = [
        (f"I would like {wanted}.", f"With pleasure: {wanted}. Where shall we send them?"),
        (rng.choice((f"To {town}, please.", f"My shop is in {town}.")), f"To {town}. On which day do you need them?"),
        (rng.choice((f"On {day}.", f"{day}, please.")), f"On {day}. And what is your name?"),
        (rng.choice((f"{who}.", f"I am {who}.")), f"Thank you, {who}: {wanted} to {town} on {day}. Is that right?"),
        (rng.choice(("Yes.", "That is right.", "Yes, thank you.")), f"Your order is booked, {who}."),
    ]
    said, tone, thing = phrases.phrase(rng)
    complaint = [
        (f"{said} My name is {who}.", SORRY[tone].format(n=who, i=thing)),
        ("Where is your shop?", f"Our shop is in {town}, {who}. We are open until six."),
        (f"I will come on {day}.", f"See you on {day} in {town}, {who}. Please bring the {thing}."),
    ]
    turns = order[: rng.randint(3, 5)] if rng.random() < 0.6 else complaint[: rng.randint(2, 3)]
    messages = [{"role": "system", "content": "You are the assistant of a small shop."}] if rng.random() < 0.4 else []
    for asked, reply in turns:
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": reply}]
    return messages
