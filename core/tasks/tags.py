"""Extraction by a head: every word of a text gets a tag, and the tags mark the entities in it.

The words are read with a space between them. The first token of a word carries its tag, the others none, as in BERT's
paper (Devlin et al. 2019). An encoder sees the whole text at every word; a decoder only what stands before a word and
the word itself, so that it misses whatever follows: take an encoder where there is one.
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
from core.data.bulk import in_batches
from core.data.encode_report import EncodeReport
from core.data.encoded import IGNORED, EncodedTexts
from core.data.formats import Layout
from core.data.sources import Source
from core.data.tagged import NOT_COUNTED, OUTSIDE, entities, tagged_words
from core.data.worded import encode_words
from core.errors import InputError
from core.evaluation import metrics
from core.evaluation.metrics.entities import read, write
from core.evaluation.rows import Chosen, Prepared
from core.models.heads import TAGS
from core.models.load import Precision
from core.tasks.base import Answer
from core.tasks.extraction import TAG_METRICS
from core.tasks.headed import Headed, nothing
from core.tasks.objective import Batch, Probe, Row

LAYOUT = "tokens_tags"
UNSEEN = "a tag of theirs is in none of the rows that are trained on."
UNTAGGED = "they are no words with a tag for each."
EMPTY = "nothing of them can be read."


class Work(Headed):
    """A tag for each word."""

    head = TAGS
    metrics = TAG_METRICS

    # Rows

    @classmethod
    def occurrences(
        cls, source: Source, places: Sequence[int], config: RunConfig, tokenizer: PreTrainedTokenizerFast
    ) -> Counter[str]:
        """See Headed: the tags of all words."""
        found = Counter[str]()
        if source.layout.name == LAYOUT:
            for row in source.rows.take(places):
                found.update(_tagged(row, source.layout)[1])
        del found[NOT_COUNTED]
        return found

    def unfit(self, source: Source, places: Sequence[int]) -> list[str]:
        """See Objective."""
        need = "Tags need rows with a list of words and a list of as many tags"
        if source.layout.name != LAYOUT:
            return [
                f"{need}; these rows have {_and(source.columns)}. Choose such rows, or let a model write the fields: "
                "the head lm."
            ]
        if len(self.labels) < 2:
            return [f"{need}, of two kinds at least; these have {_and(self.labels) or 'none'}."]
        if self.config.augmentation.copies:
            raise InputError(
                "Copies change the words of a text, and here each word has its tag: set the copies to 0.",
                "augmentation.copies",
            )
        return []

    def encode(
        self, rows: Sequence[dict[str, Any]], layout: Layout, on_rows: Callable[[int], None] | None = None
    ) -> tuple[EncodedTexts, EncodeReport]:
        """See Objective: {"input_ids", "labels": the number of a tag at the first token of its word, else -100}."""
        report = EncodeReport()
        ids: list[array[int]] = []
        tags: list[array[int]] = []
        limit, short = self.config.data.max_tokens, "drop_long" in self.config.data.fixes
        for batch in in_batches(rows):
            asked = self._read(batch, layout, report)
            made = encode_words([words for _, words, _ in asked], self.tokenizer, limit)
            for (number, words, marks), worded in zip(asked, made, strict=True):
                if not worded.kept:
                    report.left_out.setdefault(EMPTY, []).append(number)
                    continue
                if worded.kept < len(words) and short:
                    report.left_out.setdefault(f"longer than {limit:,} tokens.", []).append(number)
                    continue
                if worded.kept < len(words):
                    report.text_cut.append(number)
                labels = [IGNORED if at is None else self.number.get(marks[at], IGNORED) for at in worded.words]
                report.unread += worded.unread
                report.trained_tokens += sum(label != IGNORED for label in labels)
                report.kept.append(number)
                ids.append(array("i", worded.ids))
                tags.append(array("i", labels))
            if on_rows:
                on_rows(report.rows)
        if not report.trained_tokens:
            raise nothing(report)
        report.tokens, report.longest = sum(map(len, ids)), max(map(len, ids))
        return EncodedTexts({"input_ids": ids, "labels": tags}), report

    def _read(
        self, rows: Sequence[dict[str, Any]], layout: Layout, report: EncodeReport
    ) -> list[tuple[int, list[str], list[str]]]:
        """(number, words, tags) of the rows whose tags are all known."""
        made = []
        for number, row in enumerate(rows, report.rows):
            words, tags = _tagged(row, layout)
            if not words:
                report.left_out.setdefault(UNTAGGED, []).append(number)
            elif not all(tag in self.number or tag == NOT_COUNTED for tag in tags):
                report.left_out.setdefault(UNSEEN, []).append(number)
            else:
                made.append((number, words, tags))
        report.rows += len(rows)
        return made

    def probe(self, row: dict[str, Any], place: int, layout: Layout) -> Probe:
        """See Objective."""
        words, tags = _tagged(row, layout)
        worded = encode_words([words], self.tokenizer, self.config.data.max_tokens)[0]
        return Probe(prompt=" ".join(words), want=_said(words, tags), row=place, ids=(words, worded))

    # Learning

    def targets(self, rows: Sequence[Row], longest: int) -> torch.Tensor:
        """The number of the tag at each token (rows, longest), -100 where none is learned."""
        labels = torch.full((len(rows), longest), IGNORED)
        for n, row in enumerate(rows):
            labels[n, : len(row["labels"])] = torch.tensor(row["labels"])
        return labels

    def counts(self, rows: Sequence[Row]) -> list[int]:
        """See Headed."""
        whole = rows.texts["labels"][0] if isinstance(rows, EncodedTexts) else None
        tags = np.concatenate([row["labels"] for row in rows]) if whole is None else whole
        return [int(n) for n in np.bincount(tags[tags != IGNORED], minlength=len(self.labels))]

    def items(self, batch: Batch) -> torch.Tensor:
        """Words, by weight of their tags."""
        return self.criterion.items(batch["labels"][batch["labels"] != IGNORED])

    def loss(self, model: Any, batch: Batch, items: torch.Tensor | None = None) -> torch.Tensor:
        """In nats a word."""
        tagged = batch["labels"] != IGNORED
        return self.criterion.share(self.say(model, batch)[tagged], batch["labels"][tagged], items)

    # Looking

    def validation(self, rows: Sequence[Row], batch_size: int, on: Precision) -> Callable[[Any], dict[str, float]]:
        """See Objective: loss (cross-entropy in nats a word, whatever is trained on), entity_f1, tag_accuracy."""

        def measure(model: Any) -> dict[str, float]:
            total, count, wants, gives = 0.0, 0, list[str](), list[str]()
            for _, batch, logits in self.look(model, rows, on):
                tagged = batch["labels"] != IGNORED
                total += functional.cross_entropy(logits[tagged], batch["labels"][tagged], reduction="sum").item()
                count += int(tagged.sum())
                for want, got, there in zip(batch["labels"], logits.argmax(-1), tagged, strict=True):
                    wants.append(self._text(want[there].tolist()))
                    gives.append(self._text(got[there].tolist()))
            columns = {"references": wants, "predictions": gives}
            return {"loss": total / max(count, 1)} | metrics.compute(["entity_f1", "tag_accuracy"], columns)

        return measure

    def _text(self, numbers: Sequence[int]) -> str:
        return write([""] * len(numbers), [self.labels[i] for i in numbers])

    def answer(self, model: Any, probe: Probe, most: int, on: Precision) -> tuple[str, bool]:
        """The entities that are found."""
        words, worded = probe.ids
        if not worded.kept:
            return "(nothing to read)", True
        row = _asked(worded.ids, worded.words)
        _, _, logits = next(self.look(model, [row], on))
        return _said(words, self._tags(logits[0], row, len(words))), True

    # Measuring

    @classmethod
    def measures(cls, config: RunConfig, chosen: Chosen) -> list[str]:
        """See Objective."""
        return list(cls.metrics)

    def prepare(self, chosen: Chosen, room: int) -> Prepared:
        """See Objective; `examples` say of each token which word it begins."""
        source, limit = chosen.source, min(self.config.data.max_tokens, room)
        if source.layout.name != LAYOUT:
            raise InputError(
                f"Tags are measured on rows with a list of words and a list of tags; {source.name} has "
                f"{_and(source.columns)}.",
                "evaluation.data",
            )
        out, skipped = Prepared([], [], [], [], [], [], {}), Counter[str]()
        for place in chosen.places:
            words, tags = _tagged(source.rows[place], source.layout)
            worded = encode_words([words], self.tokenizer, limit)[0] if words else None
            if worded is None or not worded.kept:
                skipped["it has no words with a tag for each" if not words else "nothing of it can be read"] += 1
                continue
            out.places.append(place)
            out.prompts.append(worded.ids)
            out.shown.append(" ".join(words))
            out.wants.append(write(words, tags))
            out.examples.append((worded.ids, [IGNORED if at is None else at for at in worded.words]))
        out.skipped.update(skipped)
        if not out.places:
            reason = max(skipped, key=lambda r: skipped[r]) if skipped else "there are none"
            raise InputError(f"No row of {source.name} can be asked: {reason}.", "evaluation.data")
        return out

    def asked(self, prepared: Prepared, at: int) -> Row:
        """See Headed: the labels are the words that begin there."""
        ids, words = prepared.examples[at]
        return {"input_ids": ids, "labels": words}

    @classmethod
    def constant(cls, want: str, label: str, share: float) -> Answer:
        """See Headed."""
        text = write([part.rpartition("/")[0] for part in want.split(" ")], [label] * len(read(want)))
        return Answer(text, text, [], True, share)

    def chosen(self, logits: torch.Tensor, row: Row, want: str) -> Answer:
        """The likeliest tag of each word, and none for words that could not be read."""
        wanted = read(want)
        tags = self._tags(logits, row, len(wanted))
        tags = [NOT_COUNTED if w == NOT_COUNTED else tag for w, tag in zip(wanted, tags, strict=True)]
        words = [part.rpartition("/")[0] for part in want.split(" ")]
        text = write(words, tags)
        return Answer(text, text, [], True)

    def _tags(self, logits: torch.Tensor, row: Row, count: int) -> list[str]:
        """The tag of each of so many words."""
        tags = [next((label for label in self.labels if label in OUTSIDE), "O")] * count
        for at, number in zip(row["labels"], logits.argmax(-1).tolist(), strict=False):
            if at != IGNORED:
                tags[at] = self.labels[number]
        return tags


def _tagged(row: dict[str, Any], layout: Layout) -> tuple[list[str], list[str]]:
    """Words and tags of a row; none where they do not go together."""
    try:
        return tagged_words(row, layout)
    except InputError:
        return [], []


def _asked(ids: Sequence[int], words: Sequence[int | None]) -> Row:
    return {"input_ids": list(ids), "labels": [IGNORED if at is None else at for at in words]}


def _said(words: Sequence[str], tags: Sequence[str]) -> str:
    """Entities in words: "PER: Ada Lovelace; LOC: Ghent"."""
    found = entities(words, tags)
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in found.items()) or "(no entities)"


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
