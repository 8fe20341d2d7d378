"""The baseline of a head that begins at random: always the label, or tag, that is most frequent where it trained."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from core.config import RunConfig
from core.data.dataset import open_examples
from core.data.split import split_source
from core.errors import InputError
from core.evaluation.rows import Chosen, Prepared
from core.models.catalog import read_config
from core.models.heads import LABEL, TAGS, Head, head_in
from core.models.load import BASE_NOTE, weights_of
from core.models.tokenizer import load_tokenizer, model_folder
from core.runs import records
from core.runs.files import read_json
from core.tasks.base import Answer
from core.tasks.headed import Headed
from core.tasks.objective import objective_class

NAME = "most frequent label"


def begins_at_random(config: RunConfig, target: str, head: Head) -> bool:
    """Whether the base of a run has no head of this kind for the run's labels, so that it cannot answer by itself."""
    if head not in (LABEL, TAGS):
        return False
    path = config.model.path
    base = read_config(path, model_folder(path, config.model.revision))
    return head_in(base) is not head or _names(base) != _labels(target)


def most_frequent(chosen: Chosen, config: RunConfig, head: Head, room: int) -> tuple[Prepared, list[Answer]]:
    """The rows as the base model reads them, and the same answer to each.

    Where the training data is no longer there, the most frequent label is that of the rows themselves.
    """
    tokenizer = load_tokenizer(config.model.path, config.model.revision)
    kind = cast(type[Headed], objective_class(head))
    try:
        source = open_examples(config)
        places = split_source(source, config).train
    except InputError:
        source, places = chosen.source, chosen.places
    counts = kind.occurrences(source, places, config, tokenizer)
    label = min(counts, key=lambda name: (-counts[name], name))
    rows = kind(config, tokenizer, sorted(counts)).prepare(chosen, room)
    return rows, [kind.constant(want, label, counts[label] / counts.total()) for want in rows.wants]


def _labels(target: str) -> list[str]:
    """The labels that the head of a target has."""
    folder = Path(weights_of(target))
    note = records.BASE.read(folder / BASE_NOTE)
    return list(note.get("labels") or []) if note is not None else _names(read_json(folder / "config.json") or {})


def _names(config: dict[str, object]) -> list[str]:
    """The names of a head's outputs in a config.json, in their order."""
    named = config.get("id2label")
    return [str(named[i]) for i in sorted(named, key=int)] if isinstance(named, dict) else []
