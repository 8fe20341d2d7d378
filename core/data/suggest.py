"""What suits the rows of a layout: a text template, and a task."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from core.data.formats import Layout, answer_column, as_title
from core.data.values import parsed

SUMMARIES = ("summary", "highlights", "tldr", "abstract")


def suggest_template(layout: Layout) -> str | None:
    """A text template for a layout, for a model without a chat template; None for conversations."""
    r = layout.roles
    if layout.conversational or any(c in column for column in r.values() for c in "{}\n"):
        return None
    head = f"{{{r['system']}}}\n\n" if "system" in r else ""
    match layout.name:
        case "text":
            return f"[[{{{r['text']}}}]]"
        case "text_label" | "pair":
            names = ("text", "label") if layout.name == "text_label" else ("first", "second", "label")
            return "\n".join(f"### {as_title(r[name])}: {{{r[name]}}}" for name in names)
        case "alpaca":
            parts = [
                (k.title() if k != "output" else "Response", r[k]) for k in ("instruction", "input", "output") if k in r
            ]
            return head + "\n\n".join(f"### {title}:\n{{{column}}}" for title, column in parts)
        case "prompt_completion":
            parts = [(as_title(r[k]), r[k]) for k in ("context", "prompt", "completion") if k in r]
        case "tokens_tags":
            parts = [("Text", r["text"]), ("Entities", r["entities"])]
        case _:  # preference
            asked = [(as_title(r[k]), r[k]) for k in ("context", "prompt", "input") if k in r]
            parts = [*asked, ("Answer", r["chosen"])]
    return head + "\n".join(f"### {title}:\n{{{column}}}" for title, column in parts)


def suggest_task(layout: Layout, rows: Iterable[dict[str, Any]]) -> str:
    """The task that rows look made for, by their layout: similarity (two texts and a score with a fraction),
    classification, extraction (answers are JSON), summarization or generation."""
    column = answer_column(layout)
    match layout.name:
        case "text_label":
            return "classification"
        case "tokens_tags":
            return "extraction"
        case "pair":
            return "similarity" if any(_is_score(row.get(column)) for row in rows) else "classification"
        case "prompt_completion":
            if column.casefold() in SUMMARIES:
                return "summarization"
            values = [v for v in (row.get(column) for row in rows) if v not in (None, "")]
            if values and all(isinstance(parsed(v), dict) for v in values):
                return "extraction"
    return "generation"


def _is_score(value: Any) -> bool:
    """Whether a value is a number with a fraction, as a similarity is and a class is not."""
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d*\.\d+\s*", value):
        value = float(value)
    return isinstance(value, float) and math.isfinite(value) and value % 1 != 0
