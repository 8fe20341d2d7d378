"""What the page says of a draft's data: its rows, their split and lengths, one of them in tokens, what is wrong.

Everything is computed by the functions that training calls; what costs more than a moment is remembered by content.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from gradio.context import LocalContext

from core.config import AugmentationConfig, DataConfig, RunConfig, build
from core.data import augment, encode, extremes, labels, report, template
from core.data.altered import Marked
from core.data.checks.unused import glance
from core.data.dataset import open_examples, sample
from core.data.lengths import Lengths as SomeLengths
from core.data.look import look
from core.data.sources import DemoSet, Source, demo_sets
from core.data.split import Split, split_source
from core.data.suggest import suggest_task, suggest_template
from core.errors import ConfigError, InputError
from core.limited.asks import Asked, asker
from core.memo import Memo
from core.models import suits
from core.models.heads import head_of
from core.models.memory import CutOff, by_cut_off
from core.paths import is_public
from ui import form

LARGE = 50_000  # rows up to which the doctor looks at all of them by itself
LOOKED_AT = 20_000  # rows of a bigger file that it looks at by itself
SAMPLE = 2000  # rows whose length is measured; of longer files an even sample


FOUND = Memo[int](16)
UNUSED = Memo[list[str]](16)
PLANS = Memo[augment.Plan](8)
COSTS = Memo[list[CutOff]](16)
WEIGHED_S = 10.0  # what is free of this machine's memory, and the speed of its last runs, are looked at this often
SPLITS, LENGTHS, FINDINGS = Memo[Split](16), Memo["Lengths"](32), Memo[list[report.Finding]](16)


@dataclass(frozen=True)
class Lengths:
    """Tokens of the rows, or of an even sample of them."""

    rows: tuple[int, ...]  # row numbers, from 0
    tokens: tuple[int, ...]  # of each of these
    total: int  # rows in the file
    trained: float  # share of the tokens that carry loss

    def first_over(self, limit: int) -> int | None:
        """The first row with more than `limit` tokens, or None."""
        return next((r for r, n in zip(self.rows, self.tokens, strict=True) if n > limit), None)


def usable(draft: dict[str, Any]) -> RunConfig:
    """The draft as a config, whatever stands in it: a setting that is wrong counts as left out. Its error is said at
    its field; what does not depend on it can be shown all the same."""
    names = ("task", "data", "augmentation", "method", "training", "evaluation")
    values: dict[str, Any] = {name: draft[name] for name in names if name in draft}
    head = form.value_of(draft, "model.head")
    values["model"] = {
        "path": str(form.value_of(draft, "model.path") or RunConfig().model.path),
        "head": head if head in ("lm", "task") else None,
    }
    for _ in range(3):
        try:
            return build(values)
        except ConfigError as error:
            for path in error.errors:
                values = _without(values, path)
    return RunConfig()


def _without(values: dict[str, Any], path: str) -> dict[str, Any]:
    section, _, name = path.partition(".")
    inner = values.get(section)
    if not name or not isinstance(inner, dict):
        return {key: value for key, value in values.items() if key != section}
    return values | {section: {key: value for key, value in inner.items() if key != name.partition(".")[0]}}


def source(draft: dict[str, Any]) -> Source:
    """The draft's examples, opened, mended and with the rows kept back. Raises InputError with its field."""
    path = form.value_of(draft, "data.path")
    if not isinstance(path, str) or not path.strip():
        raise InputError("Choose a demo set, upload a file, or give a path.", "data.path")
    try:
        return open_examples(usable(draft))
    except InputError as error:
        raise InputError(str(error), error.field or "data.path") from None


def unused(draft: dict[str, Any]) -> list[str]:
    """What nothing uses of the draft's rows, in sentences, by some of them. Raises InputError as `source`."""
    config, data = usable(draft), source(draft)
    return UNUSED.get(_judged_by(config, data), lambda: glance(data, config))


def asked(draft: dict[str, Any]) -> Asked:
    """The draft's base model, to be asked about its rows: in a process with limits, see core.limited.

    Raises InputError with field model.path.
    """
    path, revision = form.value_of(draft, "model.path"), form.value_of(draft, "model.revision")
    request = LocalContext.request.get(None) if is_public() else None
    asker.set(str(getattr(request, "session_hash", "") or ""))
    return Asked(str(path), revision if isinstance(revision, str) and revision else None, wording(draft))


def tokenizer(draft: dict[str, Any]) -> None:
    """Whether the tokenizer of the draft's base model can be used. Raises InputError with field model.path."""
    asked(draft).check()


def remarks(draft: dict[str, Any]) -> list[str]:
    """What there is to know of the draft's base model before it is tuned. Raises InputError as `tokenizer`."""
    return asked(draft).remarks()


def limit(draft: dict[str, Any]) -> int:
    """The most tokens of an example; the default where the draft's value is none."""
    return usable(draft).data.max_tokens


