"""Which rows a model is measured on: for a run those that it never saw, else those given. Light: no torch."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.config import RunConfig
from core.data.dataset import open_examples, open_heldout, readable
from core.data.encode import encode, encode_prompt, is_blank, tokenise
from core.data.formats import answer_column, as_text
from core.data.sides import encode_question, encode_sides, ids_of_sides, parted, sides
from core.data.sources import Source, open_data
from core.data.split import split_source
from core.data.template import Segment, Wording, answer_text, concerns_every_row, parse, prompt_segments, render
from core.errors import InputError
from core.limits import refuse_rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MOST_GROUPS, MOST_GROUP_COLUMNS = 8, 3
_BOUNDS = re.compile(r"\[\s*(-?\d+)?\s*:\s*(-?\d+)?\s*\]")
_SPLIT = re.compile(r"(?P<name>train|validation)|(?P<slice>\[[^\[\]]*\])")


@dataclass(frozen=True)
class Chosen:
    """The rows to measure on.

    Attributes:
        source: where they are. places: which of its rows, in the order of the file.
        which: "held-out", "validation", "train" or "given".
        notes: what a person should know about them, one sentence each.
    """

    source: Source
    places: list[int]
    which: str
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Prepared:
    """Those rows as one model reads them, all lists of the same length.

    Attributes:
        places: rows of the source. prompts: token ids that the model is given. shown: their text.
        wants: reference answers. examples: (input_ids, labels) with all answers. sizes: their bytes in UTF-8.
        skipped: rows that cannot be asked, by reason.
    """

    places: list[int]
    prompts: list[list[int]]
    shown: list[str]
    wants: list[str]
    examples: list[tuple[list[int], list[int]]]
    sizes: list[int]
    skipped: dict[str, int]


def choose(config: RunConfig | None, data: str | None, split: str | None, max_rows: int) -> Chosen:
    """The rows to measure on, at most `max_rows`, evenly spaced.

    Args:
        config: of a run, or None for a model alone, for which `data` must be given.
        data: a path or Hub id, with an optional slice. None: the config's evaluation.data, else its validation rows.
        split: "validation" or "train" of a run's own data, or a slice such as "[:100]" of the data.

    Raises:
        InputError: there are no such rows, or the split cannot be understood.
    """
    name, part = _split(split)
    if data is None and config is None:
        raise InputError("Give the rows to measure on, with --data: only a run knows its own.", "evaluation.data")
    if name and (data is not None or config is None):
        raise InputError(
            f"--split {name} means rows of a run's own data: give a run, and no --data.", "evaluation.data"
        )
    named = data
    if named is None and not name and config is not None:
        named = config.evaluation.data
    if named is not None:
        if part and named.rstrip().endswith("]"):
            raise InputError(f"{named!r} has a slice already, and --split gives another: {part}.", "evaluation.data")
        source, which = _open(config, named + part), "given" if data is not None else "held-out"
        places = list(range(len(source.rows)))
    else:
        assert config is not None  # noqa: S101 - for the type checker: refused above
        source, places, which = _own(config, name or "validation", part)
    notes = [*source.notes]
    if which == "train":
        notes.append("These rows were trained on: what is measured here is memory, not skill.")
    if not places:
        raise InputError(f"{source.path!r} has no rows to measure on.", "evaluation.data")
    if len(places) > max_rows:
        notes.append(f"{max_rows:,} of {len(places):,} rows, evenly spaced (evaluation.max_rows).")
        places = [places[i * len(places) // max_rows] for i in range(max_rows)]
    refuse_rows(len(places), "evaluation.data")
    return Chosen(source, places, which, notes)


def _split(split: str | None) -> tuple[str, str]:
    """(name, slice) of a --split; at most one of them is set."""
    if split is None:
        return "", ""
    found = _SPLIT.fullmatch(split.strip())
    if not found:
        raise InputError(
            f"--split {split!r} is not known: write validation or train (the rows of a run), or a slice of the "
            "data such as [:100].",
            "evaluation.data",
        )
    return found["name"] or "", found["slice"] or ""


def _open(config: RunConfig | None, spec: str) -> Source:
    """Rows of their own, read as those of the config are."""
    try:
        return readable(open_data(spec)) if config is None else open_heldout(config, spec)
    except InputError as error:
        raise InputError(str(error), "evaluation.data") from None


def _own(config: RunConfig, name: str, part: str) -> tuple[Source, list[int], str]:
    """Rows of a run's own data: exactly those that training kept back, or those that it took."""
    try:
        source = open_examples(config)
    except InputError as error:
        raise InputError(str(error), "evaluation.data") from None
    parts = split_source(source, config)
    places = parts.train if name == "train" else parts.validation
    if not places:
        raise InputError(
            "This run kept no rows back (data.validation is 0) and names no held-out data: give some with --data.",
            "evaluation.data",
        )
    if part:
        places = _slice(places, part)
    return source, places, name


def _slice(places: list[int], part: str) -> list[int]:
    bounds = _BOUNDS.fullmatch(part)
    if not bounds:
        raise InputError(
            f"--split {part} is no slice of these rows: write [start:stop] with whole numbers.", "evaluation.data"
        )
    kept = places[slice(*(int(b) if b else None for b in bounds.groups()))]
    if not kept:
        raise InputError(f"--split {part} holds no rows: there are {len(places):,}.", "evaluation.data")
    return kept


