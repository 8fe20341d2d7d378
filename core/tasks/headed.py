"""What the heads that choose share, labels of a text and tags of its words: rows in batches, logits, predictions."""

from __future__ import annotations

import inspect
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from core.config import RunConfig
from core.data.encode_report import EncodeReport
from core.data.sources import Source
from core.data.template import Wording
from core.errors import InputError
from core.evaluation.rows import Prepared
from core.losses.weights import balanced
from core.models.load import Precision
from core.models.tokenizer import pad_id
from core.tasks.base import Answer
from core.tasks.batched import check
from core.tasks.objective import Batch, Objective, Row
from core.training.batches import by_length
from core.training.validation import quiet

MOST_ROWS = 32  # in a batch that is only looked at
MOST_NUMBERS = 2**24  # tokens times width in such a batch: 64 MB in float32
Looked = Iterator[tuple[list[int], Batch, torch.Tensor]]


class Headed(Objective):
    """A head of its own upon an encoder or a decoder."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wording = Wording.of(self.config.data)
        self.pad = pad_id(self.tokenizer, self.wording.chat_template(self.tokenizer))
        self.number = {label: i for i, label in enumerate(self.labels)}

    @classmethod
    @abstractmethod
    def occurrences(
        cls, source: Source, places: Sequence[int], config: RunConfig, tokenizer: PreTrainedTokenizerFast
    ) -> Counter[str]:
        """How often these rows have each label."""

    @classmethod
    def find_labels(
        cls, source: Source, places: Sequence[int], config: RunConfig, tokenizer: PreTrainedTokenizerFast
    ) -> list[str]:
        """Every label of the rows to train on: whole numbers by value, others by the alphabet."""
        return ordered(cls.occurrences(source, places, config, tokenizer))

    # Learning

    def collate(self, rows: Sequence[Row]) -> Batch:
        """See Objective: input_ids and attention_mask (rows, longest), filled up on the right; and labels."""
        longest = max(len(row["input_ids"]) for row in rows)
        ids, mask = torch.full((len(rows), longest), self.pad), torch.zeros((len(rows), longest), dtype=torch.long)
        for n, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[n, :length], mask[n, :length] = torch.tensor(row["input_ids"]), 1
        return {"input_ids": ids, "attention_mask": mask, "labels": self.targets(rows, longest)}

    @abstractmethod
    def targets(self, rows: Sequence[Row], longest: int) -> torch.Tensor:
        """The labels of rows as one tensor."""

    @abstractmethod
    def counts(self, rows: Sequence[Row]) -> list[int]:
        """How often each label occurs in encoded rows, in the order of `labels`."""

    def weigh(self, rows: Sequence[Row]) -> None:
        """See Objective: each label, by how rare it is among those to train on."""
        if self.config.training.loss == "class_weighted":
            self.criterion.weights = torch.from_numpy(balanced(self.counts(rows)))

    def trained(self, batch: Batch) -> int:
        """All tokens that are read: each takes part in what is chosen."""
        return int(batch["attention_mask"].sum())

    def say(self, model: Any, batch: Batch) -> torch.Tensor:
        """The logits of a batch; those of a row do not depend on the rows beside it."""
        config = model.config.get_text_config()
        if config.pad_token_id != self.pad:  # a decoder finds the end of each row by it
            config.pad_token_id = self.pad
        inner = model if isinstance(model, PreTrainedModel) else model.get_base_model()
        more = {"use_cache": False} if "use_cache" in inspect.signature(inner.forward).parameters else {}
        logits: torch.Tensor = model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], **more
        ).logits  # fmt: skip
        return logits

    # Looking

    def outputs(self, model: Any, rows: Sequence[Row]) -> torch.Tensor:
        """The logits of the first row."""
        batch = self.collate(rows[:1])
        return self.say(model, {k: v.to(model.device) for k, v in batch.items()}).float().cpu().contiguous()

    def look(self, model: Any, rows: Sequence[Row], on: Precision | None = None) -> Looked:
        """(numbers of rows, their batch, their logits), one batch after the other.

        Args:
            on: how a model is looked at in the middle of its training; None: it is at rest.
        """
        width = int(model.config.get_text_config().hidden_size)
        for places in by_length(rows, MOST_ROWS, MOST_NUMBERS, width):
            batch = {k: v.to(model.device) for k, v in self.collate([rows[i] for i in places]).items()}
            with torch.inference_mode() if on is None else quiet(model, on):
                logits = self.say(model, batch).float()
            yield places, batch, logits

    # Measuring

    @abstractmethod
    def asked(self, prepared: Prepared, at: int) -> Row:
        """A row that is only asked, as `collate` takes it."""

    @abstractmethod
    def chosen(self, logits: torch.Tensor, row: Row, want: str) -> Answer:
        """What the logits of one row say."""

    @classmethod
    @abstractmethod
    def constant(cls, want: str, label: str, share: float) -> Answer:
        """What would be answered by somebody who always says one label, which so great a share of all rows has."""

    def predict(
        self,
        model: Any,
        rows: Prepared,
        *,
        max_new_tokens: int,
        ends: set[int] | None = None,
        choices: Mapping[str, Sequence[int]] | None = None,
        on_progress: Callable[[float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[Answer]:
        """See Objective; nothing is written, so that limit, ends and choices mean nothing."""
        asked = [self.asked(rows, i) for i in range(len(rows.prompts))]
        found, done = dict[int, Answer](), 0
        for places, _, logits in self.look(model, asked):
            check(should_stop)
            for n, i in enumerate(places):
                found[i] = self.chosen(logits[n], asked[i], rows.wants[i])
            done += len(places)
            if on_progress:
                on_progress(done)
        return [found[i] for i in range(len(asked))]


def ordered(labels: Iterable[str]) -> list[str]:
    """Labels once each: whole numbers by their value, all others by the alphabet."""
    different = set(labels)
    if all(re.fullmatch(r"[+-]?\d+", label) for label in different):
        return sorted(different, key=lambda label: (int(label), label))
    return sorted(different)


def nothing(report: EncodeReport) -> InputError:
    """Why not one row became an example."""
    if not report.left_out:
        return InputError("There are no rows to learn from.", "data.path")
    reason = max(report.left_out, key=lambda r: len(report.left_out[r]))
    return InputError(f"No row teaches anything: {reason}", "data.path")