def wording(draft: dict[str, Any]) -> template.Wording:
    """How the draft's rows become text."""
    return template.Wording.of(usable(draft).data)


def text_template(draft: dict[str, Any]) -> str | None:
    """The draft's template or the name of its format, or None for the model's chat template."""
    value = form.value_of(draft, "data.template")
    return value if isinstance(value, str) else None


def counts(draft: dict[str, Any]) -> Split | None:
    """How the rows split, or None where the draft's settings of it are wrong."""
    wrong = form.errors(draft)
    if any(path in wrong for path in ("data.validation", "data.folds", "data.fold", "training.seed")):
        return None
    return _split(source(draft), usable(draft))


def label_counts(draft: dict[str, Any]) -> list[labels.LabelCount]:
    """How often each label occurs on either side, where the rows have labels or are stratified; [] where not."""
    data, parts = source(draft), counts(draft)
    column = usable(draft).data.stratify or data.layout.roles.get("label", "")
    if parts is None or column not in data.columns:
        return []
    return labels.count_labels(data.rows, parts, column)


def _split(data: Source, config: RunConfig) -> Split:
    settings = config.model_dump_json(include={"data", "evaluation"})
    key = (data.fingerprint, str(data.layout), settings, config.training.seed)
    return SPLITS.get(key, lambda: split_source(data, config))


def lengths(draft: dict[str, Any]) -> Lengths:
    """How many tokens the rows have, uncut. Raises InputError where the data, the template or the model will not do."""
    data, model = source(draft), asked(draft)
    key = (data.fingerprint, str(data.layout), model.wording, model.subject.mark)
    return LENGTHS.get(key, lambda: _measured(data, model))


