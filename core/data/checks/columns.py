"""Columns that are not what they seem: names that look like a row, since the file has no header, and lists as text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from core.data.checks.batch import Batch
from core.data.checks.case import Case
from core.data.checks.finding import Finding, Tally, shorten
from core.data.checks.unused import used
from core.data.choices import UNSURE
from core.data.readable import lists_as_text, python_objects
from core.data.turns import as_text

LOOKED_AT = 200  # rows, evenly spaced
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?.*|\d\d?[./]\d\d?[./]\d{2,4}.*")


class Columns:
    """Looks at names and at some of the rows."""

    def __init__(self, case: Case) -> None:
        self.case = case
        layout, reading = case.source.layout, case.reading
        answered = () if case.config.task == "extraction" else reading.answered
        made = case.source.made
        self.texts = [] if layout.conversational else [c for c in (*reading.asked, *answered) if c not in made]
        talks = [layout.roles.get(role) for role in ("messages", "prompt", "chosen")] if layout.conversational else []
        self.talks = [c for c in talks if c in case.source.columns]
        self.nested: dict[str, Tally] = defaultdict(Tally)
        self.python: dict[str, Tally] = defaultdict(Tally)

    def look(self, batch: Batch) -> None:
        """Look for lists, objects and Python's notation of them; all else is done on a sample, at the end."""
        words = self.case.source.layout.roles.get("content", "content")
        for number, row in enumerate(batch.rows, batch.start):
            for name in self.texts:
                value = row.get(name)
                if isinstance(value, list | dict) and value:
                    self.nested[name].add(number, as_text(value))
                elif python_objects(value):
                    self.python[name].add(number, as_text(value))
            for name in self.talks:
                turns = row.get(name)
                said = [t.get(words) for t in turns if isinstance(t, dict)] if isinstance(turns, list) else []
                if ids := [v for v in said if isinstance(v, list) and any(type(i) in (int, float) for i in v)]:
                    self.nested[name].add(number, as_text(ids[0]))

    def found(self) -> list[Finding]:
        """What was found."""
        source, found = self.case.source, list[Finding]()
        rows = list(source.rows.spaced(LOOKED_AT))
        names = [name for name in source.columns if name not in source.made]
        if strange := like_a_row(names, rows):
            first = ", ".join(repr(shorten(name, 40)) for name in names[:4]) + (", ..." if len(names) > 4 else "")
            message = (
                f"The names of the columns look like a row: {first}. If the file has no header, that row is lost: "
                "write a line of names above it, such as text,label."
            )
            why = f"{shorten(strange, 40)!r} is like the values below it, and what names a column is not learned."
            found.append(Finding("header", 1, [], message, "warning", why))
        for note in source.notes:
            if UNSURE in note:
                why = "If it is another choice that is right, all rows teach a wrong one."
                found.append(Finding("choices", len(source.rows), [], note, "warning", why))
        reads = used(source, self.case.config)
        for name in source.columns:
            values = [row[name] for row in rows if row.get(name)] if name in reads else []
            if kind := self._nested(name, values):
                found.append(kind)
            elif tally := self.nested.get(name):
                what = "of numbers in their turns" if name in self.talks else "or objects among the texts"
                message = f"{name!r} holds lists {what}, which are learned or read as JSON."
                found.append(_notation(tally, message))
            if (tally := self.python.get(name)) and not lists_as_text(values):
                message = f"{name!r} holds lists or objects in Python's notation among its values."
                found.append(_notation(tally, message))
            if lists_as_text(values):
                message = f"{name!r} holds lists in Python's notation, such as {shorten(values[0], 48)}, and no JSON."
                why = "They are learned as they are written, with brackets and quotation marks."
                found.append(Finding("notation", len(source.rows), [], message, "warning", why))
        return found

    def _nested(self, name: str, values: Sequence[Any]) -> Finding | None:
        """A finding on lists or objects that stand in a text as JSON, where no JSON can be meant."""
        layout, reading = self.case.source.layout, self.case.reading
        answer = name in reading.answered
        if layout.conversational or name not in (*reading.asked, *reading.answered):
            return None
        if answer and self.case.config.task == "extraction":
            return None
        nested = [value for value in values if isinstance(value, list | dict)]
        if not nested or 2 * len(nested) <= len(values):
            return None
        what = "lists" if isinstance(nested[0], list) else "objects"
        message = f"{name!r} holds {what}, which are {'learned' if answer else 'read'} as JSON."
        why = (
            "They may hold turns, answers or texts in a layout that is not known here: give them columns of their own."
        )
        return Finding(
            "notation", len(self.case.source.rows), [], message, "warning", why, [shorten(as_text(nested[0]))]
        )


def _notation(tally: Tally, message: str) -> Finding:
    why = "They are learned as they are written, with brackets and quotation marks: write words there."
    return Finding("notation", tally.count, tally.rows, message, "warning", why, tally.examples)


def like_a_row(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """The name that shows that names are the values of a row; "" where none does."""
    numbers: list[tuple[str, float]] = []
    for name in names:
        values = [text for row in rows if (text := as_text(row.get(name)).strip())]
        if len(values) < 3:
            continue
        counted = Counter(values)
        if counted[name.strip()] > 1 and len(counted) <= max(2, len(values) // 2):
            return name
        if _DATE.fullmatch(name.strip()) and all(_DATE.fullmatch(v) for v in values):
            return name
        words = len(name.split())
        if words >= 5 and 2 * sum(len(v.split()) >= 5 for v in values) > len(values):
            return name
        if (number := _number(name)) is not None and all(_number(v) is not None for v in values):
            numbers.append((name, number))
    if not numbers or all(1900 <= n <= 2100 for _, n in numbers):
        return ""
    steps = {round(b - a, 9) for (_, a), (_, b) in pairwise(numbers)}
    counts = len(numbers) > 1 and len(steps) == 1 and (len(numbers) > 2 or steps == {1.0})
    return "" if counts else numbers[0][0]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
