"""Tasks whose answers are written by an encoder-decoder: the loss is on the tokens of the answers, all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from core.data.bulk import encode_rows
from core.data.encode_report import EncodeReport
from core.data.encoded import IGNORED, Sides
from core.data.formats import Layout
from core.data.sides import encode_question
from core.data.template import prompt_segments, render
from core.evaluation import rows as measured
from core.losses.weights import trained_part
from core.models.heads import SEQ2SEQ
from core.models.load import Precision
from core.tasks import encoder_decoder, writing
from core.tasks.objective import Batch, Probe, Row
from core.tasks.vectors import fill
from core.training.batches import by_length
from core.training.validation import MOST_NUMBERS, quiet


class Work(writing.Work):
    """Generation, classification, extraction and summarisation as text: the prompt is read, the answer written."""

    head = SEQ2SEQ

    def encode(
        self, rows: Sequence[dict[str, Any]], layout: Layout, on_rows: Callable[[int], None] | None = None
    ) -> tuple[Sides, EncodeReport]:
        """See Objective: {"input_ids", "labels"}, what is read and what is answered, each with an end token."""
        made, report = encode_rows(rows, layout, self.config, self.tokenizer, on_rows, apart=True)
        return Sides(made), report

    def probe(self, row: dict[str, Any], place: int, layout: Layout) -> Probe:
        """See Objective."""
        known = super().probe(row, place, layout)
        segments = prompt_segments(render(row, layout, self.wording, self.tokenizer))
        ids = encode_question(segments, self.tokenizer, self.config.data.max_tokens)
        return Probe(known.prompt, known.want, place, ids)

    def collate(self, rows: Sequence[Row]) -> Batch:
        """See Objective: input_ids, attention_mask (rows, longest), labels (rows, longest answer)."""
        ids, mask = fill([row["input_ids"] for row in rows], self.pad)
        labels, _ = fill([row["labels"] for row in rows], IGNORED)
        batch: Batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        if self._weights:
            batch["weights"] = torch.tensor([self._weights.get(trained_part(row["labels"]), 1.0) for row in rows])
        return batch

    def items(self, batch: Batch) -> torch.Tensor:
        """The tokens of the answers, by weight."""
        trained = batch["labels"] != IGNORED
        return self.criterion.items(batch["labels"][trained], _of_tokens(batch, trained))

    def loss(self, model: Any, batch: Batch, items: torch.Tensor | None = None) -> torch.Tensor:
        """In nats a token of an answer."""
        labels = batch["labels"]
        trained = labels != IGNORED
        said = encoder_decoder.logits(model, batch["input_ids"], batch["attention_mask"], labels)
        return self.criterion.share(said[trained], labels[trained], items, _of_tokens(batch, trained))

    def trained(self, batch: Batch) -> int:
        """See Objective."""
        return int((batch["labels"] != IGNORED).sum())

    def read(self, batch: Batch) -> int:
        """See Objective: what is read and what is written."""
        return int(batch["attention_mask"].sum()) + self.trained(batch)

    def outputs(self, model: Any, rows: Sequence[Row]) -> torch.Tensor:
        """Logits (1, at most 8, vocabulary) at the end of the first row's answer."""
        one = {"input_ids": rows[0]["input_ids"][:256], "labels": rows[0]["labels"][:256]}
        ids, mask = fill([one["input_ids"]], self.pad)
        labels = torch.tensor([one["labels"]], device=model.device)
        said = encoder_decoder.logits(model, ids.to(model.device), mask.to(model.device), labels)
        return said[:, -writing.SHOWN :].float().cpu().contiguous()

    def validation(self, rows: Sequence[Row], batch_size: int, on: Precision) -> Callable[[Any], dict[str, float]]:
        """See Objective: loss and perplexity, all tokens of the answers weighing the same."""
        batches: list[list[int]] = []

        def measure(model: Any) -> dict[str, float]:
            if not batches:
                width = model.get_input_embeddings().num_embeddings
                batches.extend(by_length(rows, max(8, 2 * batch_size), MOST_NUMBERS, width))
            with quiet(model, on):
                parts = [[(rows[i]["input_ids"], rows[i]["labels"]) for i in batch] for batch in batches]
                found = [one for part in parts for one in encoder_decoder.nll(model, part, self.pad)]
            loss = sum(total for total, _ in found) / max(1, sum(count for _, count in found))
            return {"loss": loss, "perplexity": math.exp(loss) if loss < 700 else math.inf}

        return measure

    def answer(self, model: Any, probe: Probe, most: int, on: Precision) -> tuple[str, bool]:
        """The greedy answer, without the end."""
        with quiet(model, on):
            (ids,), (ended,) = encoder_decoder.greedy(model, [probe.ids], self.ends, self.pad, most, None)
        return str(self.tokenizer.decode(ids)).strip(), ended

    def prepare(self, chosen: measured.Chosen, room: int) -> measured.Prepared:
        """See Objective: `examples` are what is read and what is answered."""
        return measured.prepare(chosen, self.config, self.tokenizer, room, apart=True)


def _of_tokens(batch: Batch, trained: torch.Tensor) -> torch.Tensor | None:
    """The weights of the trained tokens (n,), from those of their rows."""
    if "weights" not in batch:
        return None
    return batch["weights"].to(trained.device)[:, None].expand_as(trained)[trained]
