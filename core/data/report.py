"""The data doctor: what is wrong with these rows, in plain words, with the fix. One pass over the rows, linear cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from core.config import RunConfig
from core.data.checks.batch import batches
from core.data.checks.case import Case, Check
from core.data.checks.classes import Classes
from core.data.checks.columns import Columns
from core.data.checks.finding import SEVERITIES, Finding, Remedy
from core.data.checks.languages import Languages
from core.data.checks.lengths import Lengths
from core.data.checks.reading import Reading
from core.data.checks.repeats import Repeats
from core.data.checks.texts import Texts
from core.data.checks.turns import Turns
from core.data.checks.unused import Unused
from core.data.sources import Source
from core.data.split import Split, split_source

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["Finding", "Remedy", "findings", "summary"]

# Findings of one severity stand in this order.
KINDS = (
    "unreadable", "refused", "no_answer", "empty_answer", "unchanged_template", "undesired", "unjudged",
    "unlearned", "empty_turn", "unwritten", "unwritten_earlier", "put_back", "literal_token", "header", "choices",
    "notation",
    "unused", "secret", "personal", "answer_cut", "roles_swapped", "ends_unanswered", "leakage", "near_leakage",
    "heldout_leakage", "too_long", "conflict", "duplicate", "encoding", "control", "imbalance", "unseen_label",
    "few_rows", "near_duplicate", "language", "missing",
)  # fmt: skip


def findings(
    source: Source,
    config: RunConfig,
    tokenizer: PreTrainedTokenizerFast | None,
    split: Split | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """All findings about a source under a config, the gravest first.

    Args:
        source: the rows, with the fixes of the config made (see core.data.dataset.open_examples).
        config: task, data, augmentation.balance, training.seed and evaluation.data are used.
        tokenizer: of the model; without it the lengths are not looked at.
        split: of these rows; made by `split_source` where not given.
        on_progress: called with (rows looked at, all rows) after every few thousand; it may raise to stop.

    Raises:
        InputError: the template does not fit, or the held-out data cannot be opened.
    """
    reading = Reading.of(source.layout, source.columns, config.data.template)
    case = Case(source, config, reading, split or split_source(source, config))
    checks: list[Check] = [
        Turns(case),
        Texts(case),
        Repeats(case),
        Classes(case),
        Languages(case),
        Columns(case),
        Unused(case),
    ]
    if tokenizer is not None:
        checks.append(Lengths(case, tokenizer))
    total = len(source.rows)
    for batch in batches(source.rows, reading):
        for check in checks:
            check.look(batch)
        if on_progress:
            on_progress(batch.start + len(batch.rows), total)
    found = [finding for check in checks for finding in check.found()]
    return sorted(found, key=lambda f: (SEVERITIES.index(f.severity), KINDS.index(f.kind)))


def summary(found: Iterable[Finding]) -> str:
    """One line: how many errors, warnings and notes."""
    kinds = [f.severity for f in found]
    counts = [(kinds.count(k), k) for k in SEVERITIES if k in kinds]
    return ", ".join(f"{n} {k}{'s' if n > 1 else ''}" for n, k in counts) or "nothing found"
