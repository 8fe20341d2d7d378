"""How many rows there are to learn from: too few in all, or too few of some label."""

from __future__ import annotations

from collections import Counter

from core.data.checks.batch import Batch
from core.data.checks.case import Case
from core.data.checks.finding import EXAMPLES, SHOWN, Finding, Remedy, count_of, shorten

FEW = 50  # with fewer training rows than this a model learns by heart
UNEQUAL = 10  # times as many rows of the largest class as of the smallest
MOST = 1000  # different answers; with more of them they are no labels


class Classes:
    """Counts the labels of the rows that are trained on, where the answers are labels."""

    def __init__(self, case: Case) -> None:
        self.case, self.counts = case, Counter[str]()
        self.first: dict[str, int] = {}
        self.kept: dict[str, list[int]] = {}  # of the rows kept back
        self.counting = case.reading.labelled or case.config.task == "classification"

    def look(self, batch: Batch) -> None:
        """Look at the next rows."""
        if not self.counting:
            return
        for number, said in enumerate(batch.said, batch.start):
            if said is None or not said.answer:
                continue
            if self.case.trained[number]:
                self.counts[said.answer] += 1
                self.first.setdefault(said.answer, number)
            elif self.case.kept[number]:
                self.kept.setdefault(said.answer, []).append(number)
        self.counting = len(self.counts) <= MOST

    def found(self) -> list[Finding]:
        """What was found."""
        found = []
        count = len(self.case.split.train)
        if count < FEW:
            are = "is" if count == 1 else "are"
            message = (
                f"There {are} only {count_of(count)} to train on: the model will know them by heart. "
                "A few hundred are better."
            )
            why = "From few rows a model learns the rows, not what they have in common."
            found.append(Finding("few_rows", count, [], message, "warning", why))
        if self.counting and (unseen := self._unseen()):
            found.append(unseen)
        if self.counting and (unequal := self._unequal()):
            found.append(unequal)
        return found

    def _unseen(self) -> Finding | None:
        """Labels of the rows kept back that no row to train on has."""
        lost = {name: rows for name, rows in self.kept.items() if name not in self.counts}
        if not lost or not self.counts:
            return None
        rows = sorted(row for found in lost.values() for row in found)
        what = (
            f"The label {shorten(next(iter(lost)), 40)!r} occurs" if len(lost) == 1 else f"{len(lost):,} labels occur"
        )
        message = (
            f"{what} only in rows that are kept back, in {count_of(len(rows))}: a label is never learned that way."
        )
        why = "What is not trained on cannot be answered right, so the validation looks worse than the model is."
        names = [f"{shorten(name, 60)}: {count_of(len(found))}" for name, found in lost.items()]
        return Finding("unseen_label", len(rows), rows[:SHOWN], message, "warning", why, names[:EXAMPLES])

    def _unequal(self) -> Finding | None:
        ranked = self.counts.most_common()
        if len(ranked) < 2 or self.case.config.augmentation.balance != "none":
            return None
        (largest, most), (smallest, least) = ranked[0], ranked[-1]
        alone = sum(n == 1 for n in self.counts.values())
        if most < UNEQUAL * least or most < FEW / len(ranked):
            return None
        rare = [name for name, n in reversed(ranked) if UNEQUAL * n <= most]
        message = (
            f"The labels are unequal: {shorten(largest, 40)!r} has {count_of(most)}, "
            f"{shorten(smallest, 40)!r} has {least:,}"
            + (f"; {count_of(alone, 'label has', 'labels have')} a single row." if alone else ".")
        )
        return Finding(
            "imbalance",
            sum(self.counts[name] for name in rare),
            sorted(self.first[name] for name in rare)[:SHOWN],
            message,
            "warning",
            "A model that says the frequent label is right most of the time, and so it learns to.",
            [f"{shorten(name, 60)}: {count_of(n)}" for name, n in (ranked[0], *ranked[1:][1 - EXAMPLES :])],
            Remedy("Repeat rows of the rare labels", "augmentation.balance", "over"),
        )
