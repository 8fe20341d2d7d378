"""What all checks know of the rows: the source and its config, how it is read, and which rows are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from core.config import RunConfig
from core.data.checks.batch import Batch
from core.data.checks.finding import Finding, Remedy, shorten
from core.data.checks.reading import Reading
from core.data.sources import Source
from core.data.split import Split

# In this order they are made: text is mended before it is compared, and secrets go before what they hold of an address.
FIXES = (
    "fix_encoding", "strip_control", "mask_secrets", "mask_personal", "drop_duplicates", "drop_near_duplicates",
    "drop_leaked", "drop_long",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """The rows in question."""

    source: Source
    config: RunConfig
    reading: Reading
    split: Split

    @cached_property
    def trained(self) -> np.ndarray:
        """Which rows are trained on: bool [rows]."""
        return self._mask(self.split.train)

    @cached_property
    def kept(self) -> np.ndarray:
        """Which rows are kept back: bool [rows]."""
        return self._mask(self.split.validation)

    def _mask(self, places: Any) -> np.ndarray:
        mask: np.ndarray = np.zeros(len(self.source.rows), bool)
        mask[np.asarray(places, np.int64)] = True
        return mask

    def fix(self, name: str, label: str) -> Remedy | None:
        """The remedy that adds a fix to data.fixes; None where it is on already."""
        on = self.config.data.fixes
        if name in on:
            return None
        return Remedy(label, "data.fixes", [fix for fix in FIXES if fix in on or fix == name])

    def example(self, place: int) -> str:
        """A row for a person to recognise."""
        return self.shown(self.source.rows[place])

    def shown(self, row: dict[str, Any]) -> str:
        """The beginning of what is asked in a row, or of what is answered where nothing is asked."""
        question, answer = self.reading.shown(row)
        return shorten(question or answer)


class Check(Protocol):
    """One family of findings: it looks at all rows, batch by batch, and then says what it found."""

    def look(self, batch: Batch) -> None:
        """Look at the next rows."""

    def found(self) -> list[Finding]:
        """What was found in all of them."""
