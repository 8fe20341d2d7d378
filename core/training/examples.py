"""From a config to token ids: rows to train on, rows that are kept back, and those that are asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.config import RunConfig
from core.data.augment import plan
from core.data.checks.unused import glance
from core.data.dataset import open_examples
from core.data.encode_report import EncodeReport
from core.data.labels import count_labels
from core.data.sources import Source
from core.data.split import LISTED, Split, split_source
from core.errors import InputError
from core.evaluation.rows import Chosen
from core.limited.asks import try_first
from core.limits import refuse_rows
from core.models.remarks import remarks
from core.models.tokenizer import load_tokenizer
from core.tasks.objective import Objective, Probe, Row, objective_of


@dataclass(frozen=True)
class Examples:
    """All that training needs of the data and the tokenizer.

    Attributes:
        objective: how they are learned. train, validation: encoded rows; validation is empty when its share is 0.
        probes: rows of the validation set, or of the training set where there is none.
        places: of the training rows in the data, from 0: the row of the file that `train[i]` comes from.
        held: the rows of the data that are kept back, and the data itself.
        notes: what was left out or cut, one sentence each.
        data: name, path, fingerprint and sizes, for environment.json and the model card.
    """

    objective: Objective
    train: Sequence[Row]
    validation: Sequence[Row]
    probes: list[Probe]
    places: list[int]
    held: Chosen
    notes: list[str]
    data: dict[str, Any]


def prepare(config: RunConfig, on_rows: Callable[[int, int], None]) -> Examples:
    """Read, split and encode the data of a config.

    Args:
        on_rows: told how many rows of how many are encoded.

    Raises:
        InputError: with its field: the data, the model's tokenizer or the template cannot be used, or nothing is left
            to train on or to validate with.
    """
    source = open_examples(config)
    count = len(source.rows)
    if not count:
        raise InputError(f"{config.data.path!r} has no rows.", "data.path")
    refuse_rows(count)
    if count < 2 and config.data.validation and not config.data.folds:
        raise InputError(
            "There is one row only, so none can be kept back: add rows, or set the validation share to 0.",
            "data.validation",
        )
    try_first(config, source)
    tokenizer = load_tokenizer(config.model.path, config.model.revision)
    parts = split_source(source, config)
    objective = objective_of(config, tokenizer, source, parts.train)
    planned = plan(source, parts.train, config)
    total = len(planned.places) + len(parts.validation)
    refuse_rows(total, "augmentation")

    def encode(rows: Sequence[dict[str, Any]], done: int) -> tuple[Sequence[Row], EncodeReport]:
        return objective.encode(rows, source.layout, lambda n: on_rows(done + n, total))

    train, report = encode(planned.rows(source, config), 0)
    objective.weigh(train)
    known = remarks(config.model.path, config.model.revision, config.data.template)
    notes, longest = [*known, *source.notes, *glance(source, config), *parts.notes, *planned.notes], report.longest
    notes += [*objective.notes, *report.sentences()]
    if parts.validation and (lost := only_kept(source, parts)):
        notes.append(f"Only rows that are kept back have these labels, so they are not learned: {', '.join(lost)}.")
    validation: Sequence[Row] = ()
    asked = [planned.places[i] for i in report.kept]
    if parts.validation:
        validation, held = encode(source.rows.take(parts.validation), len(planned.places))
        notes += [f"Of the rows kept back: {sentence}" for sentence in held.sentences()]
        longest, asked = max(longest, held.longest), [parts.validation[i] for i in held.kept]
    data = {
        "name": source.name,
        "path": config.data.path,
        "fingerprint": source.fingerprint,
        "rows": count,
        "added_rows": planned.added,
        "left_out_rows": planned.left_out,
        "train_rows": len(train),
        "validation_rows": len(validation),
        "trained_tokens": report.trained_tokens,
        "longest": longest,
    }
    return Examples(
        objective=objective,
        train=train,
        validation=validation,
        probes=[objective.probe(source.rows[i], i, source.layout) for i in spaced(asked, config.training.sample_rows)],
        places=[planned.places[i] for i in report.kept],
        held=Chosen(source, asked if parts.validation else [], "validation"),
        notes=notes,
        data=data,
    )


def only_kept(source: Source, parts: Split) -> list[str]:
    """The first labels that rows kept back have and no row to train on; [] for rows without labels."""
    if source.layout.name != "text_label":
        return []
    counted = count_labels(source.rows, parts, source.layout.roles["label"])
    return [repr(one.label) for one in counted if one.kept and not one.train and one.label.strip()][:LISTED]


def spaced(places: Sequence[int], count: int) -> list[int]:
    """At most so many of the places, evenly spaced, the first among them."""
    count = min(count, len(places))
    return [places[i * len(places) // count] for i in range(count)]