def prepare(
    chosen: Chosen, config: RunConfig, tokenizer: PreTrainedTokenizerFast, room: int, apart: bool = False
) -> Prepared:
    """The rows as a model with this tokenizer reads them, by the functions that training uses.

    Args:
        room: the longest prompt, in tokens, that leaves place for an answer.
        apart: what is read and what is answered are texts of their own (core.data.sides): so are those of `examples`.

    Raises:
        InputError: the template does not fit the columns (naming the one that was probably meant), or no row is left.
    """
    source, wording = chosen.source, Wording.of(config.data)
    limit = config.data.max_tokens
    out = Prepared([], [], [], [], [], [], {})
    skipped: Counter[str] = Counter()
    for place in chosen.places:
        row = source.rows[place]
        try:
            segments = render(row, source.layout, wording, tokenizer)
        except InputError as error:
            if concerns_every_row(error, source.layout):
                raise
            skipped[f"the conversation cannot be used ({str(error).rstrip('.')})"] += 1
            continue
        encoded = (encode_sides if apart else encode)(segments, tokenizer, limit)
        if is_blank(segments) or not encoded.trained:
            skipped["it has no answer" if is_blank(segments) else "nothing of the answer fits"] += 1
            continue
        asked = prompt_segments(segments)
        answer = [i for i in encoded.labels if i >= 0]
        out.places.append(place)
        out.prompts.append((encode_question if apart else encode_prompt)(asked, tokenizer, max(1, min(limit, room))))
        out.shown.append("".join(s.text for s in asked))
        out.wants.append(answer_text(row, source.layout, wording, tokenizer, segments))
        both = parted(encoded) if apart else {"input_ids": encoded.input_ids, "labels": encoded.labels}
        out.examples.append((both["input_ids"], both["labels"]))
        out.sizes.append(len(str(tokenizer.decode(answer, skip_special_tokens=True)).encode("utf-8", "replace")))
    out.skipped.update(skipped)
    if not out.places:
        reason = max(skipped, key=lambda r: skipped[r]) if skipped else "there are none"
        raise InputError(f"No row of {source.name} can be asked: {reason}.", "evaluation.data")
    return out


def labels(
    source: Source,
    places: Sequence[int],
    config: RunConfig,
    tokenizer: PreTrainedTokenizerFast,
    most: int,
    apart: bool = False,
) -> dict[str, list[int]] | None:
    """Every different answer of these rows -> its tokens as an answer, end token included, in alphabetical order.

    None when there are more than `most`. An answer is tokenised apart from its prompt, so one row's tokens serve all;
    `apart`: see `prepare`.
    """
    found: dict[str, list[Segment]] = {}
    wording = Wording.of(config.data)
    for place in places:
        row = source.rows[place]
        try:
            segments = render(row, source.layout, wording, tokenizer)
        except InputError:
            continue  # training leaves such a row out, too
        label = answer_text(row, source.layout, wording, tokenizer, segments)
        if label and label not in found:
            found[label] = segments
            if len(found) > most:
                return None
    return {label: _completion(found[label], tokenizer, apart) for label in sorted(found)}


def _completion(segments: list[Segment], tokenizer: PreTrainedTokenizerFast, apart: bool) -> list[int]:
    if apart:
        return ids_of_sides([sides(segments, tokenizer)], tokenizer)[0][-1]
    last = max(i for i, s in enumerate(segments) if s.answer)
    return tokenise(segments, tokenizer)[last][0]


def groups(chosen: Chosen, config: RunConfig) -> dict[str, list[str]]:
    """Columns that the template does not use and that have two to eight values: column -> the value of each row."""
    source, used = chosen.source, used_columns(chosen.source, config)
    found: dict[str, list[str]] = {}
    for column in source.columns:
        if column in used or len(found) == MOST_GROUP_COLUMNS:
            continue
        values = [source.rows[place].get(column) for place in chosen.places]
        if not all(value is None or isinstance(value, (str, int, bool)) for value in values):
            continue
        texts = [as_text(value).strip() for value in values]
        kinds = set(texts)
        if 2 <= len(kinds) <= MOST_GROUPS and 2 * len(kinds) <= len(texts) and all(len(k) <= 60 for k in kinds):
            found[column] = [text or "(none)" for text in texts]
    return found


def used_columns(source: Source, config: RunConfig) -> list[str]:
    """The columns that make up a row's text, in the order of the file."""
    template = Wording.of(config.data).text
    if template is None:
        used = {*source.layout.roles.values(), answer_column(source.layout)}
    else:
        used = {part.text for part in parse(template, tuple(source.columns)) if part.column}
    return [column for column in source.columns if column in used]


def known(chosen: Chosen, source: Source, trained: Sequence[int], config: RunConfig) -> int:
    """How many of the rows also stand among those that were trained on; 0 where their columns differ."""
    columns = used_columns(chosen.source, config)
    if not set(columns) <= set(source.columns):
        return 0

    def key(row: dict[str, Any]) -> bytes:
        text = "\0".join(as_text(row.get(column)).strip() for column in columns)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    seen = {key(source.rows[place]) for place in trained}
    return sum(key(chosen.source.rows[place]) in seen for place in chosen.places)
