"""A JSON file read with types: what is not as it was written is Unreadable, which says what and where.

Whatever stands in a run's folder may have been cut off, edited, copied from elsewhere or replaced by something else.
Who uses what a Record gives need not look at types again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.errors import InputError
from core.runs.files import MOST_BYTES, read_bytes
from core.sentences import shown

T = TypeVar("T")


class Unreadable(InputError):
    """A file of a run that is not what was written there. The sentence names it within its run, never the whole path."""


class Record(Generic[T]):
    """How one kind of file is read.

    Args:
        kind: a type that pydantic checks; its keys need not be all, and others may be there. level: how many folders
            the file lies below the run's. also: what a type cannot say; it returns what is wrong, or "".
    """

    def __init__(self, kind: Any, level: int = 0, also: Callable[[Any], str] = lambda value: "") -> None:
        self._kind, self._level, self._also = kind, level, also

    @functools.cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self._kind)  # takes some milliseconds: made when it is first needed

    def read(self, path: Path) -> T | None:
        """What the file says; None where there is none.

        Raises:
            Unreadable: it is there, and cannot be read or says what it cannot say.
        """
        name = "/".join(path.parts[-1 - self._level :])
        try:
            data = read_bytes(path, MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            if isinstance(error, NotADirectoryError):  # nor is there the folder that it would be in
                return None
            reason = (error.strerror or str(error)).lower()
            raise Unreadable(f"{name} cannot be read: {reason}.") from None
        return self.parse(data, name)

    def parse(self, data: bytes, name: str) -> T:
        """What a file's bytes say. Raises Unreadable, which begins with the name."""
        try:
            value: T = self._adapter.validate_json(data)
        except ValidationError as error:
            raise Unreadable(f"{name} cannot be read: {_first(error)}.") from None
        if wrong := self._also(value):
            raise Unreadable(f"{name} cannot be read: {wrong}.")
        return value

    def find(self, path: Path) -> T | None:
        """The same, but None where it cannot be read: for what may be absent, or is made anew."""
        try:
            return self.read(path)
        except Unreadable:
            return None

    def damage(self, path: Path) -> str:
        """Why it cannot be read, as a sentence; "" where it can be, or is not there."""
        try:
            self.read(path)
        except Unreadable as error:
            return str(error)
        return ""


def _first(error: ValidationError) -> str:
    """What is wrong first, and where."""
    item = error.errors(include_url=False)[0]
    if item["type"] == "json_invalid":
        return f"it is no JSON ({str(item['ctx']['error'])[:80]})"
    where = ".".join(str(part)[:40] for part in item["loc"])
    words = item["msg"].removeprefix("Input ").removeprefix("Value error, ")
    said = f"{shown(item['input'])} {words[:1].lower()}{words[1:]}"
    if item["type"] == "missing":
        said = "it is missing"
    return f"{where}: {said}" if where else said