def _measured(data: Source, model: Asked) -> Lengths:
    total = len(data.rows)
    rows = range(0, total, max(1, -(-total // SAMPLE)))
    places, tokens, trained = model.lengths(data.rows.take(rows), data.layout)
    return Lengths(tuple(rows[place] for place in places), tuple(tokens), total, trained)


def costs(draft: dict[str, Any]) -> list[CutOff]:
    """What some forty limits would cost, and the draft's own: share cut, padding, steps, time and memory of the run.

    Raises InputError as `lengths`, or where the model's files do not say its sizes.
    """
    found, config, rows, parts = lengths(draft), usable(draft), training_rows(draft), counts(draft)
    if rows is None or parts is None:
        return []
    kept = len(parts.validation)
    of = SomeLengths(found.tokens, rows, found.trained, max(found.tokens))
    heads = head_labels(draft)
    key = (config.model_dump_json(), found, rows, kept, heads, int(time.time() // WEIGHED_S))
    return COSTS.get(key, lambda: by_cut_off(config, of, kept, labels=heads))


def head_labels(draft: dict[str, Any]) -> int:
    """How many labels a head of its own would tell apart in the draft's rows; 0 where the model writes its answer."""
    config, data = usable(draft), source(draft)
    parts = counts(draft)
    if parts is None or head_of(config).writes:
        return 0
    key = ("labels", data.fingerprint, str(data.layout), config.model_dump_json(include={"data"}), config.training.seed)
    return FOUND.get(key, lambda: labels.head_labels(data, parts.train))


def longest(draft: dict[str, Any]) -> int:
    """The number of the longest row. Raises InputError as `lengths`."""
    data, model = source(draft), asked(draft)
    key = ("longest", data.fingerprint, str(data.layout), model.wording, model.subject.mark)
    return FOUND.get(key, lambda: extremes.longest(data.rows, lambda rows: model.tokens(rows, data.layout)))


def first_cut(draft: dict[str, Any]) -> int | None:
    """The first row over the limit, or None where none that was measured is. Raises InputError as `lengths`."""
    known = lengths(draft).first_over(limit(draft))
    if known is None:
        return None
    data, model = source(draft), asked(draft)
    return extremes.first_over(data.rows, lambda rows: model.tokens(rows, data.layout), limit(draft), known)


def preview(draft: dict[str, Any], row: int) -> encode.Preview:
    """One row as training will read it: the same rendering, the same ids, the same cut."""
    data = source(draft)
    return asked(draft).preview(data.rows[row], data.layout, limit(draft))


def findings(draft: dict[str, Any]) -> tuple[list[report.Finding], int]:
    """What the data doctor finds, worst first, and how many rows it looked at: all of them, or of a big file an even
    sample until `look_at_all` was asked for. Raises InputError where it cannot look."""
    config, data, model = usable(draft), source(draft), asked(draft)
    total, key = len(data.rows), _judged_by(config, data)
    if total <= LARGE or FINDINGS.has(key):
        return FINDINGS.get(key, lambda: model.findings(config)), total
    return FINDINGS.get((*key, LOOKED_AT), lambda: model.findings(config, LOOKED_AT)), LOOKED_AT


def look_at_all(draft: dict[str, Any]) -> Generator[tuple[int, int], None, None]:
    """Look at every row, in a process of its own; yields how far it is. `findings` knows them afterwards.

    Closing the generator ends the process. Raises InputError where it cannot look.
    """
    config, data = usable(draft), source(draft)
    found = yield from look(config)
    FINDINGS.get(_judged_by(config, data), lambda: found)


def _judged_by(config: RunConfig, data: Source) -> tuple[Any, ...]:
    """All that findings and copies follow from, besides the code."""
    settings = config.model_dump_json(include={"data", "evaluation", "task", "model", "augmentation"})
    return data.fingerprint, str(data.layout), settings, config.training.seed


def augmented(draft: dict[str, Any]) -> list[str]:
    """What augmentation makes of the rows to train on, in sentences. Raises InputError where it cannot be made."""
    config, data, parts = usable(draft), source(draft), counts(draft)
    if parts is None:
        return []
    if not config.augmentation.copies and config.augmentation.balance == "none":
        return ["Nothing is added and nothing left out: set a number of copies, or balance the labels."]
    if len(parts.train) > LARGE:
        return ["So many rows are counted when the training begins."]
    made = _plan(config, data, parts)
    return [f"{len(parts.train):,} rows to train on become {len(made.places):,}.", *made.notes]


def training_rows(draft: dict[str, Any]) -> int | None:
    """Rows of one pass, changed copies among them; None where the settings of the split are wrong."""
    config, parts = usable(draft), counts(draft)
    if parts is None:
        return None
    asked = config.augmentation.copies or config.augmentation.balance != "none"
    if not asked or len(parts.train) > LARGE:
        return len(parts.train) * (1 + config.augmentation.copies)
    return len(_plan(config, source(draft), parts).places)


def _plan(config: RunConfig, data: Source, parts: Split) -> augment.Plan:
    return PLANS.get(_judged_by(config, data), lambda: augment.plan(data, parts.train, config))


def before_after(draft: dict[str, Any], row: int, most: int) -> list[tuple[Marked, Marked]]:
    """The question of a row before and after, for as many copies as are made, at most so many; [] for a row kept back.

    Raises InputError where there is no question, or the list of synonyms cannot be read.
    """
    config, data, parts = usable(draft), source(draft), counts(draft)
    copies = min(most, config.augmentation.copies)
    if not copies or parts is None or not among(row, parts.train):
        return []
    return augment.before_after(data.rows[row], data.layout, config, copies)


def among(row: int, places: Sequence[int]) -> bool:
    """Whether a row is among sorted positions."""
    i = bisect_left(places, row)
    return i < len(places) and places[i] == row


def problems(draft: dict[str, Any]) -> dict[str, str]:
    """Every problem of a draft by dotted field: of the config, of the file, of the template, of the model."""
    found = form.errors(draft)
    if "data.path" not in found:
        try:
            data = source(draft)
            words = text_template(draft)
            if words is not None and "data.template" not in found:
                template.check_template(words, data.columns)
            counts(draft)
        except InputError as error:
            found[error.field or "data.path"] = str(error)
    if "model.path" not in found:
        try:
            tokenizer(draft)
        except InputError as error:
            found[error.field or "model.path"] = str(error)
    if not found:
        found |= suits.problems(build(draft))
    return found


def turn_keys(data: Source) -> list[str]:
    """The keys that the turns of conversations have, in the first rows."""
    column = data.layout.roles.get("messages") or data.layout.roles.get("chosen") or ""
    found: dict[str, None] = {}
    for row in data.rows[:20]:
        turns = row.get(column)
        for turn in turns if isinstance(turns, list) else []:
            found |= dict.fromkeys(turn) if isinstance(turn, dict) else {}
    return list(found)


def demo_of(draft: dict[str, Any]) -> DemoSet | None:
    """The demo set that the draft's data is, or None."""
    path = str(form.value_of(draft, "data.path", ""))
    return next(
        (d for d in demo_sets() if str(d.path) == path or path.endswith(f"assets/data/{d.name}/train.jsonl")), None
    )


def with_data(draft: dict[str, Any], path: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
    """The draft with other data: template, task and held-out data follow from what the file holds."""
    fresh = DataConfig().model_dump(mode="json") | {"path": path}
    draft = form.with_value(draft, "data", fresh | (more or {}))
    draft = form.with_value(draft, "evaluation.data", None)
    draft = form.with_value(draft, "augmentation", AugmentationConfig().model_dump(mode="json"))
    try:
        data = source(draft)
        draft = form.with_value(draft, "data.template", suggest_template(data.layout))
        task = suggest_task(data.layout, sample(data.rows))
    except InputError:
        return draft  # said where the data is shown
    return form.with_value(draft, "task", task) if task else draft
