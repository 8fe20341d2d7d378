"""events.jsonl: one JSON object a line, appended by the one process that works, read by anybody at any time."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from pydantic import TypeAdapter, ValidationError

from core.runs import records
from core.runs.files import open_file, open_log, plain
from core.runs.masking import mask
from core.runs.typed import Unreadable

RESOURCES_S = 5.0
MOST_OF_A_LINE = 4 * 2**20  # bytes of events.jsonl; sample answers of many rows have some 100 kB
AT_A_TIME = 1 << 18  # bytes of it that are read at once

Event = dict[str, Any]


class EventLog:
    """Appends events. A line is one write, so a reader sees it whole or not yet; a number that is not finite is null.

    Raises OSError when the disk is full: the work must not go on unseen.

    Attributes:
        follower: told of each event once it is written, or None.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.follower: Callable[[Event], None] | None = None
        self._lock = threading.Lock()
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._measured = time.monotonic()
        self._step = 0
        self._file = open_log(path)
        with open_file(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            if file.read() not in (b"", b"\n"):
                self._file.write(b"\n")  # a killed process left half a line: the next one starts afresh

    def add(self, kind: str, step: int, **values: Any) -> None:
        """Append one event with the time now, in seconds since 1970."""
        self._step = step
        event = {"t": round(time.time(), 3), "step": step, "kind": kind, **plain(values)}
        line = mask(json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))) + "\n"
        with self._lock:
            self._file.write(line.encode("utf-8", "replace"))
        if self.follower is not None:
            self.follower(event)

    def beat(self) -> None:
        """Append what this process uses, every few seconds; for `StateFile.working(on_beat=...)`."""
        if time.monotonic() - self._measured < RESOURCES_S:
            return
        self._measured = time.monotonic()
        with self._process.oneshot():
            used, cpu = self._process.memory_info().rss, self._process.cpu_percent()
        total = psutil.virtual_memory().total
        self.add("resources", self._step, memory_bytes=used, memory_total=total, cpu_percent=cpu)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path, since_byte: int = 0) -> Iterator[tuple[list[Event], int]]:
    """The events after a byte, some hundred at a time, each time with the byte that the next reading begins at.

    A line that is still being written is left for the next reading; one that is broken for good, or that says what no
    event says, is passed over. A file that is shorter than `since_byte` was written anew, and is read from its beginning.
    Where it cannot be read nothing comes.
    """
    lines, held = list[bytes](), 0
    try:
        with open_file(path) as file:
            size = file.seek(0, os.SEEK_END)
            at = file.seek(since_byte if 0 <= since_byte <= size else 0)
            while line := file.readline(MOST_OF_A_LINE):
                if not line.endswith(b"\n") and len(line) < MOST_OF_A_LINE:
                    break
                lines.append(line)
                held += len(line)
                if held >= AT_A_TIME:
                    at += held
                    yield _events(lines), at
                    lines, held = [], 0
    except OSError:
        return
    yield _events(lines), at + held


def _events(lines: list[bytes]) -> list[Event]:
    """What the lines say; together where all of them are in order, which is twice as fast as one by one."""
    found: list[Event] = []
    with contextlib.suppress(ValidationError):
        found = _many().validate_json(b"[" + b",".join(lines) + b"]")
    if len(found) == len(lines):
        return found
    found = []
    for line in lines:
        with contextlib.suppress(Unreadable):
            found.append(records.EVENT.parse(line, "events.jsonl"))
    return found


@functools.cache
def _many() -> TypeAdapter[list[Event]]:
    many: Any = list[records.Event]
    return TypeAdapter(many)
