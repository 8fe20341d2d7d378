"""The metrics: a table with what each means, and `load`, which gives any of them as an `evaluate.Metric`.

No network, no model. A new metric is one entry of METRICS.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from core.errors import InputError, unknown
from core.evaluation.metrics import alike, entities, fields, likelihood, match, ngrams, rouge
from core.evaluation.metrics.base import Metric, ratio

if TYPE_CHECKING:
    import evaluate

METRICS: dict[str, Metric] = {
    m.key: m
    for m in (
        Metric("accuracy", "Accuracy", "share", True,
               "Share of the rows whose label is right.",
               match.same, ratio, leads="classification"),
        Metric("macro_f1", "F1 by label", "share", True,
               "F1 of each label, averaged: a rare label counts as much as a frequent one.",
               match.by_label, match.macro_f1),
        Metric("micro_f1", "F1 by row", "share", True,
               "F1 of all rows together; with one label a row it equals the accuracy.",
               match.by_label, match.micro_f1),
        Metric("exact_match", "Exact match", "share", True,
               "Share of the answers that are the reference to the letter; only white space is forgiven.",
               match.same, ratio),
        Metric("field_accuracy", "Fields right", "share", True,
               "Share of the reference's fields that the answer has with the same value; an answer that cannot be "
               "read has none.",
               fields.field_rows, ratio, leads="extraction"),
        Metric("valid", "Readable", "share", True,
               "Share of the answers that can be read as JSON (or as key = value lines, where the reference is).",
               fields.valid_rows, ratio),
        Metric("entity_f1", "Entities (F1)", "share", True,
               "Whole entities right, with their type: precision and recall in one figure.",
               entities.entity_rows, entities.f1),
        Metric("entity_precision", "Entities right", "share", True,
               "Share of the entities given that are right, from first to last word and with their type.",
               entities.entity_rows, entities.precision),
        Metric("entity_recall", "Entities found", "share", True,
               "Share of the entities wanted that are found.",
               entities.entity_rows, entities.recall),
        Metric("tag_accuracy", "Tags right", "share", True,
               "Share of the words whose tag is right; most words have none, so this is high from the start.",
               entities.tag_rows, ratio),
        Metric("bleu", "BLEU", "points", True,
               "Overlap in runs of one to four words, from 0 to 100, as sacrebleu reckons it.",
               ngrams.bleu_rows, ngrams.bleu, leads="generation", notes=ngrams.bleu_notes),
        Metric("chrf", "chrF", "points", True,
               "Overlap in runs of one to six characters, from 0 to 100: kinder to word endings than BLEU.",
               ngrams.chrf_rows, ngrams.chrf),
        Metric("rouge1", "ROUGE-1", "share", True,
               "Words that answer and reference share (F1).",
               partial(rouge.rouge_n, 1), ratio),
        Metric("rouge2", "ROUGE-2", "share", True,
               "Pairs of neighbouring words that answer and reference share (F1).",
               partial(rouge.rouge_n, 2), ratio),
        Metric("rougeL", "ROUGE-L", "share", True,
               "Longest run of words in the same order, gaps allowed, that answer and reference share (F1).",
               rouge.rouge_l, ratio, leads="summarization"),
        Metric("spearman", "Rank correlation", "correlation", True,
               "Whether the model puts the pairs in the order of their labels, from -1 (reversed) over 0 (by chance) "
               "to 1 (Spearman).",
               alike.spearman_rows, alike.correlation, leads="similarity"),
        Metric("pearson", "Linear correlation", "correlation", True,
               "Whether the model's similarity rises in proportion with the label, from -1 to 1 (Pearson).",
               alike.pearson_rows, alike.correlation),
        Metric("average_precision", "Average precision", "share", True,
               "Share of pairs that are alike among the nearest ones, averaged over all places where one is found.",
               alike.average_precision_rows, ratio),
        Metric("best_accuracy", "Accuracy at the best threshold", "share", True,
               "Share of the pairs on the right side of the similarity that parts these very rows best.",
               alike.best_accuracy_rows, ratio),
        Metric("recall_at_1", "Partner found", "share", True,
               "Share of the first texts whose nearest second text, among all of these rows, is their own.",
               match.same, ratio),
        Metric("perplexity", "Perplexity", "choices per token", False,
               "How many tokens the model wavers between at each step of the right answer; 1 is certainty.",
               likelihood.surprise_rows, likelihood.perplexity, inputs=("nll", "tokens")),
        Metric("bits_per_byte", "Bits per byte", "bits per byte", False,
               "How many bits the model needs for each byte of the right answer; comparable between models.",
               likelihood.surprise_rows, likelihood.bits_per_byte, inputs=("nll", "bytes")),
        Metric("stopped_by_itself", "Stops by itself", "share", True,
               "Share of the answers that ended with the end token, not at the limit.",
               likelihood.stopped_rows, ratio, inputs=("stopped",)),
    )
}  # fmt: skip


def find(name: str) -> Metric:
    """The metric of a name. InputError, with the nearest name, where there is none."""
    if name not in METRICS:
        raise InputError(unknown("metric", name, METRICS), "metrics")
    return METRICS[name]


def load(name: str) -> evaluate.Metric:
    """A metric as an `evaluate.Metric`, so that `compute`, `add_batch` and `evaluate.combine` work with it.

    It takes `predictions` and `references`, both texts; perplexity takes `nll` (nats a row) and `tokens`,
    bits_per_byte `nll` and `bytes`, stopped_by_itself `stopped`. Works without a network and writes no file.

    Raises:
        InputError: there is no such metric.
    """
    from core.evaluation.metrics import library  # late: importing evaluate takes seconds

    return library.wrap(find(name))


def compute(names: list[str], columns: dict[str, Any]) -> dict[str, float]:
    """The metrics of those names, over columns of equal length: references and predictions, nll, tokens, bytes."""
    return {name: find(name).compute(**{c: columns[c] for c in find(name).inputs}) for name in names}
