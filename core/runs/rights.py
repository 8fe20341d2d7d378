"""Who may change a run: whoever started it, and the owner of the page; everybody may look at it.

Who started a run lies in its folder, written by the server when the run is made. A run without that (made on the command
line, or before there was a difference) is the owner's. The id of a visitor is no secret: it proves nothing without the
signature of their cookie (core.visitors).
"""

from __future__ import annotations

from core.errors import InputError
from core.models.hub_access import asker
from core.runs.files import read_json, write_json
from core.runs.store import Run, list_runs
from core.visitors import Visitor

FILE = "starter.json"


def sign(run: Run, visitor: Visitor) -> None:
    """Write down that this visitor started a run; an owner's need no mark. Raises OSError."""
    if not visitor.owner:
        write_json(run.dir / FILE, {"visitor": visitor.id})


def starter(run: Run) -> str:
    """The id of whoever started a run; "" for the owner."""
    return str((read_json(run.dir / FILE) or {}).get("visitor") or "")


def may(run: Run, visitor: Visitor | None) -> bool:
    """Whether this visitor may stop, resume, delete, rename, evaluate, export and send a run; nobody named: see `asker`."""
    who = asker(visitor)
    return who.owner or who.owns(starter(run))


def refuse_others(run: Run, visitor: Visitor | None, what: str) -> None:
    """InputError unless the visitor may change this run; what: is to be done, as "deleted"."""
    if not may(run, visitor):
        raise InputError(
            f"The run {run.id} is not {what}: somebody else started it, and only they and the owner of this page may "
            "change it. Start a run of your own; its settings can be copied."
        )


def refuse_nobody(visitor: Visitor | None) -> Visitor:
    """Who wants to start something; InputError where it is not known who that is."""
    who = asker(visitor)
    if not who.owner and not who.id:
        raise InputError(
            "This page is open to everybody and knows by a cookie who started what, and none came with this request: "
            "allow cookies for this page, and load it again."
        )
    return who


def runs_of(visitor: Visitor) -> list[Run]:
    """The runs that this visitor started, the newest first."""
    return [run for run in list_runs() if starter(run) == visitor.id]
