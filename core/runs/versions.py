"""What a file holds, made once for each version of it: its inode, size and time of change say which version it is."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

Version = tuple[int, int, int] | None  # inode, bytes, time of change in nanoseconds; None: there is no such file
SETTLED_NS = 100_000_000  # a file may change twice within one tick of its file system's clock


def version(path: str | os.PathLike[str]) -> Version:
    """The version of a file or folder that is there now, for the price of one stat."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # ValueError: a path that no file system takes
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def settled(*versions: Version) -> bool:
    """Whether these versions can be relied on: what was written a moment ago may be written again and look the same."""
    now = time.time_ns()
    return not any(v is not None and 0 <= now - v[2] < SETTLED_NS for v in versions)


class OfVersion(Generic[T]):
    """The last `most` results by name, each with the versions of the files that it was made of."""

    def __init__(self, most: int) -> None:
        self.most, self._lock = most, threading.Lock()
        self._made: OrderedDict[str, tuple[tuple[Version, ...], T]] = OrderedDict()

    def get(self, name: str, versions: tuple[Version, ...], make: Callable[[], T]) -> T:
        """What was made for these versions, or is made now. The versions are those from before it is made, so that a
        file that changes meanwhile is read again by the next call."""
        with self._lock:
            found = self._made.get(name)
            if found is not None and found[0] == versions:
                self._made.move_to_end(name)
                return found[1]
        value = make()
        self.put(name, versions, value)
        return value

    def found(self, name: str) -> tuple[tuple[Version, ...], T] | None:
        """What is remembered under a name, with the versions that it was made of."""
        with self._lock:
            return self._made.get(name)

    def put(self, name: str, versions: tuple[Version, ...], value: T) -> None:
        """Remember a result, unless one of its files was written a moment ago."""
        with self._lock:
            if settled(*versions):
                self._made[name] = (versions, value)
                self._made.move_to_end(name)
                while len(self._made) > self.most:
                    self._made.popitem(last=False)
            else:
                self._made.pop(name, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._made.clear()
