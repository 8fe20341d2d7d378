"""What customers say, in five tones: the prose behind the data set `tone`."""

from random import Random

from . import names
from .lexicon import BAD, COLOURS, DAYS, GOOD, ITEMS, RELATIVES, ROOMS
from .text import articles, capital, code

TONES = ("angry", "disappointed", "glad", "neutral", "worried")

# {i} an item, {g} good word, {b} bad word, {n} a number, {wd} a day, {c} a town, {r} a relative, {o} a first name
SAYINGS = {
    "angry": """
This is the {n}th time I am writing to you, and nobody answers!
I want my money back, and I want it today.
How dare you send me a {b} {i} and then ignore my letters?
Your driver threw the {i} over the fence. That is outrageous.
I have had enough of your excuses about the {i}.
Never again will I order a {i} from you!
You charged me twice for one {i}, and your staff laughed at me.
Stop sending me bills for a {i} that I never ordered!
I have been on hold for {n} minutes, this is an insult.
Either the {i} is here by {wd}, or you will hear from my lawyer.
What a cheek to sell such a {b} {i} for that price!
I am furious. The {i} is {b} and your hotline hung up on me.
Are you kidding me? The {i} is {b} again!
Your shop in {c} treated my {r} like a thief.
Take back this {b} {i} at once, I will not pay a cent.
I am fed up with your {b} service.
It makes my blood boil that you still refuse to take back the {i}.
Nobody talks to my {r} like that. I demand an apology.
""",
    "disappointed": """
I had expected more from this {i}.
Sadly the {i} is not what the pictures showed.
The {i} looked so {g} in the shop, but at home it is just {b}.
What a pity, the {i} turned out to be {b}.
We had looked forward to the {i} for {n} weeks, and now this.
I thought your brand stood for quality. The {i} does not.
After all the praise I read, the {i} is a let-down.
It is a shame that the {i} is so {b}.
My {r} was sad to see how {b} the {i} is.
I wish I had kept my old {i}, it was better than this one.
The {i} does not live up to your promises.
Unfortunately the {i} is rather {b}, I had hoped for better.
Not what I was hoping for: the {i} is {b}.
I really wanted to like the {i}, but I cannot.
For {n} euros I would have thought the {i} was less {b}.
The {i} is a step back from the one I had before.
We drove all the way to {c} for it, and the {i} was not worth the trip.
""",
    "glad": """
Thank you so much, the {i} is {g}!
The {i} arrived a day early and it is {g}.
I am so happy with my new {i}.
What a {g} {i}, my {r} wants one too.
You made my day, the {i} works like a charm.
My {r} was over the moon about the {i}.
Best {i} I have ever had, and {g} service too.
Thanks to {o} from your shop in {c}, who was so kind.
I could not be happier, the {i} is simply {g}.
The {i} is even better than I had hoped.
Five stars for the {i} and for your {g} team.
I smile every time I use the {i}.
We love the {i}, it looks {g} in the {room}.
Hooray, the {i} is here and it is {g}!
Great job, the {i} was repaired in {n} minutes.
I will tell all my friends about this {g} {i}.
It was a joy to unpack the {i}.
""",
    "neutral": """
I ordered a {i} on {wd}.
Please send the {i} to my office in {c}.
The {i} came in a {col} box.
Do you also have the {i} in {col}?
My order number is {k}.
I would like to change the delivery day to {wd}.
How much does the {i} weigh?
The {i} stands in the {room}.
Is the shop in {c} open on {wd}?
I am looking for a {i} for my {r}.
The parcel was left with my {r} on {wd}.
Please note my new address in {c}.
Which size of the {i} fits in a {room}?
I need a copy of the bill for the {i}.
The manual of the {i} has {n} pages.
You can collect the old {i} on {wd} after {n}.
We bought {n} of them last year, the order was {k}.
""",
    "worried": """
I have not heard anything about the {i}, is everything all right?
I am afraid that the {i} may have got lost.
Will the {i} really be here by {wd}? It is a present for my {r}.
The {i} gets very hot, could that be dangerous?
I hope nothing has happened to the parcel with the {i}.
I cannot sleep because I do not know whether you got my payment.
Is it safe to leave the {i} on overnight?
It has been {n} days, and I fear the {i} will not come in time.
There is a strange smell from the {i} and I do not dare to use it.
Did somebody get hold of my card number? There is a payment in {c} that I do not know.
My {r} might hurt himself with the {i}, what should I do?
I am nervous about the delivery, the {i} breaks so easily.
Please tell me that the {i} has not been stolen.
What if the {i} does not arrive before we move to {c}?
I am not sure whether the {i} will survive the journey, and that scares me.
The {i} makes a sound that alarms me.
Could it be that my order {k} was forgotten? I am getting uneasy.
""",
}
SAYINGS_BY_TONE = {tone: text.strip().splitlines() for tone, text in SAYINGS.items()}

# True of any tone: where, when, what.
CONTEXT = """
I bought it in {c}.
It was delivered on {wd}.
The order number is {k}.
It is for my {r}.
My {r} has the same one.
I ordered it {n} days ago.
It stands in the {room}.
I live in {c}.
{o} took my order.
The colour is {col}.
It cost {p} euros.
I paid by card.
""".strip().splitlines()

# How somebody else would report the tone, in words that are not the labels of the data set.
REPORTED = {
    "angry": ("furious", "outraged", "out of patience"),
    "disappointed": ("let down", "sad", "not impressed"),
    "glad": ("happy", "full of praise", "delighted"),
    "neutral": ("calm", "relaxed", "matter-of-fact"),
    "worried": ("anxious", "uneasy", "concerned"),
}
RATING = {"angry": 1, "disappointed": 2, "worried": 3, "neutral": 3, "glad": 5}


def _fill(rng: Random, template: str, item: str) -> str:
    return template.format(
        i=item, g=rng.choice(GOOD), b=rng.choice(BAD), n=rng.randint(4, 60), wd=rng.choice(DAYS),
        c=names.town(rng, 0.3), r=rng.choice(RELATIVES), o=names.first_name(rng, 0.3), col=rng.choice(COLOURS),
        k=code(rng), room=rng.choice(ROOMS), p=rng.randint(9, 800),
    )  # fmt: skip


def phrase(rng: Random, tone: str | None = None) -> tuple[str, str, str]:
    """A customer's words, their tone, and the item they are about."""
    tone = tone or rng.choice(TONES)
    item = rng.choice(ITEMS)
    parts = [_fill(rng, rng.choice(SAYINGS_BY_TONE[tone]), item)]
    if rng.random() < 0.25:
        second = _fill(rng, rng.choice(SAYINGS_BY_TONE[tone]), item)
        if second != parts[0]:
            parts.append(second)
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        parts.insert(rng.randint(0, len(parts)), _fill(rng, rng.choice(CONTEXT), item))
    return articles(capital(" ".join(parts))), tone, item
