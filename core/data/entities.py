"""Rows of tokens and tags get a text and the entities in it, as columns of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from core.data.column_names import TAGS, TOKENS
from core.data.derived import derived
from core.data.recognise import Look
from core.data.rows import Rows
from core.data.tables import Table, collect
from core.data.tagged import entities, join
from core.data.turns import as_text
from core.data.values import parsed

TEXT, ENTITIES = "text", "entities"  # the columns that are made


def add_entities(table: Table, sample: Sequence[dict[str, Any]]) -> Table:
    """The table with the columns "text" and "entities" where its rows are tokens and tags; else as it is.

    The text is the tokens with spaces between them; the entities are JSON text: {"PER": ["Ada Lovelace"], ...}, in the
    order of the text. A column that has such a name already stays as it is. Numbers that are tags get the names that
    the Parquet file gives them; without names the number is the type, and 0 is outside.

    A row with another number of tags than of tokens has neither: it is left out of the training, and said.
    """
    look = Look(table.columns, list(sample))
    tokens, tags = look.named(TOKENS), look.named(TAGS)
    made = [name for name in (TEXT, ENTITIES) if name not in table.columns]
    if not tokens or not tags or not made or not _side_by_side(sample, tokens, tags):
        return table
    names = tag_names(table.data.schema, tags)

    def rows() -> Iterator[dict[str, Any]]:
        for row in Rows(table.data.select([tokens, tags]), table.json & {tokens, tags}):
            words, marks = ([] if row[name] is None else parsed(row[name]) for name in (tokens, tags))
            if not isinstance(words, list) or not isinstance(marks, list) or len(words) != len(marks):
                yield dict.fromkeys(made)  # such a row is left out, and a finding names it
                continue
            words = [as_text(word) for word in words]
            named = [_named(mark, names) for mark in marks]
            found = {TEXT: join(words), ENTITIES: json.dumps(entities(words, named), ensure_ascii=False)}
            yield {name: found[name] for name in made}

    more = derived(f"entities {tokens} {tags} {made}", table.digest, lambda: collect(rows(), made))
    data = table.data
    for name in made:
        data = data.append_column(name, more.data.column(name))
    note = f"{' and '.join(map(repr, made))} {'was' if len(made) == 1 else 'were'} made from {tokens!r} and {tags!r}."
    return replace(
        table,
        data=data,
        columns=[*table.columns, *made],
        notes=[*table.notes, note],
        made={**table.made, **dict.fromkeys(made, (tokens, tags))},
    )


def _side_by_side(sample: Sequence[dict[str, Any]], tokens: str, tags: str) -> bool:
    """Whether most rows hold a list of words and a list of tags, most of them with a tag for each word."""
    both = ((parsed(row.get(tokens)), parsed(row.get(tags))) for row in sample)
    pairs = [(a, b) for a, b in both if isinstance(a, list) and isinstance(b, list)]
    flat = all(isinstance(v, str | int) for _, b in pairs for v in b if v is not None)
    filled = [(a, b) for a, b in pairs if a or b]
    fits = 2 * sum(len(a) == len(b) for a, b in filled) > len(filled)
    return flat and 2 * len(pairs) > len(sample) and fits


def _named(tag: Any, names: Sequence[str]) -> str:
    if isinstance(tag, int) and not isinstance(tag, bool) and 0 <= tag < len(names):
        return names[tag]
    return as_text(tag).strip()


def tag_names(schema: pa.Schema, column: str) -> list[str]:
    """The names of a column's numbers, which Parquet files written by `datasets` carry with them; [] without any."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        feature = features[column]
        for key in ("feature", "names"):
            feature = feature.get(key, feature) if isinstance(feature, dict) else feature[0]
        return [str(name) for name in feature] if isinstance(feature, list) else []
    except (KeyError, IndexError, TypeError, ValueError):
        return []
