"""Lengths in tokens, and what a limit makes of them: what is cut, the padding of the batches, the updates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from core.config import RunConfig
from core.data.encode import encode_many, is_blank
from core.data.extremes import byte_sizes, tokens_of
from core.data.formats import Layout
from core.data.packing import pack
from core.data.questions import frame, question
from core.data.rows import Rows
from core.data.segments import Segment
from core.data.tagged import tagged_words
from core.data.template import Wording, concerns_every_row, render
from core.data.turns import as_text
from core.errors import InputError
from core.models.heads import LABEL, TAGS, VECTOR, Head, head_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

STRETCH = 16  # batches that are drawn at random together, then sorted by length (core/training/order.py)
SAMPLE = 2000
HEADS = {LABEL: 1, TAGS: 1, VECTOR: 2}  # that learn no token: how many texts they read of a row
COMPARED = {"pair": ("first", "second"), "prompt_completion": ("prompt", "completion")}  # roles, by layout
LONG = 64  # rows with the most bytes, among which the longest one is looked for
NO_LIMIT = 2**31


@dataclass(frozen=True)
class Load:
    """What training reads in an epoch under a limit.

    Attributes:
        rows: those trained on. truncated: share of all rows over the limit: cut, or left out.
        tokens: without padding. padded: with it.
        longest: tokens of the longest row.
        sequences: what is put into batches: the rows, or what they are packed into.
        batches: how many. width: tokens of a batch's sequences, padding included, in the mean, weighed by their number:
            what a token attends to.
        fullest: (sequences, tokens of each) of the largest batch.
    """

    rows: int
    truncated: float
    tokens: int
    padded: int
    longest: int
    sequences: int
    batches: int
    width: float
    fullest: tuple[int, int]

    @property
    def padding(self) -> float:
        """The share of padding in all that is computed."""
        return 1 - self.tokens / self.padded if self.padded else 0.0


@dataclass(frozen=True)
class Lengths:
    """The lengths of rows, or of a sample of them.

    Attributes:
        tokens: of each row looked at, before any is dropped.
        rows: how many rows these stand for.
        trained: the share of the tokens that carry loss.
        longest: tokens of the longest row that is known, looked at for a sample or not; 0: that of those looked at.
    """

    tokens: tuple[int, ...]
    rows: int
    trained: float = 1.0
    longest: int = 0

    def load(self, config: RunConfig, limit: int | None = None, batching: str | None = None) -> Load:
        """What the settings make of the rows; with another limit or other batches, if given."""
        t, d = config.training, config.data
        return self.under(
            d.max_tokens if limit is None else limit, t.per_device_train_batch_size, "drop_long" in d.fixes,
            batching or t.batching,
        )  # fmt: skip

    def under(self, limit: int, batch_size: int, drop_long: bool = False, batching: str = "grouped") -> Load:
        """What a limit makes of the rows, in batches as core/training/order.py makes them.

        Of a sample all figures are estimates.

        Args:
            limit: data.max_tokens. drop_long: rows over it are left out, not cut. batching: as in training.batching.
        """
        tokens = self._drawn(batch_size)
        over = tokens > limit
        truncated = float(over.mean()) if len(tokens) else 0.0
        kept = tokens[~over] if drop_long else np.minimum(tokens, limit)
        if not len(kept):
            return Load(0, truncated, 0, 0, 0, 0, 0, 0.0, (0, 0))
        rows = round(self.rows * len(kept) / len(tokens))
        longest, scale = max(int(kept.max()), min(self.longest, limit)), rows / len(kept)
        parts, sequences = kept, rows
        if batching == "packed":
            parts = _packed(kept, longest)
            sequences = round(len(parts) * scale)
        widths, counts = _batches(parts, batch_size, batching)
        padded = int((widths * counts).sum())
        return Load(
            rows=rows,
            truncated=truncated,
            tokens=round(int(kept.sum()) * scale),
            padded=round(padded * scale),
            longest=longest,
            sequences=sequences,
            batches=math.ceil(sequences / batch_size),
            width=float((widths.astype(np.float64) ** 2 * counts).sum() / padded),
            fullest=(1, int(widths.max())) if batching == "padding_free" else (min(batch_size, sequences), longest),
        )

    def _drawn(self, batch_size: int) -> np.ndarray:
        """The lengths in a random order; a sample that is smaller than a few stretches, and not all there is, is taken
        several times over, so that batches are filled as they will be."""
        found = self._shuffled
        wanted = min(self.rows, 4 * STRETCH * batch_size)
        return np.resize(found, wanted) if 0 < len(found) < wanted else found

    @cached_property
    def _shuffled(self) -> np.ndarray:
        return np.random.default_rng(0).permutation(np.asarray(self.tokens, np.int64))


def _packed(tokens: np.ndarray, width: int) -> np.ndarray:
    """The lengths of the sequences that rows are packed into, in random order."""
    lengths = tokens.tolist()
    sums = np.array([sum(lengths[i] for i in rows) for rows in pack(lengths, width)], np.int64)
    return np.random.default_rng(0).permutation(sums)


def _batches(tokens: np.ndarray, size: int, batching: str) -> tuple[np.ndarray, np.ndarray]:
    """Of each batch the widest sequence, and how many there are: of rows, or packs, in random order."""
    stretch = size * STRETCH
    filled: np.ndarray = np.zeros(-(-len(tokens) // stretch) * stretch, np.int64)
    filled[: len(tokens)] = tokens
    if batching == "grouped":
        filled = -np.sort(-filled.reshape(-1, stretch), axis=1)
    batches = filled.reshape(-1, size)
    counts = (batches > 0).sum(axis=1)
    batches, counts = batches[counts > 0], counts[counts > 0]
    return (batches.sum(axis=1), np.ones_like(counts)) if batching == "padding_free" else (batches.max(axis=1), counts)


def measure_lengths(
    rows: Sequence[dict[str, Any]],
    layout: Layout,
    config: RunConfig,
    tokenizer: PreTrainedTokenizerFast,
    sample: int = SAMPLE,
) -> Lengths:
    """The lengths of all rows, or of `sample` evenly spaced ones. Rows that training leaves out are passed over.

    Of a sample the longest row is looked for besides, among those with the most bytes.

    Raises:
        InputError: the template cannot be used, or no row can be.
    """
    head, step = head_of(config), max(1.0, len(rows) / sample)
    chosen, rendered, wrong = [int(i * step) for i in range(min(len(rows), sample))], [], None
    for number in chosen:
        try:
            segments = _as_read(rows[number], layout, config, head, tokenizer)
        except InputError as error:
            if concerns_every_row(error, layout):
                raise
            wrong = wrong or error
            continue
        if head in HEADS or not is_blank(segments):
            rendered.append(segments)
    encoded = encode_many(rendered, tokenizer, NO_LIMIT)
    marks = sum(map(len, frame(tokenizer))) * HEADS.get(head, 0)
    tokens = tuple(len(row.input_ids) + marks for row in encoded)
    if not tokens:
        raise wrong or InputError("There are no rows to learn from.", "data.path")
    longest, trained = max(tokens), sum(tokens) if head in HEADS else sum(row.trained for row in encoded)
    if isinstance(rows, Rows) and len(rows) > len(chosen):
        most = rows.take(np.argsort(-byte_sizes(rows), kind="stable")[:LONG])
        longest = max(longest, *tokens_of(most, layout, Wording.of(config.data), tokenizer))
    return Lengths(tokens, round(len(rows) * len(tokens) / len(chosen)), trained / sum(tokens), longest)


def _as_read(
    row: dict[str, Any], layout: Layout, config: RunConfig, head: Head, tokenizer: PreTrainedTokenizerFast
) -> list[Segment]:
    """A row as training reads it: with its answer where the head writes, else what the head chooses by; both of two
    texts that are compared.

    Raises:
        InputError: as core.data.template.render.
    """
    if head is TAGS and layout.name == "tokens_tags":
        return [Segment(" ".join(tagged_words(row, layout)[0]), False)]
    if head is VECTOR and layout.name in COMPARED:
        return [Segment(as_text(row.get(layout.roles[role])), False) for role in COMPARED[layout.name]]
    wording = Wording.of(config.data)
    return question(row, layout, wording, tokenizer) if head is LABEL else render(row, layout, wording, tokenizer)


def count_updates(sequences: int, config: RunConfig) -> int:
    """The updates of a whole training, which may stop earlier: see `total_steps`.

    Args:
        sequences: of an epoch: rows, or where they are packed what `core.data.packing` makes of them.
    """
    t = config.training
    return total_steps(
        sequences, t.per_device_train_batch_size, t.gradient_accumulation_steps, t.num_train_epochs, t.max_steps
    )


def total_steps(sequences: int, batch_size: int, accumulation: int, epochs: float, max_steps: int | None) -> int:
    """How many updates a training makes; a last group of fewer batches counts as one update, as in transformers."""
    if max_steps is not None:
        return max_steps
    return math.ceil(epochs * max(1, math.ceil(math.ceil(sequences / batch_size) / accumulation)))
