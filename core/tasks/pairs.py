"""Two texts a row, each made a vector by the same model: the loss is on how near the two vectors are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from core.config import RunConfig
from core.data.bulk import UNDESIRED
from core.data.encode_report import EncodeReport
from core.data.encoded import EncodedTexts
from core.data.formats import Layout, is_bad
from core.data.sources import Source
from core.data.turns import as_text
from core.data.whole import encode_texts
from core.errors import InputError
from core.evaluation import metrics as table
from core.evaluation.rows import Chosen, Prepared
from core.losses import load
from core.models.heads import VECTOR
from core.models.load import Precision
from core.models.tokenizer import pad_id
from core.tasks import similarity
from core.tasks.base import Answer
from core.tasks.objective import Batch, Objective, Probe, Row
from core.tasks.pair_rows import Meaning, columns, meaning_of
from core.tasks.vectors import embed, fill, vectors
from core.training.validation import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BATCH = 1000  # rows that are encoded in one call to the tokenizer
EMPTY, NO_LABEL = "one of the two texts is empty.", "the label says nothing about how alike the texts are."
APART = "the two texts differ, and multiple_negatives learns from pairs that are alike."
AUTO = {"score": "cosine", "classes": "contrastive", "none": "multiple_negatives"}


class Work(Objective):
    """Similarity by the cosine of mean-pooled vectors. `labels`: what those of the rows say, see pair_rows.Meaning."""

    head = VECTOR

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pad = pad_id(self.tokenizer)
        self.meaning = Meaning.of(self.labels)
        self.metrics = _metrics(self.meaning)
        self.notes = [self.meaning.sentence()]

    @functools.cached_property
    def loss_name(self) -> str:
        """The loss that is set, or the one that suits the labels.

        Raises:
            InputError: (training.loss) the rows have no label, and the loss wants one.
        """
        wanted = self.config.training.loss
        if wanted == "auto":
            return AUTO[self.meaning.kind]
        if self.meaning.kind == "none" and wanted != "multiple_negatives":
            raise InputError(
                f"These rows have no label, and the loss {wanted} learns from labels: choose multiple_negatives, or "
                "a column that says how alike the two texts are.",
                "training.loss",
            )
        return wanted

    @functools.cached_property
    def each(self) -> Callable[..., torch.Tensor]:
        """The loss of each pair: (settings, first, second, alike) -> (pairs,). InputError: it is broken."""
        return load.function(self.loss_name)

    # Rows

    @classmethod
    def find_labels(
        cls, source: Source, places: Sequence[int], config: RunConfig, tokenizer: PreTrainedTokenizerFast
    ) -> list[str]:
        """See Objective: the kind of label, the one of texts that differ, and the one of texts that agree."""
        return meaning_of(source, places).labels

    def unfit(self, source: Source, places: Sequence[int]) -> list[str]:
        """See Objective."""
        return similarity.unfit(source, places)

    def encode(
        self, rows: Sequence[dict[str, Any]], layout: Layout, on_rows: Callable[[int], None] | None = None
    ) -> tuple[EncodedTexts, EncodeReport]:
        """See Objective: {"input_ids", "second_input_ids", "alike"}, each text of at most data.max_tokens."""
        report, first, second = EncodeReport(), list[list[int]](), list[list[int]]()
        self.each  # noqa: B018 - loaded now: what is wrong with a loss is said before the rows are read
        alike, limit, drop = list[float](), self.config.data.max_tokens, "drop_long" in self.config.data.fixes
        for start in range(0, len(rows), BATCH):
            texts, said, kept = list[str](), list[float](), list[int]()
            for place, row in enumerate(rows[start : start + BATCH], start):
                reason, one, other, label = self._read(row, layout)
                if reason:
                    report.left_out.setdefault(reason, []).append(place)
                else:
                    texts += [one, other]
                    said.append(label)
                    kept.append(place)
            ids, cut = encode_texts(texts, self.tokenizer, limit)
            long = {kept[place // 2] for place in cut}
            for n, place in enumerate(kept):
                if place in long and drop:
                    report.left_out.setdefault(f"longer than {limit:,} tokens.", []).append(place)
                    continue
                first.append(ids[2 * n])
                second.append(ids[2 * n + 1])
                alike.append(said[n])
                report.kept.append(place)
                report.text_cut += [place] if place in long else []
            if on_rows:
                on_rows(min(start + BATCH, len(rows)))
        if not first:
            reason = next(iter(report.left_out), "there are no rows.")
            raise InputError(f"No pair can be learned from: {reason}", "data.path")
        made = EncodedTexts({"input_ids": first, "second_input_ids": second}, {"alike": alike})
        lengths = [len(one) + len(other) for one, other in zip(first, second, strict=True)]
        report.rows, report.tokens, report.trained_tokens = len(rows), sum(lengths), sum(lengths)
        report.longest = int(made.lengths.max())
        return made, report

    def _read(self, row: dict[str, Any], layout: Layout) -> tuple[str, str, str, float]:
        """(why the row is left out or "", first text, second text, how alike they are)."""
        one, other, label = columns(layout)
        if is_bad(row.get(layout.roles.get("desired", ""))):
            return UNDESIRED, "", "", 0.0
        first, second = as_text(row.get(one)), as_text(row.get(other))
        if not first.strip() or not second.strip():
            return EMPTY, "", "", 0.0
        alike = 1.0 if self.meaning.kind == "none" else self.meaning.alike(row.get(label))
        if alike is None:
            return NO_LABEL, "", "", 0.0
        return APART if self.loss_name == "multiple_negatives" and alike < 0.5 else "", first, second, alike

    def probe(self, row: dict[str, Any], place: int, layout: Layout) -> Probe:
        """See Objective."""
        _, first, second, alike = self._read(row, layout)
        ids, _ = encode_texts([first, second], self.tokenizer, self.config.data.max_tokens)
        return Probe(f"{first}\n{second}", _in_words(alike), place, ids)

    # Learning

    def collate(self, rows: Sequence[Row]) -> Batch:
        """See Objective: ids and masks of both texts, each (rows, longest), and how alike they are (rows,)."""
        ids, mask = fill([row["input_ids"] for row in rows], self.pad)
        second, second_mask = fill([row["second_input_ids"] for row in rows], self.pad)
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "second_input_ids": second,
            "second_attention_mask": second_mask,
            "alike": torch.tensor([row["alike"] for row in rows], dtype=torch.float32),
        }

    def items(self, batch: Batch) -> torch.Tensor:
        """Pairs."""
        return torch.tensor(len(batch["alike"]))

    def loss(self, model: Any, batch: Batch, items: torch.Tensor | None = None) -> torch.Tensor:
        """See Objective: of pairs, by training.loss."""
        first = embed(model, batch["input_ids"], batch["attention_mask"])
        second = embed(model, batch["second_input_ids"], batch["second_attention_mask"])
        each = self._each(first, second, batch["alike"])
        return each.sum() / (self.items(batch) if items is None else items).clamp(min=1)

    def _each(self, first: torch.Tensor, second: torch.Tensor, alike: torch.Tensor) -> torch.Tensor:
        return self.each(self.config.training, first, second, alike)

    def trained(self, batch: Batch) -> int:
        """See Objective: all tokens of both texts."""
        return self.read(batch)

    def read(self, batch: Batch) -> int:
        """See Objective: those of both texts."""
        return int(batch["attention_mask"].sum() + batch["second_attention_mask"].sum())

    # Looking

    def outputs(self, model: Any, rows: Sequence[Row]) -> torch.Tensor:
        """The vectors of the first row's two texts (2, width)."""
        return vectors(model, [rows[0]["input_ids"], rows[0]["second_input_ids"]], self.pad).contiguous()

    def validation(self, rows: Sequence[Row], batch_size: int, on: Precision) -> Callable[[Any], dict[str, float]]:
        """See Objective: loss, and the metrics of the labels.

        Of multiple negatives the loss is that of batches of `batch_size` rows in their order.
        """
        texts = [row["input_ids"] for row in rows], [row["second_input_ids"] for row in rows]
        alike = torch.tensor([row["alike"] for row in rows], dtype=torch.float32)

        def measure(model: Any) -> dict[str, float]:
            with quiet(model, on):
                first, second = (vectors(model, side, self.pad) for side in texts)
                parts = range(0, len(alike), batch_size)
                each = [self._each(*(x[i : i + batch_size] for x in (first, second, alike))).sum() for i in parts]
            loss = float(torch.stack(each).sum() / len(alike))
            if self.meaning.kind == "none":
                nearest = _nearest(first, second)
                same = [texts[1][n] == texts[1][i] for i, n in enumerate(nearest)]
                return {"loss": loss, "recall_at_1": sum(same) / len(same)}
            given = (first * second).sum(-1).tolist()
            return {"loss": loss} | table.compute(
                list(self.metrics),
                {"references": list(map(repr, alike.tolist())), "predictions": list(map(repr, given))},
            )

        return measure

    def answer(self, model: Any, probe: Probe, most: int, on: Precision) -> tuple[str, bool]:
        """How alike the two texts are, in words."""
        with quiet(model, on):
            first, second = vectors(model, probe.ids, self.pad)
        return _in_words(float(first @ second)), True

    # Measuring

    @classmethod
    def measures(cls, config: RunConfig, chosen: Chosen) -> list[str]:
        """See Objective: by what the labels of these rows say."""
        return list(_metrics(_meaning(chosen)))

    def prepare(self, chosen: Chosen, room: int) -> Prepared:
        """See Objective: `prompts` are the first texts, `examples` hold both; what is wanted is how alike they are, or
        the second text where rows have no label."""
        source = chosen.source
        meaning = self.meaning = _meaning(chosen)
        limit = max(1, min(self.config.data.max_tokens, room))
        out = Prepared([], [], [], [], [], [], {})
        for place in chosen.places:
            reason, first, second, alike = self._read(source.rows[place], source.layout)
            if reason and reason != APART:
                out.skipped[reason.rstrip(".")] = out.skipped.get(reason.rstrip("."), 0) + 1
                continue
            (one, other), _ = encode_texts([first, second], self.tokenizer, limit)
            out.places.append(place)
            out.prompts.append(one)
            out.shown.append(first if meaning.kind == "none" else f"{first}\n{second}")
            out.wants.append(second if meaning.kind == "none" else f"{alike:.4g}")
            out.examples.append((one, other))
            out.sizes.append(len(second.encode("utf-8", "replace")))
        if not out.places:
            why = max(out.skipped, key=lambda r: out.skipped[r]) if out.skipped else "there are none"
            raise InputError(f"No row of {source.name} can be compared: {why}.", "evaluation.data")
        return out

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
        """See Objective: the cosine of each pair; of rows without a label the nearest of all second texts."""
        texts = [one for one, _ in rows.examples] + [other for _, other in rows.examples]
        tell = (lambda done: on_progress(done / 2)) if on_progress else None
        made = vectors(model, texts, self.pad, tell, should_stop)
        first, second = made[: len(rows.places)], made[len(rows.places) :]
        if self.meaning.kind != "none":
            given = (first * second).sum(-1).tolist()
            return [Answer(f"{value:.6f}", f"{value:.6f}", [], True, value) for value in given]
        nearest = _nearest(first, second)
        sure = (first * second[nearest]).sum(-1).tolist()
        return [Answer(rows.wants[n].strip(), rows.wants[n], [], True, s) for n, s in zip(nearest, sure, strict=True)]


def _meaning(chosen: Chosen) -> Meaning:
    """What the labels say where the rows come from: a few of them might all have one label."""
    return meaning_of(chosen.source, range(len(chosen.source.rows)))


def _metrics(meaning: Meaning) -> tuple[str, ...]:
    if meaning.kind == "none":
        return similarity.OF_PARTNERS
    return similarity.METRICS + (similarity.OF_CLASSES if meaning.kind == "classes" else ())


def _nearest(first: torch.Tensor, second: torch.Tensor) -> list[int]:
    """Of each first vector the place of the nearest second one."""
    found: list[int] = []
    for part in first.split(BATCH):
        found += (part @ second.T).argmax(-1).tolist()
    return found


def _in_words(alike: float) -> str:
    return f"{alike:.2f} alike (1 = the same)"
