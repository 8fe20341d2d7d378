"""From a config to token ids: rows to train on, rows that are kept back, and the one that is asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerFast

from core.config import RunConfig
from core.data.augment import plan
from core.data.bulk import encode_rows
from core.data.dataset import open_examples
from core.data.encode import encode_prompt
from core.data.encode_report import EncodeReport
from core.data.encoded import EncodedRows
from core.data.sources import Source
from core.data.split import split_source
from core.data.template import Wording, answer_text, prompt_segments, render
from core.errors import InputError
from core.models.tokenizer import end_ids, load_tokenizer, pad_id
from core.tasks import fit
from core.training.validation import Probe


@dataclass(frozen=True)
class Examples:
    """All that training needs of the data and the tokenizer.

    Attributes:
        pad: the id that fills batches. ends: the ids that end an answer.
        train, validation: encoded rows; validation is empty when its share is 0.
        probe: a row of the validation set, or of the training set where there is none.
        notes: what was left out or cut, one sentence each.
        data: name, path, fingerprint and sizes, for environment.json and the model card.
    """

    tokenizer: PreTrainedTokenizerFast
    pad: int
    ends: set[int]
    train: EncodedRows
    validation: EncodedRows
    probe: Probe
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
    tokenizer = load_tokenizer(config.model.path, config.model.revision)
    source = open_examples(config)
    count = len(source.rows)
    if not count:
        raise InputError(f"{config.data.path!r} has no rows.", "data.path")
    if count < 2 and config.data.validation and not config.data.folds:
        raise InputError(
            "There is one row only, so none can be kept back: add rows, or set the validation share to 0.",
            "data.validation",
        )
    parts = split_source(source, config)
    fit.require(source, parts.train, config, tokenizer)
    planned = plan(source, parts.train, config)
    total = len(planned.places) + len(parts.validation)

    def encode(rows: Sequence[dict[str, Any]], done: int) -> tuple[EncodedRows, EncodeReport]:
        return encode_rows(rows, source.layout, config, tokenizer, lambda n: on_rows(done + n, total))

    train, report = encode(planned.rows(source, config), 0)
    notes, longest = [*source.notes, *parts.notes, *planned.notes, *report.sentences()], report.longest
    validation, row = EncodedRows.none(), planned.places[report.kept[0]]
    if parts.validation:
        validation, held = encode(source.rows.take(parts.validation), len(planned.places))
        notes += [f"Of the rows kept back: {sentence}" for sentence in held.sentences()]
        longest, row = max(longest, held.longest), parts.validation[held.kept[0]]
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
    chat = Wording.of(config.data).chat_template(tokenizer)
    ends, pad = end_ids(tokenizer, config.model.path, chat), pad_id(tokenizer, chat)
    return Examples(tokenizer, pad, ends, train, validation, _probe(source, row, config, tokenizer), notes, data)


def _probe(source: Source, place: int, config: RunConfig, tokenizer: PreTrainedTokenizerFast) -> Probe:
    """The row at a place of the file, as inference sends it."""
    row, wording = source.rows[place], Wording.of(config.data)
    segments = prompt_segments(render(row, source.layout, wording, tokenizer))
    return Probe(
        prompt="".join(segment.text for segment in segments),
        want=answer_text(row, source.layout, wording, tokenizer),
        ids=encode_prompt(segments, tokenizer, config.data.max_tokens),
        row=place,
    )
