"""Remember the last few results of something slow, by all that they follow from."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """The last `most` results. Two threads that ask for one key at once wait for one making; other keys do not wait."""

    def __init__(self, most: int) -> None:
        self.most, self._made, self._lock = most, OrderedDict[Hashable, T](), threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def has(self, key: Hashable) -> bool:
        """Whether something is remembered for this key."""
        with self._lock:
            return key in self._made

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made for this key, or is made now; an error is raised and not remembered."""
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
            turn = self._making.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._made:
                    return self._made[key]
            try:
                value = make()
            finally:
                with self._lock:
                    self._making.pop(key, None)
            with self._lock:
                self._made[key] = value
                while len(self._made) > self.most:
                    self._made.popitem(last=False)
            return value
