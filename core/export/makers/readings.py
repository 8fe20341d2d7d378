"""Rows that a model which reads is asked: as it reads them, as run.py is given them, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from core.config import DataConfig, RunConfig, build
from core.data.encoded import IGNORED
from core.data.formats import Layout
from core.data.questions import encode_questions, question
from core.data.sources import Source as Rows
from core.data.tagged import tagged_words
from core.data.template import Wording
from core.data.turns import as_text
from core.data.whole import encode_texts
from core.data.worded import encode_words
from core.evaluation.metrics.entities import write
from core.evaluation.rows import Chosen, Prepared, choose
from core.export import questions
from core.export.questions import NEUTRAL
from core.export.source import Source
from core.models.heads import LABEL, TAGS, VECTOR
from core.tasks.headed import Headed
from core.tasks.objective import Objective, objective_for
from core.tasks.pair_rows import columns

CALLED = {
    "given": "rows",
    "held-out": "held-out rows",
    "validation": "validation rows",
    "train": "training rows (none were kept back)",
}
TASKS = {LABEL: "classification", TAGS: "extraction", VECTOR: "similarity"}
ALIKE = 0.005  # cosines that are nearer than that are the same to a hundredth, as similarities are shown
PARTNER = "recall_at_1"  # the metric of rows without a label: whether a text finds the one that belongs to it


@dataclass(frozen=True)
class Readings:
    """Rows and their texts.

    Attributes:
        prompts: what run.py's `ids` makes of each row. rows: the raw rows behind them, as JSON carries them.
        prepared: the same rows as evaluation reads them. objective: of the head, which says what numbers mean.
        metrics: that can be reckoned, the main one first; none where nobody knows what is right.
        told: where the rows come from. form: what goes into tunesmith.json, see core.export.questions.form.
        limit: the longest text, in tokens.
    """

    prompts: list[Any]
    rows: list[dict[str, Any]]
    prepared: Prepared
    objective: Objective
    metrics: list[str]
    told: str
    form: dict[str, Any]
    limit: int

    @property
    def texts(self) -> list[list[int]]:
        """All texts of the rows as token ids, one after the other: two a row where texts are compared."""
        if self.objective.head is VECTOR:
            return [text for texts in self.prompts for text in texts]
        return list(self.prepared.prompts)

    def answers(self, said: Sequence[np.ndarray]) -> list[str]:
        """The answers that arrays (one a text) stand for, as evaluation writes them; one a row."""
        p, objective = self.prepared, self.objective
        if isinstance(objective, Headed):
            asked = (objective.asked(p, i) for i in range(len(self.rows)))
            every = zip(said, asked, p.wants, strict=True)
            return [objective.chosen(torch.from_numpy(one), row, want).text for one, row, want in every]
        first, second = np.stack(said[::2]), np.stack(said[1::2])
        if self.metrics == [PARTNER]:
            return [p.wants[int(near)].strip() for near in (first @ second.T).argmax(-1)]
        return [f"{value:.6f}" for value in (first * second).sum(-1)]

    def same(self, theirs: Sequence[np.ndarray], ours: Sequence[np.ndarray]) -> list[bool]:
        """Of each row whether both sides' arrays stand for the same answer; vectors may part by a hundredth."""
        if isinstance(self.objective, Headed) or self.metrics == [PARTNER]:
            return [a == b for a, b in zip(self.answers(theirs), self.answers(ours), strict=True)]
        if not self.metrics and len(self.texts) == len(self.rows):  # single texts: their vectors are the answers
            return [float(a @ b) > 1 - ALIKE for a, b in zip(theirs, ours, strict=True)]
        both = zip(self.answers(theirs), self.answers(ours), strict=True)
        return [abs(float(a) - float(b)) < ALIKE for a, b in both]

    def margin(self, theirs: np.ndarray, ours: np.ndarray) -> float | None:
        """By how many logits PyTorch preferred its answer to the package's, at most; None for vectors."""
        if self.objective.head is VECTOR:
            return None
        chosen = ours.argmax(-1)[..., None]
        return float((theirs.max(-1) - np.take_along_axis(theirs, chosen, -1)[..., 0]).max())


def ask(given: Source, config: RunConfig | None, count: int, data: str | None, longest: int) -> Readings:
    """At most `count` rows, evenly spaced.

    They come from `data`, else from the config's held-out file, else from its validation share, else, with neither,
    from its training rows (and `told` says so). Without config and data a few neutral sentences are read.

    Args:
        longest: tokens that the model can read.

    Raises:
        InputError: the data cannot be read, or no row of them.
    """
    if config is None and data is None:
        return _neutral(given, longest)
    if config is not None and data is None and none_kept(config):
        whole = choose(config, None, "train", 2**31)
        places = whole.places[::2]
        step = max(1.0, len(places) / count)
        few = [places[int(i * step)] for i in range(min(count, len(places)))]
        return of_rows(given, config, replace(whole, places=few), longest)
    return of_rows(given, config or _alone(given), choose(config, data, None, count), longest)


