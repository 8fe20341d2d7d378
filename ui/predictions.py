"""The answers of an evaluation, row by row: filtered, searched, paged, shown with their differences, saved."""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Callable
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import regex

from core.runs import records
from core.runs.files import open_file
from core.runs.store import Run
from core.runs.typed import Unreadable
from ui.parts import badge, table

Row = dict[str, Any]
PAGE = 6  # rows at a time
LONGEST_LINE = 16 * 2**20  # bytes of a row in the file
LONGEST = 600  # characters of one text that are shown
FILTERS: dict[str, Callable[[Row], bool]] = {
    "All": lambda row: True,
    "Wrong": lambda row: row["tuned_ok"] is False,
    "Changed": lambda row: row["base"] is not None and row["base"] != row["tuned"],
    "Better": lambda row: row["base_ok"] is False and row["tuned_ok"] is True,
    "Worse": lambda row: row["base_ok"] is True and row["tuned_ok"] is False,
}
COLUMNS = ("row", "group", "prompt", "want", "base", "tuned", "base_ok", "tuned_ok")


def rows(run: Run) -> list[Row]:
    """predictions/heldout.jsonl of a run, as far as it can be read; [] where it was not evaluated."""
    return _found(run)[0]


def damage(run: Run) -> str:
    """What of the answers cannot be read, in a sentence; "" where all can be."""
    return _found(run)[1]


def _found(run: Run) -> tuple[list[Row], str]:
    path = run.dir / "predictions" / "heldout.jsonl"
    try:
        stat = path.stat()
    except OSError:
        return [], ""
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _read(path: Path, changed: int, size: int) -> tuple[list[Row], str]:
    name, found, wrong = f"{path.parent.name}/{path.name}", list[Row](), ""
    try:
        with open_file(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
                if len(line) == LONGEST_LINE:
                    wrong = wrong or f"{name} cannot be read: line {number:,} is longer than any row."
                    break
                if line.strip():
                    try:
                        found.append(records.PREDICTION.parse(line, f"{name}, line {number:,},"))
                    except Unreadable as error:
                        wrong = wrong or str(error)
    except OSError as error:
        wrong = f"{name} cannot be read: {(error.strerror or str(error)).lower()}."
    return found, wrong


def counts(all_rows: list[Row]) -> dict[str, int]:
    """How many rows each filter lets through."""
    return {name: sum(map(keep, all_rows)) for name, keep in FILTERS.items()}


def chosen(all_rows: list[Row], filtered: str, words: str | None) -> list[Row]:
    """The rows that a filter lets through and that hold some words, in whatever case."""
    keep, text = FILTERS.get(filtered, FILTERS["All"]), (words or "").strip().casefold()
    found = [row for row in all_rows if keep(row)]
    if not text:
        return found
    fields = ("prompt", "want", "base", "tuned", "group")
    return [row for row in found if any(text in str(row.get(f) or "").casefold() for f in fields)]


def page(found: list[Row], number: int, task: str, beside: str = "base") -> str:
    """Some rows as a table: how the answer changed, what was asked and wanted, what base and tuned said.

    Args:
        found: the rows to page through. number: the page, from 0. task: code is shown in a mono font, labels closer.
        beside: what the tuned model is compared with: the base, or the majority label.
    """
    face = "said mono" if task == "extraction" else "said"
    body = []
    for row in found[number * PAGE : (number + 1) * PAGE]:
        group = f" · {escape(str(row['group']))}" if row.get("group") else ""
        want = str(row["want"])
        cells = [
            f'{change(row)}<p class="quiet small">row {row["row"] + 1:,}{group}</p>',
            f'<div class="said ask">{escape(_cut(str(row["prompt"]).strip()))}</div>',
            f'<div class="{face}">{escape(_cut(want))}</div>',
        ]
        body.append([*cells, *(f'<div class="{face}">{_answer(row, who, want)}</div>' for who in ("base", "tuned"))])
    if not body:
        return '<p class="quiet none">No row is like that.</p>'
    kind = "answers" if task == "classification" else "answers long"
    return table(
        ["Change", "Prompt", "Wanted", f"{beside.capitalize()} said", "Tuned says"], body, caption="Answers", kind=kind
    )


def _answer(row: Row, who: str, want: str) -> str:
    return marked(want, row[who], row[f"{who}_ok"])


def change(row: Row) -> str:
    """How tuning changed the answer, as a badge; none where an answer is neither right nor wrong."""
    if row["tuned_ok"] is None:
        return ""
    if row["base_ok"] is None:
        return badge("ok", "right") if row["tuned_ok"] else badge("bad", "wrong")
    if row["tuned_ok"] and not row["base_ok"]:
        return badge("ok", "better")
    if row["base_ok"] and not row["tuned_ok"]:
        return badge("bad", "worse")
    return badge("same", "right" if row["tuned_ok"] else "wrong")


def marked(want: str, said: str | None, right: bool | None) -> str:
    """An answer with the words struck that were not wanted. An answer that is right is shown as it is."""
    if said is None:
        return '<span class="quiet">not asked</span>'
    if not said.strip():
        return '<span class="quiet">(nothing)</span>'
    text = _cut(said)
    if right or right is None or said == want:
        return escape(text)
    mine, theirs = _words(text), _words(want)
    parts = []
    for kind, a, b, _, _ in difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        piece = escape("".join(mine[a:b]))
        if piece:
            parts.append(piece if kind == "equal" else f"<del>{piece}</del>")
    lacking = all("<del>" not in part for part in parts)
    return "".join(parts) + ('<span class="quiet"> (incomplete)</span>' if lacking else "")


def _words(text: str) -> list[str]:
    return regex.findall(r"[\w\p{M}]+|\s+|[^\w\s]", text)[:400]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def as_file(found: list[Row], kind: str) -> str:
    """The rows as CSV (with a byte order mark, so that spreadsheets read it as UTF-8) or as JSON Lines."""
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)
    out = io.StringIO()
    columns = [c for c in COLUMNS if c != "group" or any("group" in row for row in found)]
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(found)
    return "\ufeff" + out.getvalue()
