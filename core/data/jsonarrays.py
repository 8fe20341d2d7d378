"""A large JSON array, alone or inside an object, read piece by piece: only the objects at hand are in memory."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import orjson

from core.data.json_words import words
from core.data.jsonlines import BLOCK, may_hold_long_numbers
from core.data.lists import HEADERS, as_rows, split_named, wanted
from core.data.parsers import LONGEST, fail, what
from core.data.tables import STEP, Collector, Table, weight

_SPACE = re.compile(r"[ \t\n\r]*")
_BEFORE = re.compile(r"\}[ \t\n\r]*,[ \t\n\r]*\{[ \t\n\r]*$")
_NEEDED = "an array of objects is needed, [{...}, {...}]"


class _Text:
    """A window of the text that moves on."""

    def __init__(self, text: io.TextIOWrapper, name: str) -> None:
        self.text, self.name = text, name
        self.window, self.at, self.ended = "", 0, False
        self.line, self.column = 1, 0  # where the window begins
        self.decode = json.JSONDecoder().raw_decode

    def more(self) -> bool:
        """Bring in more text, and let go of what was read."""
        if self.ended:
            return False
        gone = self.window[: self.at]
        self.line += gone.count("\n")
        self.column = len(gone) - gone.rfind("\n") - 1 if "\n" in gone else self.column + len(gone)
        new = self.text.read(max(BLOCK // 2, len(self.window) - self.at))
        self.window, self.at, self.ended = self.window[self.at :] + new, 0, not new
        if len(self.window) > LONGEST:
            fail(f"{self.name}, line {self.line}: one value has more than {LONGEST >> 20} MB, which no row should.")
        return not self.ended

    def peek(self) -> str:
        """The next character that is no white space; "" at the end."""
        while True:
            found = _SPACE.match(self.window, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.window) or not self.more():
                return self.window[self.at : self.at + 1]

    def take(self, character: str, message: str) -> None:
        """Pass over a character that must be here."""
        if self.peek() != character:
            self.wrong(json.JSONDecodeError(message, self.window, self.at))
        self.at += 1

    def value(self) -> Any:
        """The value that begins here."""
        self.peek()
        while True:
            try:
                value, end = self.decode(self.window, self.at)
            except json.JSONDecodeError as error:
                cut = error.pos >= len(self.window) - 16 or error.msg.startswith("Unterminated string")
                if cut and self.more():
                    continue
                self.wrong(error)
            except RecursionError:
                fail(f"{self.name}: lists or objects are nested too deeply to be read.")
            except ValueError:
                fail(
                    f"{self.name}: there is a number of more than {sys.get_int_max_str_digits():,} digits; "
                    "write it as text, in quotes."
                )
            if end == len(self.window) and self.more():  # a number may go on
                continue
            self.at = end
            return value

    def wrong(self, error: json.JSONDecodeError) -> None:
        """What is not JSON, with its line."""
        before = self.window[: error.pos]
        line = self.line + before.count("\n")
        column = len(before) - before.rfind("\n") if "\n" in before else self.column + len(before) + 1
        fail(f"{self.name}, line {line}: this is not JSON: {words(error)} (character {column}).")

    def chunk(self, key: str) -> tuple[list[Any], int] | None:
        """The objects up to the last place in the window where one that begins with `key` follows another."""
        at = len(self.window)
        for _ in range(3):
            at = self.window.rfind(key, self.at, at)
            if at < 0:
                return None
            before = _BEFORE.search(self.window, max(self.at, at - 200), at)
            if before is None:
                continue
            text = self.window[self.at : before.start() + 1].encode("utf-8")
            try:
                if may_hold_long_numbers(text) and re.search(rb"\d{19}", text):
                    return None
                found = orjson.loads(b"[" + text + b"]")
            except ValueError:  # the place is inside a text, or inside a list of an object
                continue
            self.at = self.window.index(",", before.start() + 1) + 1
            return found, len(text)
        return None


def read_large(text: io.TextIOWrapper, name: str, part: str | None = None) -> Table:
    """An array of objects, or an object that holds one or several of them, of any size: see `parsers.read_json`."""
    source, collector = _Text(text, name), Collector()
    first = source.peek()
    if first == "[":
        for rows, size, plain in _items(source, f"{name}: row {{}} of the array"):
            collector.add(rows, size, plain)
        table = collector.finish()
    elif first == "{":
        table = _inside(source, name, part)
    else:
        fail(f"{name} holds {what(source.value())}: {_NEEDED}.")
    if source.peek():
        source.wrong(json.JSONDecodeError("Extra data", source.window, source.at))
    return table


def _inside(source: _Text, name: str, part: str | None) -> Table:
    """The rows of one list that an object holds: the one that is asked for, that to train on, or the only one."""
    tables: dict[str, Table] = {}  # the list that is read, or the first until that to train on was found
    lists, empty, header = list[str](), list[str](), None
    source.at += 1
    while source.peek() != "}":
        if source.peek() != '"':
            source.wrong(
                json.JSONDecodeError("Expecting property name enclosed in double quotes", source.window, source.at)
            )
        key = source.value()
        source.take(":", "Expecting ':' delimiter")
        kind = _begins_with(source) if source.peek() == "[" else ""
        if kind == "{" or (kind == "[" and (header or split_named(key))):
            lists.append(key)
            collector = Collector()
            to_train_on = split_named(key) == "train" and not any(split_named(k) == "train" for k in tables)
            reading = (not tables or to_train_on) if part is None else (not tables and _is(key, part)) or key == part
            found = _items(source, f"{name}: row {{}} of {key!r}") if kind == "{" else _lists(source, header, key)
            for rows, size, plain in found:
                if reading:
                    collector.add(rows, size, plain)
            if reading:
                tables = {key: collector.finish()}
        else:
            value = source.value()
            empty += [key] if value == [] else []
            header = value if key in HEADERS and isinstance(value, list) else header
        if source.peek() != "}":
            source.take(",", "Expecting ',' delimiter")
    source.at += 1
    if not lists:
        fail(f"{name} holds one object without a list of rows: {_NEEDED}.")
    found_name, notes = wanted(lists, part, name, empty)
    table = tables[found_name]
    table.notes, table.lists = [*table.notes, *notes], tuple(lists)
    return table


def _is(key: str, part: str) -> bool:
    """Whether a list is the one that is asked for, by its name or its split's."""
    return key == part or (split_named(key) is not None and split_named(key) == split_named(part))


