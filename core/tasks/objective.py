"""How a model learns a task and answers, one module for each kind of head; what training and evaluation ask of it."""

from __future__ import annotations

import functools
import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.config import RunConfig
from core.data.encode_report import EncodeReport
from core.data.formats import Layout
from core.data.sources import Source
from core.errors import InputError
from core.losses import table
from core.models import suits
from core.models.heads import CAUSAL, Head
from core.tasks import get
from core.tasks.base import Answer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from core.evaluation.rows import Chosen, Prepared
    from core.losses.classes import Criterion
    from core.models.load import Precision

Row = dict[str, Any]  # an encoded example; what is in it is the objective's own affair, "input_ids" always is
Batch = dict[str, Any]  # tensors by name

# To add a head, write a module with a class `Work(Objective)`, and an entry here.
OBJECTIVES: dict[str, str] = {
    "causal_lm": "core.tasks.writing",
    "seq2seq_lm": "core.tasks.seq2seq",
    "feature_extraction": "core.tasks.pairs",
    "sequence_classification": "core.tasks.labels",
    "token_classification": "core.tasks.tags",
}
LIKELIHOOD = ("perplexity", "bits_per_byte", "stopped_by_itself")  # what every text that is written is measured by


@dataclass(frozen=True)
class Probe:
    """One row whose answer is asked for again and again: as inference sends it, and the answer that is wanted."""

    prompt: str
    want: str
    row: int
    ids: Any  # what the objective asks the model


