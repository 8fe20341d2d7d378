"""Workbooks (Excel and OpenDocument): one sheet is read, in a process of its own, and the notes name the others."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any

from core.data.parsers import check_names, fail, shown, spoken
from core.data.tables import Table, collect
from core.errors import InputError, nearest
from core.paths import ROOT

ENDINGS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
NAME = "data.name"
OLE = b"\xd0\xcf\x11\xe0"  # Office before 2007; also what a workbook with a password is wrapped in
# What a zip holds, and what that makes of it.
_INSIDE = {
    "xl/": "workbook", "word/": "a Word document: copy its table into a sheet, or its text into a plain text file",
    "ppt/": "a presentation: copy its text into a table first",
    "Index/": "an Apple document: export it as CSV", "index.apxl": "an Apple document: export it as CSV",
    "index.xml": "an Apple document: export it as CSV",
}  # fmt: skip
_MIMETYPES = {"spreadsheet": "workbook", "opendocument": "an OpenDocument file without a table: save a sheet as .ods"}


def is_workbook(head: bytes, stream: IO[bytes], name: str) -> bool:
    """Whether a file is a workbook, by its content; `stream` can be moved about in.

    Raises:
        InputError: field "data.path"; a document of another kind, or too much when unpacked.
    """
    from core.data.workbook import MAX_BYTES

    if head.startswith(OLE):
        return True
    if not head.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(stream) as inside:
            if sum(info.file_size for info in inside.infolist()) > MAX_BYTES:
                fail(f"{name} unpacks to more than {MAX_BYTES >> 30} GB: save the sheet as CSV and give that.")
            names = inside.namelist()
            kind = _MIMETYPES if "mimetype" in names else _INSIDE
            said = inside.read("mimetype").decode("ascii", "ignore") if "mimetype" in names else "\n" + "\n".join(names)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error):
        if name.lower().removesuffix(".gz").endswith(ENDINGS):
            fail(f"{name} is a damaged workbook: open it in its program and save it again.")
        return False
    what = next((w for mark, w in kind.items() if (mark if kind is _MIMETYPES else "\n" + mark) in said), "")
    if what and what != "workbook":
        fail(f"{name} is {what}.")
    return bool(what)


def read_workbook(path: Path, sheet: str | None = None) -> Table:
    """The rows of one sheet: the one of this name, or else the first that holds a header and a row.

    The first row that is not empty names the columns; a title above them, in one merged cell, is passed over, and so
    are empty rows and columns. A merged cell's value stands in each row that it covers.

    Raises:
        InputError: field "data.path", or "data.name" for a sheet that is not there.
    """
    command = [sys.executable, "-m", "core.data.workbook", str(path.absolute()), *([] if sheet is None else [sheet])]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process, contextlib.closing(_lines(process, spoken(path))) as lines:
        try:
            told = next(lines)
            if "error" in told:
                _refuse(told, path, sheet)
            header, notes = _header(told, spoken(path))
            table = collect((dict(zip(header, row, strict=True)) for row in lines), header)
        finally:
            process.kill()
    table.notes = notes
    return table


def _lines(process: subprocess.Popen[str], name: str) -> Generator[Any, None, None]:
    assert process.stdout  # noqa: S101 - it is a pipe, as asked for
    for line in process.stdout:
        yield json.loads(line)
    if process.wait():
        fail(
            f"{name} needs more memory or time than a table of its size should: perhaps a value stands far down or far "
            "to the right of the rest. Save the sheet as CSV and give that."
        )


def _refuse(told: dict[str, Any], path: Path, sheet: str | None) -> None:
    name = spoken(path)
    match told["error"]:
        case "unknown":
            sheets = told["sheets"]
            near = nearest(str(sheet), sheets)
            hint = f" Did you mean {near!r}?" if near else ""
            raise InputError(f"{name} has no sheet {sheet!r}.{hint} Its sheets: {shown(sheets)}.", NAME)
        case "password":
            fail(f"{name} is protected by a password: save it without one, or save the sheet as CSV.")
        case "memory":
            fail(f"{name} does not fit into memory: save the sheet as CSV and give that.")
        case "gzip":
            fail(f"{name} is packed with gzip but damaged: it ends too early or was changed.")
        case "header only":
            fail(f"{name}, sheet {told['sheet']!r}: there is a header ({shown(told['header'])}) and no rows.")
        case "empty":
            where = "in it" if sheet is None else f"in its sheet {sheet!r}"
            fail(f"{name} holds no rows: every cell {where} is empty.")
        case _:
            with path.open("rb") as file:
                old = file.read(4) == OLE and not name.lower().endswith(ENDINGS)
            if old:
                fail(f"{name} is an old Office document without a sheet: save its table as CSV.")
            fail(f"{name} is a damaged workbook: open it in its program and save it again.")


def _header(told: dict[str, Any], name: str) -> tuple[list[str], list[str]]:
    """The names of the columns, and notes."""
    header, notes = told["header"], []
    others = [s for s in told["sheets"] if s != told["sheet"]]
    if others:
        notes.append(f"The rows are those of the sheet {told['sheet']!r}; there are others: {shown(others)}.")
    if told["title"]:
        notes.append("The merged cell above the names of the columns is taken for a title and left out.")
    if told["merged"]:
        notes.append("The value of a merged cell stands in each row that it covers.")
    if header[0] == "" and len(header) > 1 and "index" not in header:
        header[0] = "index"
        notes.append("The first column has no name; it is called 'index' here.")
    for title, place, first in zip(header, told["places"], told["first"], strict=True):
        if not title:
            fail(
                f"{name}, sheet {told['sheet']!r}: column {_letters(place)} has no name in row {told['line']}, and a "
                f"value in row {first}. Name it, or remove the column."
            )
    check_names(header, name)
    return header, notes


def _letters(place: int) -> str:
    """The letters of a column, A for 0, AA for 26."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
