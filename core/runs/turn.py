"""Whose turn it is: trainings, evaluations and exports that the page starts run one at a time, first come first served.

Whoever starts one draws a ticket: a numbered file in the folder of runs that names its process. The process waits by
itself, before it imports anything large, until no more tickets of living processes are ahead of its own than may run at
once (TUNESMITH_JOBS, or 1). Nobody hands out turns, so it goes on without the server, and past one that was killed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.errors import InputError
from core.paths import runs_dir
from core.runs.files import locked, read_json, write_json
from core.runs.state import StateFile, alive

FOLDER = ".turn"
TICKET = "TUNESMITH_TICKET"  # the number of its ticket, in the environment of a process that has to wait
JOBS = "TUNESMITH_JOBS"
LOOK_S = 0.5
BEAT_S = 10.0  # between two signs of life of one that waits


@dataclass(frozen=True)
class Ticket:
    """One that waits or has its turn.

    Attributes:
        path: of its file; in the order of their numbers it is their turn. pid, created: of its process; until that is
            there, of the one that starts it. starter: the id of the visitor. state: its state.json, or "".
    """

    path: Path
    pid: int
    created: float | None
    starter: str
    state: str

    @property
    def number(self) -> int:
        """Its place in the order of all tickets that were drawn."""
        return int(self.path.stem)

    def write(self) -> None:
        """Put it where it lies. Raises OSError."""
        values = {"pid": self.pid, "created": self.created, "starter": self.starter, "state": self.state}
        write_json(self.path, values)

    def give_back(self) -> None:
        """The end: whoever is next goes on."""
        self.path.unlink(missing_ok=True)


def at_once() -> int:
    """How many may run at once: TUNESMITH_JOBS, or 1."""
    said = os.environ.get(JOBS, "").strip()
    return max(1, int(said)) if said.isascii() and said.isdigit() and len(said) < 6 else 1


def line() -> list[Ticket]:
    """All that run or wait, first those whose turn it is; what dead ones have left behind is removed."""
    found = []
    for path in sorted((runs_dir() / FOLDER).glob("[0-9]*.json")):
        ticket = _read(path)
        if ticket is not None and alive(ticket.pid, ticket.created):
            found.append(ticket)
        else:
            with contextlib.suppress(OSError):  # a folder that can only be read: it counts for nothing all the same
                path.unlink()
    return found


def draw(starter: str = "", state: Path | None = None, allowed: Callable[[Sequence[Ticket]], None] | None = None) -> Ticket:
    """Draw a ticket for a process that is about to be started, with `hand_over` when it is there.

    Args:
        starter: the id of the visitor. state: the job's state.json, if it has one.
        allowed: raises InputError where, of these tickets, there may be no further one. Nobody else draws meanwhile.

    Raises:
        InputError: that of `allowed`; the folder of runs cannot be written into.
    """
    folder = runs_dir() / FOLDER
    try:
        with locked(folder / "lock", wait=True):
            there = line()
            if allowed is not None:
                allowed(there)
            me = psutil.Process()
            before = (read_json(folder / "last") or {}).get("number")
            number = max(there[-1].number if there else 0, before if isinstance(before, int) else 0) + 1
            write_json(folder / "last", {"number": number})  # none is drawn twice: a late look would remove the second
            path = folder / f"{number:09d}.json"
            ticket = Ticket(path, me.pid, me.create_time(), starter, str(state or ""))
            ticket.write()
            return ticket
    except OSError as error:
        raise InputError(f"Nothing can be started from {folder.parent}: {error.strerror or error}.") from None


def hand_over(ticket: Ticket, pid: int, created: float | None) -> None:
    """The process that waits with this ticket is there."""
    Ticket(ticket.path, pid, created, ticket.starter, ticket.state).write()


def ahead(ticket: Ticket) -> int:
    """How many that run or wait are before this one."""
    return sum(other.number < ticket.number for other in line())


def words(count: int) -> str:
    """How long one waits, in words."""
    return f"Waiting for its turn: {count:,} ahead"


@contextlib.contextmanager
def my_turn() -> Iterator[bool]:
    """The block runs when it is this process's turn, and when the block has ended it is the next one's.

    False: it shall not run, for it was stopped while it waited. A process without a ticket does not wait.
    """
    number = os.environ.pop(TICKET, "")  # not for processes of its own
    if not number.isdigit():
        yield True
        return
    path, me = runs_dir() / FOLDER / f"{int(number):09d}.json", psutil.Process()
    drawn = _read(path)
    starter, state = (drawn.starter, drawn.state) if drawn else ("", "")
    ticket = Ticket(path, me.pid, me.create_time(), starter, state)
    try:
        ticket.write()
        yield _wait(ticket)
    finally:
        ticket.give_back()


def _wait(ticket: Ticket) -> bool:
    """Until it is this one's turn; False: it was stopped, or what it was to work on is gone."""
    file = StateFile(ticket.state) if ticket.state else None
    said, beat = -1, 0.0
    while (count := ahead(ticket)) >= at_once():
        if file is not None:
            if file.stop_file.exists() or not file.path.exists():
                return False
            if count != said or time.monotonic() - beat > BEAT_S:
                file.wait(words(count))
                said, beat = count, time.monotonic()
        if not ticket.path.exists():
            ticket.write()
        time.sleep(LOOK_S)
    return file is None or not file.stop_file.exists()


def _read(path: Path) -> Ticket | None:
    """A ticket, or None where it is gone or is none."""
    values = read_json(path) or {}
    pid, created = values.get("pid"), values.get("created")
    if type(pid) is not int or pid <= 0 or not path.stem.isdigit():
        return None
    started = float(created) if isinstance(created, (int, float)) else None
    return Ticket(path, pid, started, str(values.get("starter") or ""), str(values.get("state") or ""))
