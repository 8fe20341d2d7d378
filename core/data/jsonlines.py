"""JSON Lines, in blocks of whole lines: by Arrow's own reader where all is plain, line by line where it is not."""

from __future__ import annotations

import codecs
import io
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.json as pj

from core.data.parsers import LONGEST, fail, is_list_line, parse, read_json, what
from core.data.tables import STEP, TEXT, Collector, Table

BLOCK = 8 << 20
THREADS = 2  # Arrow's reader does not hold up Python
TRIES = 3  # blocks in a row that Arrow's reader could not take, after which it is not asked again
_LONG_NUMBER = re.compile(rb"\d{19}")
Columns = tuple[dict[str, pa.Array], list[str]]  # and which of them are JSON
_PLAIN = {str: TEXT, int: pa.int64(), bool: pa.bool_(), type(None): TEXT}


def read_jsonl(text: io.TextIOWrapper, name: str) -> Table:
    """One object a line; blank lines are passed over."""
    head = ""
    while not head.strip() and (more := text.read(1 << 12)):
        head = more
    if not head.strip():
        fail(f"{name} holds nothing but white space.")
    if head.lstrip().startswith("["):
        rest = "" if "\n" in head.lstrip() else text.readline(1 << 20)
        if not is_list_line((head.lstrip() + rest).splitlines()[0].strip()):
            text.seek(0)
            table = read_json(text, name)
            table.notes.append("The file holds one JSON array; it was read as JSON.")
            return table
    text.seek(0)
    collector, tries = Collector(), 0
    waiting: deque[tuple[int, bytes, Future[Columns | None] | None]] = deque()

    def settle() -> None:
        nonlocal tries
        first, block, future = waiting.popleft()
        made = future.result() if future else None
        if made is None or not _fits(made, collector):
            tries += 1
            _by_lines(block, first, name, collector)
        else:
            tries = 0
            collector.add_columns(*made)

    with ThreadPoolExecutor(THREADS) as pool:
        for first, block in _blocks(text, name):
            ask = tries < TRIES
            known = [key for key in collector.names if key not in collector.as_json]
            waiting.append((first, block, pool.submit(_at_once, block, known) if ask else None))
            if len(waiting) > (THREADS if ask else 0):
                settle()
        while waiting:
            settle()
    return collector.finish()


def _fits(made: Columns, collector: Collector) -> bool:
    """Whether the columns are of the same kind as those before: text, or JSON."""
    columns, as_json = made
    return all((key in as_json) == (key in collector.as_json) for key in columns if key in collector.names)


def _blocks(text: io.TextIOWrapper, name: str) -> Iterator[tuple[int, bytes]]:
    r"""Blocks of whole lines in UTF-8, each line ending in \n, with the number of the first line of each."""
    source: Any = text.buffer  # what is not decoded need not be encoded again
    if text.encoding.lower() in ("utf-8", "utf-8-sig"):
        source.seek(len(codecs.BOM_UTF8) if text.encoding.lower() == "utf-8-sig" else 0)
        read, rest = source.read, source.readline
    else:
        read, rest = (lambda size: text.read(size).encode("utf-8")), (lambda size: text.readline(size).encode("utf-8"))
    line, carry = 1, b""
    while carry or (carry := read(BLOCK)):
        block = carry if carry.endswith(b"\n") else carry + rest(LONGEST)
        if b"\r" in block:
            block += read(1) if block.endswith(b"\r") else b""
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        carry = read(BLOCK)
        if not block.endswith(b"\n"):
            head, mark, tail = block.rpartition(b"\n") if carry else (block, b"\n", b"")
            if len(tail) > LONGEST:
                line += head.count(b"\n") + len(mark)
                fail(f"{name}, line {line}: this line has more than {LONGEST >> 20} MB, which no row should.")
            block, carry = head + mark, tail + carry
        if block:
            yield line, block
            line += block.count(b"\n")


def _at_once(block: bytes, known: list[str]) -> Columns | None:
    """The columns of a block by Arrow's reader; None where there is anything but one flat object a line.

    It takes no word for it: each line begins and ends with a brace and there are as many rows as lines, no column has
    a value of another type, no name that is not known and none twice, and the text is UTF-8.
    """
    if not block.startswith(b"{") or not block.endswith(b"}\n"):
        return None
    signs = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(signs == ord("\n"))
    if (signs[ends - 1] != ord("}")).any() or (signs[ends[:-1] + 1] != ord("{")).any():
        return None
    try:
        first = orjson.loads(block[: ends[0]])
    except ValueError:
        return None
    types = {key: _PLAIN.get(type(value)) for key, value in first.items()}
    if not types or None in types.values():
        return None
    schema = pa.schema(list((dict.fromkeys(known, TEXT) | types).items()))
    try:
        table = pj.read_json(
            pa.py_buffer(block),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        )
        table.validate(full=True)
    except (pa.ArrowException, UnicodeError):
        return None
    if table.num_rows != len(ends):
        return None
    table = table if all(column.num_chunks == 1 for column in table.columns) else table.combine_chunks()
    made = {key: table.column(key).chunk(0) for key in types | dict.fromkeys(known)}
    as_json = [key for key, values in made.items() if values.type != TEXT]
    return {key: values.cast(TEXT) for key, values in made.items()}, as_json


def _by_lines(block: bytes, number: int, name: str, collector: Collector) -> None:
    loads = orjson.loads
    lines = block.split(b"\n")[:-1]
    long_numbers = may_hold_long_numbers(block)
    for start in range(0, len(lines), STEP):
        some = lines[start : start + STEP]
        size = sum(map(len, some))
        plain = True
        try:
            if long_numbers and _LONG_NUMBER.search(b"\n".join(some)):
                raise ValueError
            rows = list(map(loads, some))
        except ValueError:
            plain, rows = False, []
            if 0 in block:
                line = number + block[: block.index(0)].count(b"\n")
                fail(f"{name}, line {line}: there is a NUL byte, which no text has. The file may be damaged.")
            for at, given in enumerate(some, number + start):
                words = given.decode("utf-8").strip()
                rows.append(parse(words, f"{name}, line {at}") if words else None)
        if not {dict}.issuperset(map(type, rows)):
            kept = []
            for at, (row, given) in enumerate(zip(rows, some, strict=True), number + start):
                if isinstance(row, dict):
                    kept.append(row)
                elif row is not None or given.strip():
                    fail(f"{name}, line {at}: this is {what(row)}, not an object with named values.")
            rows = kept
        if rows:
            collector.add(rows, size, plain)


def may_hold_long_numbers(block: bytes) -> bool:
    """Whether there are 19 digits in a row: a whole number that orjson may round."""
    signs = np.frombuffer(block, np.uint8)
    some = signs[::6] - np.uint8(48) < 10
    if not (some[:-2] & some[1:-1] & some[2:]).any():  # each sixth tells that of most texts
        return False
    run = signs - np.uint8(48) < 10
    for step in (1, 2, 4, 8, 3):  # runs of 2, 4, 8, 16, 19
        run = run[:-step] & run[step:]
    return bool(run.any())