def none_kept(config: RunConfig) -> bool:
    """Whether a run kept no rows back, so that some of those that it learned from are compared: every other one.

    The others are left for static scales, which must not be measured on what is compared.
    """
    return config.evaluation.data is None and not config.data.validation


def _alone(given: Source) -> RunConfig:
    """How the rows of a model without a run are read: as training would by default."""
    data = {"template": None, "max_tokens": DataConfig().max_tokens}
    return build({"task": TASKS[given.head], "model": {"path": str(given.folder)}, "data": data})


def of_rows(given: Source, config: RunConfig, chosen: Chosen, longest: int) -> Readings:
    """Chosen rows as a model reads them. InputError: none of them can be read."""
    source, objective = chosen.source, objective_for(config, given.tokenizer, given.head, given.labels)
    prepared = objective.prepare(chosen, longest)
    metrics, prompts = objective.measures(config, chosen), list[Any]()
    for at in range(len(prepared.places)):
        if given.head is LABEL:
            prompts.append(prepared.prompts[at])
        elif given.head is TAGS:
            ids, words = prepared.examples[at]
            prompts.append({"ids": ids, "words": [None if word == IGNORED else word for word in words]})
        else:
            prompts.append(list(prepared.examples[at]))
    rows = [_raw(source, place, given) for place in prepared.places]
    form = _form(given, Wording.of(config.data), source.layout, source.columns)
    told = f"{CALLED[chosen.which]} of {source.name}"
    limit = min(config.data.max_tokens, longest)
    return Readings(prompts, rows, prepared, objective, metrics, told, form, limit)


def _raw(source: Rows, place: int, given: Source) -> dict[str, Any]:
    """A row as run.py is given it."""
    row, layout = source.rows[place], source.layout
    if given.head is LABEL:
        return questions.plain(questions.asked_of(row, layout))
    if given.head is TAGS:
        return {layout.roles["tokens"]: tagged_words(row, layout)[0]}
    return {name: as_text(row.get(name)) for name in columns(layout)[:2]}


def _form(given: Source, wording: Wording, layout: Layout, names: list[str]) -> dict[str, Any]:
    """See core.export.questions.form; words and compared texts have no template around them."""
    if given.head is LABEL:
        return questions.form(wording, layout, names, given.tokenizer)
    fields = [layout.roles["tokens"]] if given.head is TAGS else list(columns(layout)[:2])
    return {
        "template": None,
        "chat_template": None,
        "system": None,
        "layout": {"name": layout.name, "roles": layout.roles},
        "columns": fields,
        "fields": fields,
        "optional": [],
    }


def _neutral(given: Source, longest: int) -> Readings:
    """A few sentences for a model of which nothing more is known."""
    config, tokenizer = _alone(given), given.tokenizer
    limit = min(config.data.max_tokens, longest)
    prompts, wants, examples = list[Any](), [""] * len(NEUTRAL), list[Any]()
    if given.head is LABEL:
        layout = Layout("text_label", {"text": "text", "label": "label"}, "")
        rows: list[dict[str, Any]] = [{"text": text} for text in NEUTRAL]
        asked = [question(row | {"label": "."}, layout, Wording(), tokenizer) for row in rows]
        prompts = [made.input_ids for made in encode_questions(asked, tokenizer, limit)]
    elif given.head is TAGS:
        layout = Layout("tokens_tags", {"tokens": "tokens", "tags": "tags"}, "")
        rows = [{"tokens": text.split()} for text in NEUTRAL]
        made = encode_words([row["tokens"] for row in rows], tokenizer, limit)
        prompts = [{"ids": one.ids, "words": one.words} for one in made]
        examples = [(one.ids, [IGNORED if at is None else at for at in one.words]) for one in made]
        wants = [write(row["tokens"], ["O"] * len(row["tokens"])) for row in rows]
    else:
        layout = Layout("pair", {"first": "first", "second": "second"}, "")
        rows = [{"first": text} for text in NEUTRAL]
        prompts = [[ids] for ids in encode_texts(NEUTRAL, tokenizer, limit)[0]]
    ids = [one["ids"] if given.head is TAGS else one for one in prompts]
    prepared = Prepared(list(range(len(rows))), ids, list(NEUTRAL), wants, examples, [], {})
    objective = objective_for(config, tokenizer, given.head, given.labels)
    told = "neutral sentences, since no data was named"
    form = _form(given, Wording(), layout, list(layout.roles.values()))
    return Readings(prompts, rows, prepared, objective, [], told, form, limit)
