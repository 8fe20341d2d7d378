"""What a metric is: numbers of each row that may be added up, and the value that follows from their sums.

Every metric here is a function of sums over rows (of counts, n-gram matches, log-likelihoods). So a resample of the
rows, which an interval needs by the thousand, costs one matrix product instead of a new scoring of all texts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """One way to score answers, with what a page says about it.

    Attributes:
        key: its name in results and on the command line. label: its name for people.
        unit: "share" (0 to 1), "points" (0 to 100), or what it counts.
        meaning: one plain sentence.
        statistics: from the columns named by `inputs`, one value a row each, to an array [rows, k].
        value: from sums of those over rows, [..., k], to the metric, [...]; 0 where there is nothing to divide by.
        leads: the task that is judged by it first, or "".
        notes: from the references, what is to be said beside a figure, in sentences.
    """

    key: str
    label: str
    unit: str
    higher_is_better: bool
    meaning: str
    statistics: Callable[..., Floats]
    value: Callable[[Floats], Floats]
    inputs: tuple[str, ...] = ("references", "predictions")
    leads: str = ""
    notes: Callable[[Sequence[str]], list[str]] = lambda references: []

    def rows(self, columns: dict[str, Sequence[Any]]) -> Floats:
        """The statistics [rows, k] of the columns that it needs, picked by name."""
        given = [columns[name] for name in self.inputs]
        if len({len(column) for column in given}) > 1:
            raise ValueError(f"{self.key}: {' and '.join(self.inputs)} differ in length.")
        return self.statistics(*given)

    def compute(self, **columns: Sequence[Any]) -> float:
        """The metric of all rows together; 0.0 when there are none."""
        if not len(columns[self.inputs[0]]):
            return 0.0
        return float(self.value(self.rows(columns).sum(axis=0)))

    def about(self) -> dict[str, Any]:
        """What a page says about it: label, unit, higher_is_better, meaning."""
        return {
            "label": self.label,
            "unit": self.unit,
            "higher_is_better": self.higher_is_better,
            "meaning": self.meaning,
        }


def ratio(sums: Floats) -> Floats:
    """First statistic over the second; 0 where the second is 0."""
    over, under = sums[..., 0], sums[..., 1]
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)


def share(values: Sequence[float]) -> Floats:
    """Statistics [rows, 2] whose `ratio` is the mean of one value a row."""
    return np.column_stack([np.asarray(values, dtype=np.float64), np.ones(len(values))])


def normal(text: str) -> str:
    """A text as it is compared: Unicode NFC, no white space around it, one space for each run of it. Case counts."""
    return " ".join(unicodedata.normalize("NFC", text).split())
