"""All rows to token ids with their loss mask, the very ids of `encode`, by several processes where there are many."""

from __future__ import annotations

import contextlib
import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from core.config import RunConfig
from core.data.encode import fit, is_blank, opens_unsaid
from core.data.encode_report import EncodeReport
from core.data.encoded import IGNORED, EncodedRows
from core.data.formats import Layout, Undesired
from core.data.sides import ids_of_sides, sides
from core.data.template import Segment, Wording, concerns_every_row, render
from core.data.tokens import ids_of_rows
from core.data.workers import spread
from core.errors import InputError
from core.runs.environment import cpus

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BATCH = 1000  # rows that are encoded in one call to the tokenizer
MANY = 30_000  # rows from which on it pays to start more processes, which takes a second or two
UNUSABLE, BLANK = "the conversation cannot be used.", "the answer is empty."
UNDESIRED = "the answer is marked as a bad one."


def encode_rows(
    rows: Iterable[dict[str, Any]],
    layout: Layout,
    config: RunConfig,
    tokenizer: PreTrainedTokenizerFast,
    on_progress: Callable[[int], None] | None = None,
    apart: bool = False,
) -> tuple[EncodedRows, EncodeReport]:
    """All rows as examples {"input_ids", "labels"}, equal to `encode` of each, and what became of the rows.

    Rows without an answer, and conversations that cannot be read, are left out and counted; with the fix `drop_long`
    those over the limit too. More than MANY rows whose number is known are shared out to a process for each core.

    Args:
        rows: any iterable of rows.
        layout: of the rows.
        config: its data section says the words, the limit and the fixes.
        tokenizer: of the model.
        on_progress: called with the number of rows done, about every thousand rows. What it raises ends the work.
        apart: what is read and what is answered are texts of their own: see `core.data.sides`.

    Raises:
        InputError: no row teaches anything; the template does not fit.
    """
    data = config.data
    work = _Work(layout, Wording.of(data), data.max_tokens, "drop_long" in data.fixes, tokenizer, apart)
    many = isinstance(rows, Sized) and len(rows) > MANY
    made = _Made()
    with contextlib.closing(spread(work, in_batches(rows), cpus() if many else 1)) as parts:
        for part in parts:
            made.add(part)
            if on_progress:
                on_progress(made.report.rows)
    if not made.lengths:
        raise _nothing(made, work.drop_long, data.max_tokens)
    return made.encoded(), made.report


def reason_of(error: InputError) -> str:
    """Why a row that cannot be rendered is left out, as the report counts it."""
    return UNDESIRED if isinstance(error, Undesired) else UNUSABLE


def in_batches(rows: Iterable[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    """The rows, BATCH of them at a time."""
    if isinstance(rows, Sequence):
        yield from (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
        return
    each = iter(rows)
    while batch := list(itertools.islice(each, BATCH)):
        yield batch


@dataclass
class _Made:
    """Encoded rows so far. The arrays grow in place, so that no second copy of all tokens is ever needed."""

    ids: array[int] = field(default_factory=lambda: array("i"))
    trained: bytearray = field(default_factory=bytearray)
    lengths: array[int] = field(default_factory=lambda: array("i"))
    report: EncodeReport = field(default_factory=EncodeReport)
    failed: InputError | None = None  # why the first of the rows that cannot be read is none

    def add(self, part: _Made) -> None:
        """Add the rows that follow."""
        self.failed = self.failed or part.failed
        self.ids.extend(part.ids)
        self.trained += part.trained
        self.lengths.extend(part.lengths)
        self.report.add(part.report)

    def encoded(self) -> EncodedRows:
        """All of them; the arrays are taken as they are."""
        offsets = np.concatenate([[0], np.cumsum(np.frombuffer(self.lengths, np.int32), dtype=np.int64)])
        return EncodedRows(np.frombuffer(self.ids, np.int32), np.frombuffer(self.trained, np.bool_), offsets)


@dataclass(frozen=True)
class _Work:
    """Rows to `_Made`: what each worker does, told all that it needs."""

    layout: Layout
    wording: Wording
    limit: int
    drop_long: bool
    tokenizer: PreTrainedTokenizerFast
    apart: bool

    def __call__(self, rows: Iterable[dict[str, Any]]) -> _Made:
        made = _Made()
        report = made.report
        numbers, rendered = list[int](), list[list[Segment]]()
        for number, row in enumerate(rows):
            report.rows += 1
            try:
                segments = render(row, self.layout, self.wording, self.tokenizer)
            except InputError as error:
                if concerns_every_row(error, self.layout):
                    raise
                made.failed = made.failed or error
                report.left_out.setdefault(reason_of(error), []).append(number)
                continue
            if is_blank(segments):
                report.left_out.setdefault(BLANK, []).append(number)
                continue
            if any(s.answer and s.lost for s in segments):
                report.unwritten.append(number)
            numbers.append(number)
            rendered.append(sides(segments, self.tokenizer) if self.apart else segments)
        made_ids = (ids_of_sides if self.apart else ids_of_rows)(rendered, self.tokenizer)
        for number, segments, tokens in zip(numbers, rendered, made_ids, strict=True):
            self._keep(number, segments, tokens, made)
        return made

    def _keep(self, number: int, segments: Sequence[Segment], tokens: Sequence[list[int]], made: _Made) -> None:
        """Add a row to those made, as far as it fits."""
        report, length = made.report, sum(map(len, tokens))
        cut = None
        if length <= self.limit:
            marks = b"".join(_MARK[s.trained] * len(ids) for s, ids in zip(segments, tokens, strict=True))
            if opens_unsaid(segments, next(filter(None, tokens), []), self.tokenizer):
                marks = _MARK[False] + marks[1:]
        elif self.drop_long:
            report.left_out.setdefault(f"longer than {self.limit:,} tokens.", []).append(number)
            return
        else:
            cut, _ = fit(segments, tokens, self.limit, self.tokenizer)
            tokens, length = [cut.input_ids], len(cut.input_ids)
            marks = b"".join(_MARK[label != IGNORED] for label in cut.labels)
        trained = marks.count(1)
        if not trained:
            report.left_out.setdefault(f"nothing of the answer fits into {self.limit:,} tokens.", []).append(number)
            return
        if cut:
            (report.answer_cut if cut.answer_dropped else report.truncated).append(number)
        for ids in tokens:
            made.ids.extend(ids)
        made.trained += marks
        made.lengths.append(length)
        report.kept.append(number)
        report.tokens += length
        report.trained_tokens += trained
        report.longest = max(report.longest, length)


_MARK = {False: b"\0", True: b"\1"}


def _nothing(made: _Made, drop_long: bool, limit: int) -> InputError:
    """Why not one row became an example."""
    report = made.report
    if not report.rows:
        return InputError("There are no rows to learn from.", "data.path")
    if made.failed:
        return InputError(f"None of the rows can be used. The first of them: {made.failed}", made.failed.field)
    if drop_long and any(reason.startswith("longer") for reason in report.left_out):
        return InputError(
            f"Every row is left out as longer than {limit:,} tokens: raise the limit, or take drop_long out of "
            "data.fixes.",
            "data.max_tokens",
        )
    if any(reason.startswith("nothing of") for reason in report.left_out):
        return InputError(
            f"No row teaches anything: with at most {limit:,} tokens nothing is left of any answer. Raise the limit.",
            "data.max_tokens",
        )
    return InputError(
        "No row teaches anything: the answer is empty in all of them. Choose another answer column in the template.",
        "data.template",
    )