def _begins_with(source: _Text) -> str:
    """The first character of the array that begins here."""
    while True:
        found = _SPACE.match(source.window, source.at + 1)
        end = found.end() if found else source.at + 1
        if end < len(source.window) or not source.more():
            return source.window[end : end + 1]


def _lists(source: _Text, header: list[str] | None, key: str) -> Iterator[tuple[list[Any], int, bool]]:
    """The lists of plain values of an array as rows, one at a time."""

    def values() -> Iterator[Any]:
        source.at += 1
        while source.peek() != "]":
            yield source.value()
            if source.peek() != "]":
                source.take(",", "Expecting ',' delimiter")
        source.at += 1

    for row in as_rows(values(), header, key):
        yield [row], sum(map(weight, row.values())), False


def _items(source: _Text, where: str) -> Iterator[tuple[list[Any], int, bool]]:
    """The objects of an array, a few at a time, with their size and whether orjson has read them."""
    source.at += 1
    key, number, slow_until = "", 0, 0
    while source.peek() != "]":
        if key and source.at >= slow_until:
            if len(source.window) - source.at < BLOCK // 4:
                source.more()
                slow_until = 0
            found = source.chunk(key)
            if found is not None:
                rows, size = found
                for start in range(0, len(rows), STEP):
                    some = rows[start : start + STEP]
                    _check(some, number + start, where)
                    yield some, size * len(some) // len(rows), True
                number += len(rows)
                continue
            slow_until = len(source.window) if source.ended else max(source.at, len(source.window) - BLOCK // 4)
        begin = source.at
        row = source.value()
        _check([row], number, where)
        key = key or (json.dumps(next(iter(row)), ensure_ascii=False) if row else "")
        number += 1
        yield [row], max(0, source.at - begin), False
        if source.peek() != "]":
            source.take(",", "Expecting ',' delimiter")
            if source.peek() == "]":
                source.wrong(
                    json.JSONDecodeError("Illegal trailing comma before end of array", source.window, source.at)
                )
    source.at += 1


def _check(rows: list[Any], before: int, where: str) -> None:
    for number, row in enumerate(rows, before):
        if not isinstance(row, dict):
            fail(f"{where.format(number)} is {what(row)}, not an object with named values.")
