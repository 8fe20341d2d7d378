"""Classification by a head: a text is read, and one of the labels that the rows to train on have is chosen.

An encoder chooses from its first token, which has seen the whole text; a decoder from the last token of each row.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from core.config import RunConfig
from core.data.bulk import BLANK, in_batches, reason_of
from core.data.encode_report import EncodeReport
from core.data.encoded import EncodedTexts
from core.data.formats import Layout
from core.data.questions import encode_questions, question
from core.data.segments import Segment
from core.data.sources import Source
from core.data.template import Wording, answer_text, concerns_every_row
from core.errors import InputError
from core.evaluation import metrics
from core.evaluation.rows import Chosen, Prepared
from core.models.heads import LABEL
from core.models.load import Precision
from core.tasks import classification, fit
from core.tasks.base import Answer
from core.tasks.headed import Headed, nothing
from core.tasks.objective import Batch, Probe, Row

UNSEEN = "the label is in none of the rows that are trained on."
EMPTY = "the text is empty."


class Work(Headed):
    """A label for a text."""

    head = LABEL
    metrics = classification.METRICS

    # Rows

    @classmethod
    def occurrences(
        cls, source: Source, places: Sequence[int], config: RunConfig, tokenizer: PreTrainedTokenizerFast
    ) -> Counter[str]:
        """See Headed: the answers."""
        wording, found = Wording.of(config.data), Counter[str]()
        for row in source.rows.take(places):
            try:
                found[answer_text(row, source.layout, wording, tokenizer)] += 1
            except InputError as error:
                if concerns_every_row(error, source.layout):
                    raise
        del found[""]
        return found

    def unfit(self, source: Source, places: Sequence[int]) -> list[str]:
        """See Objective."""
        if len(self.labels) < 2:
            have = f"all have the label {self.labels[0]!r}" if self.labels else f"have {_and(source.columns)}"
            return [f"A head for labels needs rows with a text and a label, of two kinds at least; these rows {have}."]
        return fit.unfit(source, places, self.config, self.tokenizer)

    def encode(
        self, rows: Sequence[dict[str, Any]], layout: Layout, on_rows: Callable[[int], None] | None = None
    ) -> tuple[EncodedTexts, EncodeReport]:
        """See Objective: {"input_ids", "labels": the number of the label}."""
        report, labels = EncodeReport(), list[int]()
        ids: list[array[int]] = []
        limit, short = self.config.data.max_tokens, "drop_long" in self.config.data.fixes
        for batch in in_batches(rows):
            asked = list(self._read(batch, layout, report))
            questions = encode_questions([segments for _, segments, _ in asked], self.tokenizer, limit)
            for (number, _, label), made in zip(asked, questions, strict=True):
                if not made.input_ids:
                    report.left_out.setdefault(EMPTY, []).append(number)
                    continue
                if made.dropped and short:
                    report.left_out.setdefault(f"longer than {limit:,} tokens.", []).append(number)
                    continue
                if made.dropped:
                    report.truncated.append(number)
                report.kept.append(number)
                ids.append(array("i", made.input_ids))
                labels.append(self.number[label])
            if on_rows:
                on_rows(report.rows)
        if not ids:
            raise nothing(report)
        report.tokens, report.trained_tokens = sum(map(len, ids)), len(ids)
        report.longest = max(map(len, ids))
        return EncodedTexts({"input_ids": ids}, {"labels": labels}), report

    def _read(
        self, rows: Sequence[dict[str, Any]], layout: Layout, report: EncodeReport
    ) -> list[tuple[int, list[Segment], str]]:
        """(number, question, label) of the rows that have both."""
        made = []
        for number, row in enumerate(rows, report.rows):
            try:
                segments = question(row, layout, self.wording, self.tokenizer)
                label = answer_text(row, layout, self.wording, self.tokenizer)
            except InputError as error:
                if concerns_every_row(error, layout):
                    raise
                report.left_out.setdefault(reason_of(error), []).append(number)
                continue
            if label in self.number:
                made.append((number, segments, label))
            else:
                report.left_out.setdefault(UNSEEN if label else BLANK, []).append(number)
        report.rows += len(rows)
        return made

    def probe(self, row: dict[str, Any], place: int, layout: Layout) -> Probe:
        """See Objective."""
        return self._probe(row, place, layout, self.config.data.max_tokens)

    def _probe(self, row: dict[str, Any], place: int, layout: Layout, limit: int) -> Probe:
        segments = question(row, layout, self.wording, self.tokenizer)
        want = answer_text(row, layout, self.wording, self.tokenizer)
        ids = encode_questions([segments], self.tokenizer, limit)[0].input_ids
        return Probe("".join(segment.text for segment in segments), want, place, ids)

    # Learning

    def targets(self, rows: Sequence[Row], longest: int) -> torch.Tensor:
        """The number of each row's label (rows,)."""
        return torch.tensor([row["labels"] for row in rows])

    def counts(self, rows: Sequence[Row]) -> list[int]:
        """See Headed."""
        labels = rows.numbers["labels"] if isinstance(rows, EncodedTexts) else [row["labels"] for row in rows]
        return [int(n) for n in np.bincount(labels, minlength=len(self.labels))]

    def items(self, batch: Batch) -> torch.Tensor:
        """Rows, by weight."""
        return self.criterion.items(batch["labels"])

    def loss(self, model: Any, batch: Batch, items: torch.Tensor | None = None) -> torch.Tensor:
        """In nats a row."""
        return self.criterion.share(self.say(model, batch), batch["labels"], items)

    # Looking

    def validation(self, rows: Sequence[Row], batch_size: int, on: Precision) -> Callable[[Any], dict[str, float]]:
        """See Objective: loss (cross-entropy in nats a row, whatever is trained on), accuracy, macro_f1."""

        def measure(model: Any) -> dict[str, float]:
            total, wants, gives = 0.0, list[str](), list[str]()
            for _, batch, logits in self.look(model, rows, on):
                total += functional.cross_entropy(logits, batch["labels"], reduction="sum").item()
                wants += [self.labels[i] for i in batch["labels"].tolist()]
                gives += [self.labels[i] for i in logits.argmax(-1).tolist()]
            columns = {"references": wants, "predictions": gives}
            return {"loss": total / len(rows)} | metrics.compute(["accuracy", "macro_f1"], columns)

        return measure

    def answer(self, model: Any, probe: Probe, most: int, on: Precision) -> tuple[str, bool]:
        """The likeliest label, and how likely it is."""
        if not probe.ids:
            return "(no text)", True
        _, _, logits = next(self.look(model, [{"input_ids": probe.ids, "labels": 0}], on))
        best = self.chosen(logits[0], {}, probe.want)
        return f"{best.text} ({best.score:.0%})", True

    # Measuring

    def prepare(self, chosen: Chosen, room: int) -> Prepared:
        """See Objective; a row whose label the model does not know is asked all the same, and cannot be right."""
        source, limit = chosen.source, min(self.config.data.max_tokens, room)
        out, skipped = Prepared([], [], [], [], [], [], {}), Counter[str]()
        for place in chosen.places:
            row = source.rows[place]
            try:
                asked = self._probe(row, place, source.layout, limit)
            except InputError as error:
                if concerns_every_row(error, source.layout):
                    raise
                skipped[f"the conversation cannot be used ({str(error).rstrip('.')})"] += 1
                continue
            if not asked.want or not asked.ids:
                skipped["its text is empty" if asked.want else "it has no label"] += 1
                continue
            out.places.append(place)
            out.prompts.append(asked.ids)
            out.shown.append(asked.prompt)
            out.wants.append(asked.want)
        out.skipped.update(skipped)
        if not out.places:
            reason = max(skipped, key=lambda r: skipped[r]) if skipped else "there are none"
            raise InputError(f"No row of {source.name} can be asked: {reason}.", "evaluation.data")
        return out

    def asked(self, prepared: Prepared, at: int) -> Row:
        """See Headed."""
        return {"input_ids": prepared.prompts[at], "labels": 0}

    @classmethod
    def constant(cls, want: str, label: str, share: float) -> Answer:
        """See Headed."""
        return Answer(label, label, [], True, share)

    def chosen(self, logits: torch.Tensor, row: Row, want: str) -> Answer:
        """The likeliest label, with its probability."""
        probabilities = logits.softmax(-1)
        best = int(probabilities.argmax())
        label = self.labels[best]
        return Answer(label, label, [], True, float(probabilities[best]))


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
