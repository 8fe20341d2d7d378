"""A finding in plain words, with its remedy; and the tally by which a check counts rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SHOWN = 20  # row numbers that a finding names
EXAMPLES = 3  # texts that a finding shows
LENGTH = 100  # characters of such a text
Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Remedy:
    """One setting that mends what was found.

    Attributes:
        label: what it does, in a few words, for a button.
        field: the dotted name of the setting.
        value: what to set it to; of data.fixes the whole new list.
    """

    label: str
    field: str
    value: Any


@dataclass(frozen=True)
class Finding:
    """Something to know before training.

    Attributes:
        kind: what was found; all kinds are in docs/data.md.
        count: rows concerned.
        rows: the numbers of the first of them, from 0.
        message: one or two plain sentences.
        severity: error (those rows teach nothing or the training would refuse), warning, note.
        why: why it matters, one plain sentence.
        examples: at most 3 short texts; secrets and personal data are shown only in part.
        remedy: the setting that mends it; None where there is none.
    """

    kind: str
    count: int
    rows: list[int]
    message: str
    severity: Severity
    why: str = ""
    examples: list[str] = field(default_factory=list)
    remedy: Remedy | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass
class Tally:
    """Rows that were counted, in order: how many, the numbers of the first, and a few examples."""

    count: int = 0
    rows: list[int] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def add(self, row: int, example: str = "") -> None:
        """Count a row."""
        self.count += 1
        if len(self.rows) < SHOWN:
            self.rows.append(row)
        self.show(example)

    def show(self, example: str) -> None:
        """Keep an example, unless there are enough."""
        if example and len(self.examples) < EXAMPLES and (short := shorten(example)) not in self.examples:
            self.examples.append(short)


def shorten(text: str, length: int = LENGTH) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def count_of(count: int, one: str = "row", many: str = "") -> str:
    """ "1 row" or "1,234 rows"."""
    return f"1 {one}" if count == 1 else f"{count:,} {many or one + 's'}"