class Objective(ABC):
    """One task on one kind of head, for one config. The model comes in as an argument; nothing of it is kept.

    Attributes:
        head: what the model ends in. labels: names of classes or tags in the order of the head's outputs; else empty.
        metrics: of core.evaluation.metrics, the main one first. likelihood: whether answers have one (perplexity).
        pad: the id that fills batches.
        notes: how the rows are read, one sentence each.
    """

    head: Head
    pad: int
    metrics: tuple[str, ...]
    likelihood = False
    notes: Sequence[str] = ()

    def __init__(self, config: RunConfig, tokenizer: PreTrainedTokenizerFast, labels: Sequence[str] = ()) -> None:
        self.config, self.tokenizer, self.labels = config, tokenizer, list(labels)

    # Rows

    @classmethod
    def find_labels(
        cls, source: Source, places: Sequence[int], config: RunConfig, tokenizer: PreTrainedTokenizerFast
    ) -> list[str]:
        """The labels that these rows teach; none for a head that has no outputs of its own."""
        return []

    @abstractmethod
    def unfit(self, source: Source, places: Sequence[int]) -> list[str]:
        """Why these rows cannot be learned from, one sentence each; empty where they can."""

    @abstractmethod
    def encode(
        self, rows: Sequence[dict[str, Any]], layout: Layout, on_rows: Callable[[int], None] | None = None
    ) -> tuple[Sequence[Row], EncodeReport]:
        """Rows as examples, with `input_ids` and whatever else `collate` takes, and what became of each row."""

    @abstractmethod
    def probe(self, row: dict[str, Any], place: int, layout: Layout) -> Probe:
        """A row as a question that is asked again and again."""

    # Learning

    @functools.cached_property
    def criterion(self) -> Criterion:
        """The loss of a head that chooses among classes. InputError: there is none of that name, or it is broken."""
        from core.losses import load  # torch

        return load.criterion(self.config.training, self.head.name)

    def weigh(self, rows: Sequence[Row]) -> None:  # noqa: B027 - most weigh nothing
        """Take from the encoded rows to train on how much each label is to weigh, where the loss asks for that."""

    @abstractmethod
    def collate(self, rows: Sequence[Row]) -> Batch:
        """Examples as tensors, filled up to the longest."""

    @abstractmethod
    def items(self, batch: Batch) -> torch.Tensor:
        """What the loss is a mean over: the trained tokens, rows, tags or pairs of a batch, weighted as the loss is."""

    @abstractmethod
    def loss(self, model: Any, batch: Batch, items: torch.Tensor | None = None) -> torch.Tensor:
        """The loss summed over the items of a batch, divided by `items`: those of the whole update; None: its own.

        So that batches which are accumulated have the gradients of one large batch.
        """

    def trained(self, batch: Batch) -> int:
        """How many tokens of a batch teach something, for the speed."""
        return int((batch["labels"] != -100).sum()) if "labels" in batch else int(batch["attention_mask"].sum())

    def read(self, batch: Batch) -> int:
        """How many tokens of a batch are no padding, for the speed."""
        return int(batch["attention_mask"].sum())

    def wrong_batches(self, model: Any, rows: Sequence[Row], on: Precision) -> str:
        """Why a model cannot learn from such batches as `collate` makes, in a sentence; empty where it can."""
        return ""

    # Looking

    @abstractmethod
    def outputs(self, model: Any, rows: Sequence[Row]) -> torch.Tensor:
        """What the model says of a few rows, one float32 tensor on the CPU: to prove that saved weights are these."""

    @abstractmethod
    def validation(self, rows: Sequence[Row], batch_size: int, on: Precision) -> Callable[[Any], dict[str, float]]:
        """A function from a model to its figures on the rows: "loss" (a mean over items, whatever the batches), more
        where they cost nothing or where training.metric_for_best_model asks for one."""

    @abstractmethod
    def answer(self, model: Any, probe: Probe, most: int, on: Precision) -> tuple[str, bool]:
        """The answer to a probe in words, and whether it ended by itself."""

    # Measuring

    @classmethod
    def measures(cls, config: RunConfig, chosen: Chosen) -> list[str]:
        """The metrics that these rows are measured by when nobody names any, the main one first."""
        return [*get(config.task).METRICS, *(LIKELIHOOD if cls.likelihood else ())]

    def surprise(
        self,
        model: Any,
        rows: Prepared,
        *,
        on_progress: Callable[[float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[tuple[float, int]]:
        """Of each row (nll, tokens): nats summed over the tokens of the right answer, and how many those are.

        Only where `likelihood` says that answers have one.
        """
        raise NotImplementedError(f"A model that {self.head.label} is never asked for likelihoods.")

    @abstractmethod
    def prepare(self, chosen: Chosen, room: int) -> Prepared:
        """Rows to measure on, as this model reads them. `room`: the longest prompt, in tokens."""

    @abstractmethod
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
        """The answers to prepared rows, in their order; see core.tasks.base.Task."""


def objective_class(head: Head) -> type[Objective]:
    """The class for a head. InputError where there is none."""
    if head.name not in OBJECTIVES:
        raise InputError(f"A model that {head.label} cannot be trained here.", "model.head")
    found: type[Objective] = importlib.import_module(OBJECTIVES[head.name]).Work
    return found


def objective_of(
    config: RunConfig, tokenizer: PreTrainedTokenizerFast, source: Source, places: Sequence[int]
) -> Objective:
    """The objective of a run that is about to train, its labels found in the rows to train on.

    Raises:
        InputError: method, loss or batches do not suit the model (core.models.suits), a loss of the owner's is broken
            (field training.loss), or the rows do not fit the task (field task).
    """
    kind = objective_class(head := suits.require(config))
    made = kind(config, tokenizer, kind.find_labels(source, places, config, tokenizer))
    if reasons := made.unfit(source, places):
        raise InputError(reasons[0], "task")
    if head.name in table.CLASSES:
        made.criterion  # noqa: B018 - loaded now: what is wrong with a loss of the owner is said before the rows are read
    return made


def objective_for(
    config: RunConfig, tokenizer: PreTrainedTokenizerFast, head: Head = CAUSAL, labels: Sequence[str] = ()
) -> Objective:
    """The objective of a model that is there already, with the labels that it knows."""
    return objective_class(head)(config, tokenizer, labels)
