"""Which way to make batches pays for some rows: the share of what is computed that is text, and the updates."""

from __future__ import annotations

from typing import NamedTuple

from core.config import RunConfig
from core.data.lengths import Lengths, Load, count_updates

GAIN = 1.1  # so many times less to compute than grouped from which on another way is worth its trouble


class Offer(NamedTuple):
    """A value of training.batching.

    Attributes:
        name: of the way. useful: share of what is computed that is text, the rest is padding.
        pays: whether it is worth choosing for these rows instead of grouped. sentence: all of that for people.
    """

    name: str
    useful: float
    pays: bool
    sentence: str


def pays(lengths: Lengths, config: RunConfig, joins: bool = True) -> list[Offer]:
    """What each way to make batches makes of the rows, grouped first.

    Args:
        lengths: of the rows to train on. config: its limit, batch size and epochs.
        joins: whether rows may share a sequence: only where the model writes, and not in prompt tuning.
    """
    names = ("grouped", "shuffled", "packed", "padding_free") if joins else ("grouped", "shuffled")
    loads = {name: lengths.load(config, batching=name) for name in names}
    grouped = loads["grouped"]
    if not grouped.rows:
        return []
    return [_offer(name, load, grouped, config) for name, load in loads.items()]


def _offer(name: str, load: Load, grouped: Load, config: RunConfig) -> Offer:
    useful, gain = 1 - load.padding, grouped.padded / load.padded
    text = f"{useful:.0%} of what is computed is text"
    if name == "grouped":
        return Offer(name, useful, True, f"Rows of like length together: {text}.")
    if name == "shuffled":
        return Offer(name, useful, False, f"Rows in random order: {text}, {_change(gain)}.")
    if name == "padding_free":
        found = f"A batch as one long row: {text}, {_change(gain)}; but every token is compared with the whole batch"
        return Offer(name, useful, False, f"{found}, which costs more than it saves without a kernel made for it.")
    updates, before = count_updates(load.sequences, config), count_updates(grouped.sequences, config)
    size = load.fullest[0]
    found = (
        f"Rows end to end: {text}, {_change(gain)}. A batch of {size} holds about {load.rows / load.batches:,.0f} rows"
    )
    found += "." if updates == before else f", so there are {updates:,} updates instead of {before:,}."
    return Offer(name, useful, gain >= GAIN, found)


def _change(gain: float) -> str:
    """How much there is to compute beside grouped."""
    if gain >= 1.005:
        return f"{1 - 1 / gain:.0%} less to compute than grouped"
    return f"{1 / gain:.2g} times as much to compute as grouped" if gain < 0.95 else "as much to compute as grouped"
