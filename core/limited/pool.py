"""A few child processes that answer questions about somebody's model, each question within limits: see core.limited.

Whoever asks waits for a child that is free. One child is kept for short questions about models that have answered
before, and nobody has more than a share of them, so that a model which overruns its limits holds up nobody but those
who ask about new models, and these for seconds.
"""

from __future__ import annotations

import atexit
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from core.errors import InputError
from core.limited.process import MODEL, Bounds, Child, Subject

LOOK_S = 0.1  # how often whoever waits looks whether it is their turn
PAGE_IDLE_S = 1800.0  # so long a child of a page waits; one is started whenever a page is opened


class Pool:
    """Children that are started when they are needed, and ended with this process. Safe to call from threads.

    Args:
        most: children at once, at least 2.
    """

    def __init__(self, most: int = 3, bounds: Bounds | None = None) -> None:
        self.most, self.bounds = max(2, most), bounds or Bounds()
        self._free = threading.Condition()
        self._children: list[Child] = []
        self._closed = False
        self._waiting: list[_Turn] = []
        self._used: OrderedDict[str, float] = OrderedDict()  # asker -> seconds of children, which fade
        self._proven: OrderedDict[Hashable, bool] = OrderedDict()
        self._refused: OrderedDict[Hashable, tuple[float, InputError]] = OrderedDict()

    def ask(self, what: str, values: dict[str, Any], subject: Subject, asker: str = "", long: bool = False) -> Any:
        """The answer of a child.

        Args:
            what: a key of core.limited.answers.ANSWERS. values: for it. asker: who asks, "" where that is one person.
            long: whether it is about many rows.

        Raises:
            InputError: the answer is one; or it took too much, or did lately; or every child is at work for too long.
        """
        self._refuse(subject, asker, what)
        line = json.dumps({"ask": what, "values": values, "seconds": self._seconds(long)}, default=str)
        if len(line) > self.bounds.question:
            raise InputError(
                f"These rows have {len(line) / 2**20:,.0f} MB, which is too much to be looked at here (at most "
                f"{self.bounds.question / 2**20:,.0f} MB): look at a part of them.",
                "data.path",
            )
        answer: dict[str, Any] = {}
        while not answer:
            child = self._take(_Turn(asker, subject, what, not long and self.is_proven(subject)))
            began = time.monotonic()
            try:
                answer = child.answer(line, subject, self._seconds(long), self.bounds)
            finally:
                self._give_back(child, asker, time.monotonic() - began, whole=bool(answer))
        if "error" in answer:
            error = InputError(answer["error"], answer.get("field", "") or MODEL)
            if answer.get("overran"):
                self._remember(subject, asker, what, error)
            raise error
        with self._free:
            _put(self._proven, subject.mark, True, 512)
        return answer["value"]

    def is_proven(self, subject: Subject) -> bool:
        """Whether a model has answered before, or is our own."""
        with self._free:
            return subject.trusted or subject.mark in self._proven

    def warm(self) -> None:
        """Have a child wait, for the first who asks in a page; from now on they wait for long."""
        with self._free:
            self.bounds = replace(self.bounds, idle_seconds=PAGE_IDLE_S)
            self._tidy()
            if not self._children and not self._closed:
                self._children.append(Child(self.bounds))

    def close(self) -> None:
        """End all children, whatever they are doing."""
        with self._free:
            children, self._children, self._closed = self._children, [], True
        for child in children:
            child.end()

    @property
    def pids(self) -> list[int]:
        """Of the children that are there."""
        with self._free:
            return [child.process.pid for child in self._children]

    # Whose turn it is

    def _seconds(self, long: bool) -> float:
        return self.bounds.long_seconds if long else self.bounds.seconds

    def _take(self, turn: _Turn) -> Child:
        until = time.monotonic() + self.bounds.wait_seconds
        with self._free:
            self._waiting.append(turn)
            try:
                while not self._is_next(turn):
                    if time.monotonic() > until:
                        raise InputError("Too many models are being looked at just now: try again in a minute.", MODEL)
                    self._free.wait(LOOK_S)
                    self._refuse(turn.subject, turn.asker, turn.what)
                child = self._idle(turn.subject.mark)
                child.turn = turn
                return child
            finally:
                self._waiting.remove(turn)
                self._free.notify_all()

    def _is_next(self, turn: _Turn) -> bool:
        """Whether a child may be had, and by nobody who has used less of them."""
        if not self._may(turn):
            return False
        before = [other for other in self._waiting if other is not turn and self._may(other)]
        mine = (self._used.get(turn.asker, 0.0), turn.since)
        return all(mine <= (self._used.get(other.asker, 0.0), other.since) for other in before)

    def _may(self, turn: _Turn) -> bool:
        if self._closed:
            raise InputError("The page is being ended.", MODEL)
        busy = [child.turn for child in self._children if child.turn is not None]
        if len(busy) >= self.most or (turn.asker and sum(t.asker == turn.asker for t in busy) >= self.most - 1):
            return False
        return turn.quick or sum(not t.quick for t in busy) < self.most - 1

    def _idle(self, mark: Hashable) -> Child:
        """A child that is free: one that has loaded this model, else any, else a new one."""
        self._tidy()
        idle = [child for child in self._children if child.turn is None]
        for child in idle:
            if mark in child.loaded:
                return child
        if len(self._children) < self.most and (not idle or idle[0].loaded):
            idle.insert(0, Child(self.bounds))
            self._children.append(idle[0])
        return idle[0]

    def _tidy(self) -> None:
        """Without children that have ended."""
        for child in [c for c in self._children if c.turn is None and not c.alive]:
            child.end()
            self._children.remove(child)

    def _give_back(self, child: Child, asker: str, seconds: float, whole: bool) -> None:
        with self._free:
            for name in self._used:
                self._used[name] *= 0.9
            _put(self._used, asker, self._used.get(asker, 0.0) + seconds, 512)
            child.turn = None
            if not whole or not child.alive:
                child.end()
                if child in self._children:  # no longer, where the pool was closed meanwhile
                    self._children.remove(child)
                    self._children.append(Child(self.bounds))
            self._free.notify_all()

    # What overran

    def _key(self, subject: Subject, asker: str, what: str) -> Hashable:
        """What is refused: all questions about a model, to everybody; about one that has answered others, the one kind
        of question to this asker, whose rows may be at fault."""
        return (subject.mark, asker, what) if self.is_proven(subject) else subject.mark

    def _refuse(self, subject: Subject, asker: str, what: str) -> None:
        until, error = self._refused.get(self._key(subject, asker, what), (0.0, None))
        if error is not None and time.monotonic() < until:
            raise InputError(str(error), error.field)

    def _remember(self, subject: Subject, asker: str, what: str, error: InputError) -> None:
        if subject.trusted:
            return
        key, until = self._key(subject, asker, what), time.monotonic() + self.bounds.remembered_seconds
        with self._free:
            _put(self._refused, key, (until, error), 512)


def _put(kept: OrderedDict[Any, Any], key: Hashable, value: Any, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


class _Turn:
    """Somebody who waits for a child, or has one."""

    def __init__(self, asker: str, subject: Subject, what: str, quick: bool) -> None:
        self.asker, self.subject, self.what, self.quick, self.since = asker, subject, what, quick, time.monotonic()


_POOL: Pool | None = None
_LOCK = threading.Lock()


def pool() -> Pool:
    """The pool of this process; ended with it."""
    global _POOL
    with _LOCK:
        if _POOL is None:
            _POOL = Pool()
            atexit.register(_POOL.close)
        return _POOL
