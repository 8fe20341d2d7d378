"""Run as a process of its own: the rows of one sheet of a workbook, as lines of JSON on standard output.

    python -m core.data.workbook FILE [SHEET]

The library holds a sheet as a full grid, so that one value in the last cell asks for half a terabyte and ends the
process: here that ends only this one. The first line is an object: `sheets`, and either `error` or what `Sheet` in
core.data.sheets has; then each row is a list of values.
"""

from __future__ import annotations

import contextlib
import datetime
import gzip
import io
import json
import sys
from typing import Any

MAX_BYTES = 4 << 30  # of memory, and of the file unpacked
MAX_SECONDS = 600  # of computing


def main(arguments: list[str]) -> None:
    """Read FILE and print."""
    import python_calamine as calamine

    with contextlib.suppress(ImportError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    try:
        with open(arguments[0], "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        source: Any = arguments[0]
        if packed:
            with gzip.open(arguments[0]) as stream:
                source = io.BytesIO(stream.read())  # as far as the memory goes
        with calamine.load_workbook(source) as book:
            told, rows = _choose(book, arguments[1] if len(arguments) > 1 else None)
    except calamine.PasswordError:
        told, rows = {"error": "password"}, []
    except MemoryError:
        told, rows = {"error": "memory"}, []
    except (EOFError, gzip.BadGzipFile):
        told, rows = {"error": "gzip"}, []
    except BaseException as error:  # the library's own kind of panic is no Exception
        told, rows = {"error": "damaged", "detail": f"{type(error).__name__}: {error}"[:200]}, []
    for line in [told, *rows]:
        sys.stdout.write(json.dumps(line) + "\n")


def _choose(book: Any, name: str | None) -> tuple[dict[str, Any], list[list[Any]]]:
    """The sheet that is named, or the first with two rows: those in sight come before hidden ones."""
    metadata = [m for m in book.sheets_metadata if "WorkSheet" in str(m.typ)]  # no charts, no macros
    sheets = [m.name for m in metadata]
    seen = {"sheets": sheets}
    if name is not None:
        folded = {s.strip().casefold(): s for s in reversed(sheets)}
        found = name if name in sheets else folded.get(name.strip().casefold())
        if found is None:
            return seen | {"error": "unknown"}, []
        names = [found]
    else:
        hidden = {m.name for m in metadata if "Hidden" in str(m.visible)}
        names = sorted(sheets, key=lambda s: s in hidden)
    told: dict[str, Any] = {"error": "empty"}
    for sheet in names:
        made, rows = _table(book.get_sheet_by_name(sheet))
        if rows:
            return seen | made | {"sheet": sheet}, rows
        if made["header"] and "header" not in told:
            told = {"error": "header only"} | made | {"sheet": sheet}
    return seen | told, []


def _table(sheet: Any) -> tuple[dict[str, Any], list[list[Any]]]:
    """The header and the rows below it, without empty rows and columns; `places` are the columns' numbers, from 0."""
    down, left = sheet.start or (0, 0)
    grid = [[_plain(v) for v in row] for row in sheet.to_python(skip_empty_area=True)]
    title = merged = 0
    above, filled = set(), [any(v is not None for v in row) for row in grid]
    for (top, first), (bottom, last) in sheet.merged_cell_ranges or []:
        here = top - down, first - left
        if not (0 <= here[0] < len(grid) and 0 <= here[1] < len(grid[0])) or grid[here[0]][here[1]] is None:
            continue
        if last > first and sum(v is not None for v in grid[here[0]]) == 1:
            above.add(here[0])
        for i in range(here[0] + 1, min(bottom - down + 1, len(grid))):
            if filled[i] and grid[i][here[1]] is None:
                grid[i][here[1]] = grid[here[0]][here[1]]
                merged += 1
    full = [i for i, row in enumerate(grid) if any(v is not None for v in row)]
    while len(full) > 1 and full[0] in above:  # a title over the whole table
        title += 1
        del full[0]
    used = sorted({c for i in full for c, v in enumerate(grid[i]) if v is not None})
    rows = [[grid[i][c] for c in used] for i in full]
    told = {
        "header": [_shown(v) for v in rows[0]] if rows else [],
        "line": full[0] + down + 1 if full else 0,
        "places": [c + left for c in used],
        "first": [next((i + down + 1 for i in full[1:] if grid[i][c] is not None), 0) for c in used],
        "merged": merged,
        "title": title,
    }
    return told, rows[1:]


def _plain(value: Any) -> Any:
    """A value as JSON has it: whole numbers whole, dates as ISO text, nothing for an empty text or an error."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e15 else value
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return None if isinstance(value, str) and not value.strip() else value


def _shown(value: Any) -> str:
    return "" if value is None else str(value).strip()


if __name__ == "__main__":
    main(sys.argv[1:])
