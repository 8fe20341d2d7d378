"""Whether a visitor of a public page may have one more run, or one more job under way: see core.limits."""

from __future__ import annotations

from collections.abc import Sequence

from core import limits
from core.errors import InputError
from core.runs import rights
from core.runs.turn import Ticket
from core.visitors import Visitor


def refuse_more(who: Visitor, keep: bool = False) -> None:
    """InputError where a visitor's runs take all the room that they may; keep: where there may be no further run."""
    if who.owner:
        return
    mine, most, room = rights.runs_of(who), limits.of(who, "runs"), limits.of(who, "own_gb")
    if keep and most is not None and len(mine) >= most:
        raise InputError(
            f"You keep {len(mine):,} runs, and this page, which is open to everybody, keeps {most:,.0f} for each visitor: "
            "delete one under Runs first."
        )
    if room is not None and (used := sum(limits.size(run.dir) for run in mine)) >= room * limits.GB:
        raise InputError(
            f"Your runs take {used / limits.GB:,.1f} GB, and this page, which is open to everybody, keeps {room:,.0f} GB for "
            "each visitor: delete one under Runs first."
        )
    limits.refuse_disk(who)


def refuse_crowd(who: Visitor, there: Sequence[Ticket]) -> None:
    """InputError where a visitor, or all of them together, have as much under way or waiting as they may."""
    most, of_all = limits.of(who, "jobs"), limits.of(who, "waiting")
    mine = sum(ticket.starter == who.id for ticket in there)
    if most is not None and mine >= most:
        raise InputError(
            f"You have {mine:,} trainings, evaluations or exports under way or waiting, and this page, which is open to "
            f"everybody, takes {most:,.0f} of each visitor: wait until one has ended, or stop one."
        )
    if of_all is not None and len(there) >= of_all:
        raise InputError(
            f"{len(there):,} trainings, evaluations and exports are under way or waiting, and this page takes no more than "
            f"{of_all:,.0f}: come back later, or run Tunesmith on your own machine."
        )
