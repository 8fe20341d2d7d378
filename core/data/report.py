"""What is wrong with these rows: findings in plain words, each with its count and rows. One pass, linear cost."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from core.config import RunConfig
from core.data.dataset import open_heldout
from core.data.encode import encode_many, is_blank
from core.data.formats import Layout, as_text, to_messages
from core.data.sources import Source
from core.data.split import Split, row_key, split_source
from core.data.template import Wording, parse, render
from core.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SHOWN = 20  # row numbers that a finding names
MEASURED = 5000  # rows that are tokenised to find those over the limit
FEW = 50  # with fewer training rows than this a model learns by heart
BATCH = 500
Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """Something to know before training.

    Attributes:
        kind: duplicate, leakage, heldout_leakage, empty_answer, unchanged_template, too_long, answer_cut, few_rows,
            missing, no_answer, ends_unanswered, roles_swapped, unreadable, refused.
        count: rows concerned.
        rows: the numbers of the first of them, from 0.
        message: one or two plain sentences.
        severity: error (those rows teach nothing or the training would refuse), warning, note.
    """

    kind: str
    count: int
    rows: list[int]
    message: str
    severity: Severity

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass
class _Tally:
    """Counts by kind, with the first row numbers and the first sentence."""

    counts: dict[str, int] = field(default_factory=dict)
    rows: dict[str, list[int]] = field(default_factory=dict)

    def add(self, kind: str, row: int) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if len(found := self.rows.setdefault(kind, [])) < SHOWN:
            found.append(row)


def findings(
    source: Source, config: RunConfig, tokenizer: PreTrainedTokenizerFast | None, split: Split | None = None
) -> list[Finding]:
    """All findings about a source under a config, the gravest first.

    Args:
        source: the rows.
        config: data.template, data.max_tokens, data.validation, training.seed and evaluation.data are used.
        tokenizer: of the model; without it the lengths are not looked at.
        split: of these rows; made by `split_source` where not given.

    Raises:
        InputError: the template does not fit, or the held-out data cannot be opened.
    """
    template, layout = Wording.of(config.data).text, source.layout
    parts = parse(template, tuple(source.columns)) if template is not None else None
    asked = [p.text for p in parts if p.column and not p.answer] if parts else []
    answered = [p.text for p in parts if p.column and p.answer] if parts else []
    split = split or split_source(source, config)
    held = set(split.validation)
    tally, first_error = _Tally(), ""
    seen: dict[bytes, int] = {}
    questions: dict[bytes, bool] = {}  # question -> asked in training
    held_questions: list[tuple[int, bytes]] = []
    missing: dict[str, int] = {}
    for number, row in enumerate(source.rows):
        for name in source.columns:
            if row.get(name) is None:
                missing[name] = missing.get(name, 0) + 1
        if seen.setdefault(row_key(row), number) != number:
            tally.add("duplicate", number)
        try:
            question = _question(row, layout, asked, template)
            if parts is not None:
                blank = not any(as_text(row.get(c)).strip() for c in answered)
                if asked and not question:
                    tally.add("unchanged_template", number)
            else:
                blank = _look_at_turns(number, row, layout, tally)
        except InputError as error:
            if error.field == "data.template":
                raise
            first_error = first_error or str(error)
            tally.add("unreadable", number)
            continue
        if blank:
            tally.add("empty_answer", number)
        if question:
            key = _key(question)
            if number in held:
                held_questions.append((number, key))
            else:
                questions[key] = True
    for number, key in held_questions:
        if key in questions:
            tally.add("leakage", number)
    if config.evaluation.data:
        for number, row in enumerate(open_heldout(config, config.evaluation.data).rows):
            question = _safe_question(row, layout, asked, template)
            if question and _key(question) in questions:
                tally.add("heldout_leakage", number)
    step = _measure(source, config, tokenizer, tally) if tokenizer is not None else 1.0
    return _sentences(tally, source, config, split, missing, first_error, step)


def _question(row: dict[str, Any], layout: Layout, asked: list[str], template: str | None) -> str:
    """What is asked in a row, in small letters and with single spaces: rows that differ only so leak all the same."""
    if template is not None:
        words = " ".join(as_text(row.get(c)) for c in asked)
    else:
        messages = to_messages(row, layout)
        last = max((i for i, m in enumerate(messages) if m["role"] == "assistant"), default=len(messages))
        words = " ".join(m["content"] for m in messages[:last] if m["role"] != "system")
    return " ".join(words.casefold().split())


def _safe_question(row: dict[str, Any], layout: Layout, asked: list[str], template: str | None) -> str:
    """The question of a held-out row; "" where its columns are others."""
    try:
        return _question(row, layout, asked, template)
    except InputError:
        return ""


def _key(question: str) -> bytes:
    return hashlib.blake2b(question.encode("utf-8", "replace"), digest_size=12).digest()


def _look_at_turns(number: int, row: dict[str, Any], layout: Layout, tally: _Tally) -> bool:
    """Findings about a row as a conversation; whether its answers are all empty."""
    messages = [m for m in to_messages(row, layout) if m["role"] != "system"]
    said = [m["content"] for m in messages if m["role"] == "assistant"]
    if not said:
        tally.add("no_answer", number)
        return False
    if messages[-1]["role"] != "assistant":
        tally.add("roles_swapped" if messages[0]["role"] == "assistant" else "ends_unanswered", number)
    if not any(m["content"].strip() for m in messages if m["role"] != "assistant"):
        tally.add("unchanged_template", number)
    return not any(text.strip() for text in said)


def _measure(source: Source, config: RunConfig, tokenizer: PreTrainedTokenizerFast, tally: _Tally) -> float:
    """Count rows over the limit, in an evenly spaced sample; returns how many rows one of the sample stands for."""
    total, limit = len(source.rows), config.data.max_tokens
    step = max(1.0, total / MEASURED)
    numbers = [int(i * step) for i in range(min(total, MEASURED))]
    for start in range(0, len(numbers), BATCH):
        chosen, rendered = [], []
        for number, row in zip(
            numbers[start : start + BATCH], source.rows.take(numbers[start : start + BATCH]), strict=True
        ):
            try:
                segments = render(row, source.layout, Wording.of(config.data), tokenizer)
            except InputError as error:
                if error.field == "data.template":
                    if source.layout.name not in ("sharegpt", "messages") or not tokenizer.chat_template:
                        raise
                    tally.add("refused", number)
                continue  # otherwise counted as unreadable or without an answer already
            if not is_blank(segments):
                chosen.append(number)
                rendered.append(segments)
        for number, encoded in zip(chosen, encode_many(rendered, tokenizer, limit), strict=True):
            if encoded.answer_dropped:
                tally.add("answer_cut", number)
            elif encoded.dropped:
                tally.add("too_long", number)
    return step


# kind -> severity, and what is said of one row and of several; {limit} is in tokens.
_SENTENCES: dict[str, tuple[Severity, str, str]] = {
    "unreadable": (
        "error",
        "cannot be read as a conversation and will be left out: {error}",
        "cannot be read as conversations and will be left out; the first: {error}",
    ),
    "refused": (
        "error",
        "is refused by the model's chat template and will be left out.",
        "are refused by the model's chat template and will be left out.",
    ),
    "no_answer": (
        "error",
        "holds no turn of the assistant, so nothing can be learned from it; it will be left out.",
        "hold no turn of the assistant, so nothing can be learned from them; they will be left out.",
    ),
    "empty_answer": (
        "error",
        "has an empty answer and will be left out.",
        "have an empty answer and will be left out.",
    ),
    "unchanged_template": (
        "error",
        "leaves the prompt empty: nothing that the template asks for has a value there.",
        "leave the prompt empty: nothing that the template asks for has a value there.",
    ),
    "answer_cut": (
        "warning",
        "has an answer too long for {limit} tokens: its end is cut off, so it does not teach where to stop. "
        "Raise the limit.",
        "have an answer too long for {limit} tokens: its end is cut off, so they do not teach where to stop. "
        "Raise the limit.",
    ),
    "roles_swapped": (
        "warning",
        "begins with the assistant and ends with the user: the roles may be swapped.",
        "begin with the assistant and end with the user: the roles may be swapped.",
    ),
    "ends_unanswered": (
        "warning",
        "ends with a turn that nobody answers; what follows the last answer is left out.",
        "end with a turn that nobody answers; what follows the last answer is left out.",
    ),
    "leakage": (
        "warning",
        "kept back for validation asks what a training row asks, so the validation loss looks better than it is.",
        "kept back for validation ask what a training row asks, so the validation loss looks better than it is.",
    ),
    "heldout_leakage": (
        "warning",
        "of the held-out data asks what a training row asks, so the evaluation looks better than it is.",
        "of the held-out data ask what a training row asks, so the evaluation looks better than it is.",
    ),
    "too_long": (
        "warning",
        "is longer than {limit} tokens: the middle of its prompt is dropped.",
        "are longer than {limit} tokens: the middle of their prompts is dropped.",
    ),
    "duplicate": (
        "warning",
        "repeats an earlier row word for word, and so counts double in the training.",
        "repeat an earlier row word for word, and so count more than others in the training.",
    ),
}


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _sentences(
    tally: _Tally, source: Source, config: RunConfig, split: Split, missing: dict[str, int], error: str, step: float
) -> list[Finding]:
    found: list[Finding] = []
    for kind, (severity, one, many) in _SENTENCES.items():
        if count := tally.counts.get(kind, 0):
            words = (one if count == 1 else many).format(limit=f"{config.data.max_tokens:,}", error=error)
            sampled = (
                f" of {MEASURED:,} looked at" if step > 1 and kind in ("too_long", "answer_cut", "refused") else ""
            )
            found.append(Finding(kind, count, tally.rows[kind], f"{_rows(count)}{sampled} {words}", severity))
    if len(split.train) < FEW:
        are = "is" if len(split.train) == 1 else "are"
        message = (
            f"There {are} only {_rows(len(split.train))} to train on: the model will know them by heart. "
            "A few hundred are better."
        )
        found.append(Finding("few_rows", len(split.train), [], message, "warning"))
    total = f"{len(source.rows):,}"
    for name, count in missing.items():
        found.append(Finding("missing", count, [], f"{name!r} has no value in {_rows(count)} of {total}.", "note"))
    return sorted(found, key=lambda f: SEVERITIES.index(f.severity))


def summary(found: Iterable[Finding]) -> str:
    """One line: how many errors, warnings and notes."""
    kinds = [f.severity for f in found]
    counts = [(kinds.count(k), k) for k in SEVERITIES if k in kinds]
    return ", ".join(f"{n} {k}{'s' if n > 1 else ''}" for n, k in counts) or "nothing found"
