"""A copy of a row with some words of its question changed, the same one whenever it is made; and what changed in it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import regex

from core.config import AugmentationConfig, RunConfig
from core.data.formats import Layout, answer_column
from core.data.split import row_key
from core.data.template import Wording, parse
from core.data.turns import as_text, role_of, turns_of
from core.data.words import Chance, Changes, change, read_synonyms

_ASKED = {  # the roles that make up the question
    "text_label": ("text",), "prompt_completion": ("context", "prompt"), "alpaca": ("instruction", "input"),
    "tokens_tags": ("text",), "pair": ("first", "second"), "preference": ("context", "prompt", "input"),
}  # fmt: skip
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*(?:['’-]\p{L}[\p{L}\p{M}]*)*")


def changed(row: dict[str, Any], layout: Layout, config: RunConfig, copy: int) -> dict[str, Any]:
    """A copy of a row with some words of its question changed; the row itself where none can be, and for copy 0.

    Which words, and how, follows from training.seed, the content of the row and the number of the copy alone. Answers,
    labels and all turns but the user's stay. Where fields are extracted, words of the answer stay in the question too:
    they are copied from there.
    """
    changes = changes_of(config.augmentation)
    if not copy or not changes.any:
        return row
    copied = config.task == "extraction" or layout.name == "tokens_tags"
    kept = _answer_words(row, layout, config) if copied else frozenset[str]()
    seed = b"%d %d " % (config.training.seed, copy) + row_key(row)

    def alter(text: str, where: str) -> str:
        return change(text, changes, Chance(seed + where.encode("utf-8", "surrogatepass")), kept)

    made = dict(row)
    for name in _columns(layout, tuple(row), config):
        if isinstance(value := row[name], str):
            made[name] = alter(value, name)
    if _talks(layout, config) and (turns := turns_of(row.get(layout.roles["messages"]))):
        if (altered := _altered_turns(turns, layout, alter)) != turns:
            made[layout.roles["messages"]] = altered
    return made


def _altered_turns(turns: list[Any], layout: Layout, alter: Callable[[str, str], str]) -> list[Any]:
    """The turns with the user's words changed: a text, or the text blocks of a list."""
    role, content = layout.roles["role"], layout.roles["content"]
    made = []
    for number, turn in enumerate(turns):
        if isinstance(turn, dict) and role_of(turn.get(role)) == "user":
            words = turn.get(content)
            if isinstance(words, str):
                turn = turn | {content: alter(words, f"{number}")}
            elif isinstance(words, list):
                blocks = [
                    b | {"text": alter(b["text"], f"{number} {n}")} if _is_text(b) else b for n, b in enumerate(words)
                ]
                turn = turn | {content: blocks}
        made.append(turn)
    return made


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and isinstance(block.get("text"), str)


def changes_of(a: AugmentationConfig) -> Changes:
    """What is done to the words. Raises InputError where the list of synonyms cannot be read."""
    return Changes(a.swap, a.delete, a.synonym, a.case, a.typo, read_synonyms(a.synonyms or "") if a.synonym else {})


def _columns(layout: Layout, columns: tuple[str, ...], config: RunConfig) -> list[str]:
    """The columns that make up the question, without any that the answer uses too."""
    if (template := Wording.of(config.data).text) is not None:
        parts = parse(template, columns)
        answered = {part.text for part in parts if part.column and part.answer}
        return [c for c in dict.fromkeys(part.text for part in parts if part.column) if c not in answered]
    if layout.conversational:
        return []
    return [layout.roles[r] for r in _ASKED.get(layout.name, ()) if layout.roles.get(r) in columns]


def _talks(layout: Layout, config: RunConfig) -> bool:
    """Whether the question is in the user's turns."""
    return layout.name in ("sharegpt", "messages") and Wording.of(config.data).text is None


def asks(layout: Layout, columns: Sequence[str], config: RunConfig) -> bool:
    """Whether rows have a question whose words can be changed."""
    return bool(_talks(layout, config) or _columns(layout, tuple(columns), config))


def _answer_words(row: dict[str, Any], layout: Layout, config: RunConfig) -> frozenset[str]:
    """The words of a row's answer, in small letters."""
    if (template := Wording.of(config.data).text) is not None:
        names = [part.text for part in parse(template, tuple(row)) if part.column and part.answer]
    else:
        said = ("messages", "chosen", "output", "completion")
        names = (
            [answer_column(layout)] if answer_column(layout) else [layout.roles[r] for r in said if r in layout.roles]
        )
    return frozenset(word.casefold() for name in names for word in _WORD.findall(as_text(row.get(name))))


# For the eye


@dataclass(frozen=True)
class Marked:
    """A text, and where in it the words stand that the other side has not: (start, end) of each."""

    text: str
    spans: list[tuple[int, int]]


def before_after(row: dict[str, Any], layout: Layout, config: RunConfig, n: int = 1) -> list[tuple[Marked, Marked]]:
    """The question of a row before and after, for its first `n` copies.

    Raises:
        InputError: the template does not fit, or the list of synonyms cannot be read.
    """
    before = _question(row, layout, config)
    return [_marked(before, _question(changed(row, layout, config, i), layout, config)) for i in range(1, n + 1)]


def _question(row: dict[str, Any], layout: Layout, config: RunConfig) -> str:
    """All of a row that may be changed, a line or more for each column or turn."""
    texts = [row[name] for name in _columns(layout, tuple(row), config)]
    if _talks(layout, config):
        role, content = layout.roles["role"], layout.roles["content"]
        for turn in turns_of(row.get(layout.roles["messages"])) or []:
            if isinstance(turn, dict) and role_of(turn.get(role)) == "user":
                words = turn.get(content)
                texts += [b["text"] for b in words if _is_text(b)] if isinstance(words, list) else [words]
    return "\n".join(text for text in texts if isinstance(text, str))


def _marked(before: str, after: str) -> tuple[Marked, Marked]:
    sides = [list(re.finditer(r"\S+", text)) for text in (before, after)]
    one, two = ([word.group() for word in side] for side in sides)
    spans: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    for tag, a, b, c, d in difflib.SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if tag != "equal":
            spans[0].extend(word.span() for word in sides[0][a:b])
            spans[1].extend(word.span() for word in sides[1][c:d])
    return Marked(before, spans[0]), Marked(after, spans[1])
