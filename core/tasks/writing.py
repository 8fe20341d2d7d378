"""Tasks whose answers are written by a causal language model: the loss is on the tokens of the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from core.config import RunConfig
from core.data.bulk import encode_rows
from core.data.encode import encode_prompt
from core.data.encode_report import EncodeReport
from core.data.formats import Layout
from core.data.sources import Source
from core.data.template import Wording, answer_text, prompt_segments, render
from core.evaluation import rows as measured
from core.losses.weights import answer_weights, trained_part
from core.models.heads import CAUSAL
from core.models.joining import JOINED
from core.models.load import Precision
from core.models.tokenizer import end_ids, pad_id
from core.tasks import fit, get, predict
from core.tasks.base import Answer
from core.tasks.objective import LIKELIHOOD, Batch, Objective, Probe, Row
from core.training.apart import leaks
from core.training.batches import COLLATORS
from core.training.losses import token_items, token_loss
from core.training.validation import Validation, quiet, write

SHOWN = 8  # positions, from the end


class Work(Objective):
    """Generation, classification, extraction and summarisation as text."""

    head = CAUSAL
    likelihood = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wording = Wording.of(self.config.data)
        chat = self.wording.chat_template(self.tokenizer)
        self.pad = pad_id(self.tokenizer, chat)
        self.ends = end_ids(self.tokenizer, self.config.model.path, chat)
        self.metrics = get(self.config.task).METRICS
        self._collate = COLLATORS[self.config.training.batching](self.pad)
        self._weights: dict[bytes, float] = {}

    def unfit(self, source: Source, places: Sequence[int]) -> list[str]:
        """See Objective."""
        return fit.unfit(source, places, self.config, self.tokenizer)

    def encode(
        self, rows: Sequence[dict[str, Any]], layout: Layout, on_rows: Callable[[int], None] | None = None
    ) -> tuple[Sequence[Row], EncodeReport]:
        """See Objective: {"input_ids", "labels"}, labels -100 where nothing is learned."""
        return encode_rows(rows, layout, self.config, self.tokenizer, on_rows)

    def probe(self, row: dict[str, Any], place: int, layout: Layout) -> Probe:
        """See Objective."""
        whole = render(row, layout, self.wording, self.tokenizer)
        segments = prompt_segments(whole)
        return Probe(
            prompt="".join(segment.text for segment in segments),
            want=answer_text(row, layout, self.wording, self.tokenizer, whole),
            row=place,
            ids=encode_prompt(segments, self.tokenizer, self.config.data.max_tokens),
        )

    def collate(self, rows: Sequence[Row]) -> Batch:
        """See Objective, and core.training.batches, where training.batching chooses; weights too if answers differ."""
        batch: Batch = dict(self._collate(rows))
        if self._weights:
            batch["weights"] = self._collate.weigh(
                rows, lambda row: self._weights.get(trained_part(row["labels"]), 1.0)
            )
        return batch

    def weigh(self, rows: Sequence[Row]) -> None:
        """See Objective: each answer, by how rare it is."""
        self._weights = answer_weights(rows) if self.config.training.loss == "class_weighted" else {}

    def items(self, batch: Batch) -> torch.Tensor:
        """Trained tokens, shifted as the loss shifts them, by weight."""
        return token_items(batch["labels"], self.criterion, batch.get("weights"))

    def loss(self, model: Any, batch: Batch, items: torch.Tensor | None = None) -> torch.Tensor:
        """In nats a trained token."""
        inputs = {name: value for name, value in batch.items() if name not in ("labels", "lengths", "weights")}
        said = model(**inputs, use_cache=False)
        return token_loss(said, batch["labels"], items, self.criterion, batch.get("weights"))

    def trained(self, batch: Batch) -> int:
        """See Objective."""
        return int((batch["labels"][:, 1:] != -100).sum())

    def read(self, batch: Batch) -> int:
        """See Objective."""
        return int(batch["lengths"].sum()) if "lengths" in batch else super().read(batch)

    def wrong_batches(self, model: Any, rows: Sequence[Row], on: Precision) -> str:
        """See Objective: rows that share a sequence must not see each other."""
        if self.config.training.batching not in JOINED:
            return ""
        with quiet(model, on):
            return leaks(model, rows, on.autocast)

    def outputs(self, model: Any, rows: Sequence[Row]) -> torch.Tensor:
        """Logits (1, at most 8, vocabulary) at the end of the first row's first 256 tokens."""
        ids = torch.tensor([rows[0]["input_ids"][:256]], device=model.device)
        return model(input_ids=ids, use_cache=False).logits[:, -SHOWN:].float().cpu().contiguous()

    def validation(self, rows: Sequence[Row], batch_size: int, on: Precision) -> Callable[[Any], dict[str, float]]:
        """See Objective: loss and perplexity, all tokens weighing the same."""
        return Validation(rows, batch_size, self.pad, on).measure

    def answer(self, model: Any, probe: Probe, most: int, on: Precision) -> tuple[str, bool]:
        """The greedy answer, without the end."""
        with quiet(model, on):
            ids, ended = write(model, probe.ids, self.ends, self.pad, most)
        return str(self.tokenizer.decode(ids)).strip(), ended

    @classmethod
    def measures(cls, config: RunConfig, chosen: measured.Chosen) -> list[str]:
        """See Objective; of a label also whether it is written freely."""
        own = get(config.task).METRICS
        return [*own, *(["exact_match"] if config.task == "classification" else []), *LIKELIHOOD]

    def surprise(
        self,
        model: Any,
        rows: measured.Prepared,
        *,
        on_progress: Callable[[float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[tuple[float, int]]:
        """See Objective."""
        return predict.surprise(model, self.tokenizer, rows.examples, on_progress=on_progress, should_stop=should_stop)

    def prepare(self, chosen: measured.Chosen, room: int) -> measured.Prepared:
        """See Objective."""
        return measured.prepare(chosen, self.config, self.tokenizer, room)

    def predict(
        self,
        model: Any,
        rows: measured.Prepared,
        *,
        max_new_tokens: int,
        ends: set[int] | None = None,
        choices: Mapping[str, Sequence[int]] | None = None,
        on_progress: Callable[[float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> list[Answer]:
        """See Objective."""
        return get(self.config.task).predict(
            model, self.tokenizer, rows.prompts, max_new_tokens=max_new_tokens, ends=ends, choices=choices,
            on_progress=on_progress, should_stop=should_stop,
        )  # fmt: skip
