"""What the page says of a draft's data: its rows, their split and lengths, one of them in tokens, what is wrong.

Everything is computed by the functions that training calls; what costs more than a moment is remembered by content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.config import AugmentationConfig, DataConfig, RunConfig, build
from core.data import encode, report, template
from core.data.dataset import open_examples, sample
from core.data.formats import suggest_task, suggest_template
from core.data.sources import DemoSet, Source, demo_sets
from core.data.split import Split, split_source
from core.errors import ConfigError, InputError
from core.memo import Memo
from core.models.tokenizer import load_tokenizer
from ui import form

SAMPLE = 2000  # rows whose length is measured; of longer files an even sample
NO_LIMIT = 2**31


SPLITS, LENGTHS, FINDINGS = Memo[Split](16), Memo["Lengths"](32), Memo[list[report.Finding]](16)


@dataclass(frozen=True)
class Lengths:
    """Tokens of the rows, or of an even sample of them."""

    rows: tuple[int, ...]  # row numbers, from 0
    tokens: tuple[int, ...]  # of each of these
    total: int  # rows in the file

    @property
    def longest(self) -> int:
        """The number of the longest row."""
        return max(zip(self.tokens, self.rows, strict=True), key=lambda pair: (pair[0], -pair[1]))[1]

    def first_over(self, limit: int) -> int | None:
        """The first row with more than `limit` tokens, or None."""
        return next((r for r, n in zip(self.rows, self.tokens, strict=True) if n > limit), None)


def usable(draft: dict[str, Any]) -> RunConfig:
    """The draft as a config, whatever stands in it: a setting that is wrong counts as left out. Its error is said at
    its field; what does not depend on it can be shown all the same."""
    values: dict[str, Any] = {
        name: draft[name] for name in ("task", "data", "augmentation", "training", "evaluation") if name in draft
    }
    values["model"] = {"path": str(form.value_of(draft, "model.path") or RunConfig().model.path)}
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


def tokenizer(draft: dict[str, Any]) -> Any:
    """The tokenizer of the draft's base model. Raises InputError with field model.path."""
    path, revision = form.value_of(draft, "model.path"), form.value_of(draft, "model.revision")
    return load_tokenizer(str(path), revision if isinstance(revision, str) and revision else None)


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


def _split(data: Source, config: RunConfig) -> Split:
    d = config.data
    key = (data.fingerprint, str(data.layout), d.validation, d.stratify, d.group_by, d.folds, d.fold, d.fixes)
    return SPLITS.get((*key, config.training.seed, config.evaluation.data), lambda: split_source(data, config))


def lengths(draft: dict[str, Any]) -> Lengths:
    """How many tokens the rows have, uncut. Raises InputError where the data, the template or the model will not do."""
    data, words, tok = source(draft), wording(draft), tokenizer(draft)
    return LENGTHS.get((data.fingerprint, str(data.layout), words, tok), lambda: _measured(data, words, tok))


def _measured(data: Source, words: template.Wording, tok: Any) -> Lengths:
    total = len(data.rows)
    rows, rendered, wrong = [], [], None
    for row in range(0, total, max(1, -(-total // SAMPLE))):
        try:
            rendered.append(template.render(data.rows[row], data.layout, words, tok))
            rows.append(row)
        except InputError as error:
            wrong = wrong or error
    if not rows:
        raise wrong or InputError("There are no rows.", "data.path")
    tokens = [len(e.input_ids) for e in encode.encode_many(rendered, tok, NO_LIMIT)]
    return Lengths(tuple(rows), tuple(tokens), total)


def preview(draft: dict[str, Any], row: int) -> encode.Preview:
    """One row as training will read it: the same rendering, the same ids, the same cut."""
    data = source(draft)
    return encode.preview(data.rows[row], data.layout, wording(draft), tokenizer(draft), limit(draft))


def findings(draft: dict[str, Any]) -> list[report.Finding]:
    """What the data doctor finds, worst first. Raises InputError where it cannot look."""
    config, data, tok = usable(draft), source(draft), tokenizer(draft)
    key: tuple[Any, ...] = (
        data.fingerprint,
        str(data.layout),
        config.model_dump_json(include={"data", "evaluation", "task"}),
    )
    return FINDINGS.get(
        (*key, config.training.seed, tok), lambda: report.findings(data, config, tok, _split(data, config))
    )


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
    return found


def demo_of(draft: dict[str, Any]) -> DemoSet | None:
    """The demo set that the draft's data is, or None."""
    path = str(form.value_of(draft, "data.path", ""))
    return next(
        (d for d in demo_sets() if str(d.path) == path or path.endswith(f"assets/data/{d.name}/train.jsonl")), None
    )


def with_data(draft: dict[str, Any], path: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
    """The draft with other data: template, task and held-out data follow from what the file holds."""
    fresh = DataConfig().model_dump(mode="json") | {"path": path, "max_tokens": form.value_of(draft, "data.max_tokens")}
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
