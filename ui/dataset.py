"""What the page says of a draft's data: its rows, their split and lengths, one of them in tokens, what is wrong.

Everything is computed by the functions that training calls; what costs more than a moment is remembered by content.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.config import RunConfig, build
from core.data import encode, report, template
from core.data.formats import suggest_task, suggest_template
from core.data.sources import DemoSet, Source, demo_sets, open_data
from core.data.split import Split, split_by_layout
from core.errors import ConfigError, InputError
from core.models.tokenizer import load_tokenizer
from ui import form

SAMPLE = 2000  # rows whose length is measured; of longer files an even sample
NO_LIMIT = 2**31


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


def source(draft: dict[str, Any]) -> Source:
    """The draft's data, opened. Raises InputError with field data.path."""
    path = form.value_of(draft, "data.path")
    if not isinstance(path, str) or not path.strip():
        raise InputError("Choose a demo set, upload a file, or give a path.", "data.path")
    try:
        return open_data(path)
    except InputError as error:
        raise InputError(str(error), error.field or "data.path") from None


def tokenizer(draft: dict[str, Any]) -> Any:
    """The tokenizer of the draft's base model. Raises InputError with field model.path."""
    path, revision = form.value_of(draft, "model.path"), form.value_of(draft, "model.revision")
    return load_tokenizer(str(path), revision if isinstance(revision, str) and revision else None)


def limit(draft: dict[str, Any]) -> int:
    """The most tokens of an example; the default where the draft's value is none."""
    value = form.value_of(draft, "data.max_tokens")
    return value if isinstance(value, int) and value >= 8 else RunConfig().data.max_tokens


def text_template(draft: dict[str, Any]) -> str | None:
    """The draft's template, or None for the model's chat template."""
    value = form.value_of(draft, "data.template")
    return value if isinstance(value, str) else None


def counts(draft: dict[str, Any]) -> Split | None:
    """How the rows split, or None where the draft has no share that is one."""
    share, seed = form.value_of(draft, "data.validation", 0.1), form.value_of(draft, "training.seed", 42)
    if not isinstance(share, (int, float)) or not 0 <= share <= 0.5 or not isinstance(seed, int) or seed < 0:
        return None
    data = source(draft)
    return _split(str(form.value_of(draft, "data.path")), data.fingerprint, float(share), seed)


@lru_cache(maxsize=16)
def _split(path: str, _fingerprint: str, share: float, seed: int) -> Split:
    return split_by_layout(open_data(path), share, seed)


def lengths(draft: dict[str, Any]) -> Lengths:
    """How many tokens the rows have, uncut. Raises InputError where the data, the template or the model will not do."""
    data = source(draft)
    path = str(form.value_of(draft, "data.path"))
    return _lengths(path, data.fingerprint, text_template(draft), tokenizer(draft))


@lru_cache(maxsize=32)
def _lengths(path: str, _fingerprint: str, words: str | None, tok: Any) -> Lengths:
    data = open_data(path)
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
    words = text_template(draft)
    if words is not None:
        template.check_template(words, data.columns)
    return encode.preview(data.rows[row], data.layout, words, tokenizer(draft), limit(draft))


def findings(draft: dict[str, Any]) -> list[report.Finding]:
    """What the data doctor finds, worst first. Raises InputError where it cannot look."""
    try:
        config = build({"data": draft.get("data", {}), "model": draft.get("model", {}), "task": draft.get("task")})
    except ConfigError as error:
        field, text = next(iter(error.errors.items()))
        raise InputError(text, field) from None
    evaluation = form.value_of(draft, "evaluation.data")
    seed = form.value_of(draft, "training.seed", 42)
    key = {
        **config.model_dump(mode="json"),
        "evaluation": {"data": evaluation} if isinstance(evaluation, str) and evaluation else {},
        "training": {"seed": seed if isinstance(seed, int) and seed >= 0 else 42},
    }
    data = source(draft)
    return list(_findings(build(key), data.fingerprint, tokenizer(draft)))


@lru_cache(maxsize=16)
def _findings(config: RunConfig, _fingerprint: str, tok: Any) -> tuple[report.Finding, ...]:
    data = open_data(config.data.path)
    parts = _split(config.data.path, data.fingerprint, config.data.validation, config.training.seed)
    return tuple(report.findings(data, config, tok, parts))


def problems(draft: dict[str, Any]) -> dict[str, str]:
    """Every problem of a draft by dotted field: of the config, of the file, of the template, of the model."""
    found = form.errors(draft)
    if "data.path" not in found:
        try:
            data = source(draft)
            words = text_template(draft)
            if words is not None and "data.template" not in found:
                template.check_template(words, data.columns)
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


def with_data(draft: dict[str, Any], path: str) -> dict[str, Any]:
    """The draft with other data: template, task and held-out data follow from what the file holds."""
    draft = form.with_value(draft, "data.path", path)
    draft = form.with_value(draft, "evaluation.data", None)
    try:
        data = source(draft)
        sample = [data.rows[i] for i in range(min(200, len(data.rows)))]
        draft = form.with_value(draft, "data.template", suggest_template(data.layout))
        task = suggest_task(data.layout, sample)
    except InputError:
        return draft  # said where the data is shown
    return form.with_value(draft, "task", task) if task else draft
