"""JSON Lines, in blocks of whole lines: by Arrow's own reader where all is plain, line by line where it is not."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from core.data.parsers import LONGEST, fail, is_list_line, parse, read_json, what
from core.data.tables import STEP, TEXT, Collector, Table

BLOCK = 8 << 20
TRIES = 3  # blocks in a row that Arrow's reader could not take, after which it is not asked again
_LONG_NUMBER = re.compile(rb"\d{19}")
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
    for first, block in _blocks(text, name):
        made = _at_once(block, collector) if tries < TRIES else None
        if made is None:
            tries += 1
            _by_lines(block, first, name, collector)
        else:
            tries = 0
            collector.add_columns(*made)
    return collector.finish()


def _blocks(text: io.TextIOWrapper, name: str) -> Iterator[tuple[int, bytes]]:
    r"""Blocks of whole lines in UTF-8, each line ending in \n, with the number of the first line of each."""
    pieces: list[bytes] = []
    line, size = 1, 0
    for chunk in _chunks(text):
        head, mark, tail = chunk.rpartition(b"\n")
        if mark:
            block = b"".join([*pieces, head, mark])
            yield line, block
            line += block.count(b"\n")
            pieces, size = [], 0
        pieces.append(tail)
        size += len(tail)
        if size > LONGEST:
            fail(f"{name}, line {line}: this line has more than {LONGEST >> 20} MB, which no row should.")
    if block := b"".join(pieces):
        yield line, block + b"\n"


def _chunks(text: io.TextIOWrapper) -> Iterator[bytes]:
    r"""The bytes of the file as UTF-8, with \n for \r\n and \r."""
    source: Any = text.buffer  # what is not decoded need not be encoded again
    if text.encoding.lower() in ("utf-8", "utf-8-sig"):
        source.seek(len(codecs.BOM_UTF8) if text.encoding.lower() == "utf-8-sig" else 0)

        def read(size: int) -> bytes:
            return source.read(size)

    else:

        def read(size: int) -> bytes:
            return text.read(size).encode("utf-8")

    while chunk := read(BLOCK):
        if b"\r" in chunk:
            chunk += read(1) if chunk.endswith(b"\r") else b""
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield chunk


def _at_once(block: bytes, collector: Collector) -> tuple[dict[str, pa.Array], list[str]] | None:
    """The columns of a block by Arrow's reader; None where there is anything but one flat object a line.

    It takes no word for it: each line begins and ends with a brace and there are as many rows as lines, no column has
    a value of another type, no name that is not known and none twice, and the text is UTF-8.
    """
    if not block.startswith(b"{") or not block.endswith(b"}\n"):
        return None
    lines = block.count(b"\n")
    if block.count(b"}\n{") != lines - 1:
        return None
    try:
        first = orjson.loads(block[: block.index(b"\n")])
    except ValueError:
        return None
    types = {key: _PLAIN.get(type(value)) for key, value in first.items()}
    for key, values in types.items():
        if values is None or (values is TEXT and key in collector.as_json):
            return None
        if values is not TEXT and key in collector.names and key not in collector.as_json:
            return None
    if not types:
        return None
    import pyarrow.json as pj

    known = {key: TEXT for key in collector.names if key not in collector.as_json}
    try:
        table = pj.read_json(
            pa.py_buffer(block),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=pa.schema(list((known | types).items())), unexpected_field_behavior="error"
            ),
        )
        table.validate(full=True)
    except (pa.ArrowException, UnicodeError):
        return None
    if table.num_rows != lines:
        return None
    table = table.combine_chunks()
    columns, as_json = {}, []
    for key in types | known:
        values = table.column(key).chunk(0)
        if values.type != TEXT:
            as_json.append(key)
            values = values.cast(TEXT)
        columns[key] = values
    return columns, as_json


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
            for at, line in enumerate(some, number + start):
                if (given := line.decode("utf-8").strip()) != "":
                    rows.append(parse(given, f"{name}, line {at}"))
                else:
                    rows.append(None)
        if not {dict}.issuperset(map(type, rows)):
            kept = []
            for at, (row, line) in enumerate(zip(rows, some, strict=True), number + start):
                if isinstance(row, dict):
                    kept.append(row)
                elif row is not None or line.strip():
                    fail(f"{name}, line {at}: this is {what(row)}, not an object with named values.")
            rows = kept
        if rows:
            collector.add(rows, size, plain)


def may_hold_long_numbers(block: bytes) -> bool:
    """Whether there may be a whole number that orjson would round: 19 digits or more, so each sixth byte tells."""
    digit = np.frombuffer(block, np.uint8)[::6] - np.uint8(48) < 10
    return bool((digit[:-2] & digit[1:-1] & digit[2:]).any())
