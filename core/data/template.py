"""A row through a template: prompt and answer segments. The one function from which every text of a row comes."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.data.formats import Layout, as_text, suggest_template, to_messages
from core.errors import InputError, nearest
from core.models.tokenizer import Traits, traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from core.config import DataConfig

FIELD = "data.template"
_MARKS = re.compile(r"\[\[|\]\](?!\])|\{\{(?P<literal>[^{}\n]+)\}\}|\{(?P<column>[^{}\n]+)\}")
_COLUMN_LIKE = re.compile(r"\w[\w .\-/]*")


@dataclass(frozen=True)
class Wording:
    """How a row becomes text, and which of it is trained on: what a config says in `data`.

    Attributes:
        template: text with {column}, the name of a format, or None for the model's own chat template.
        system: a system prompt for conversations that have none of their own.
        train_on: "answers" (every answer), "last" (the last one only) or "all" (all text).
    """

    template: str | None = None
    system: str | None = None
    train_on: Literal["answers", "last", "all"] = "answers"

    @classmethod
    def of(cls, data: DataConfig) -> Wording:
        """That of a config's data section."""
        return cls(data.template, data.system, data.train_on)

    @classmethod
    def meant(cls, given: Wording | str | None) -> Wording:
        """A bare template stands for a wording with nothing else in it."""
        return given if isinstance(given, Wording) else cls(given)


@dataclass(frozen=True)
class Segment:
    """A stretch of a row's text.

    Attributes:
        text: as the tokenizer sees it, special tokens included.
        answer: whether it is an answer that is to be learned, or what is read before one.
        cuts: offsets in text at which it is tokenised apart, so that the text of a special token in a row's value stays
            plain text: a row cannot end its own answer or open a turn.
        end: so many characters at the end of text are the end token.
        everywhere: whether the loss is taken on it although it is no answer: all text is trained on.
    """

    text: str
    answer: bool
    cuts: tuple[int, ...] = ()
    end: int = 0
    everywhere: bool = False

    @property
    def trained(self) -> bool:
        """Whether the loss is taken on it."""
        return self.answer or self.everywhere


@dataclass(frozen=True)
class Part:
    """A piece of a parsed template: literal text, or a column's name."""

    text: str
    column: bool
    answer: bool


def render(
    row: dict[str, Any], layout: Layout, wording: Wording | str | None, tokenizer: PreTrainedTokenizerFast
) -> list[Segment]:
    """A row as segments, in order; their texts joined are what the model reads.

    Args:
        row: column -> value.
        layout: how the columns are to be read (used by the chat template).
        wording: what to train on, a system prompt, and the template. In it `{column}` is the row's value: text as it
            is, other values as JSON. Braces around what cannot be a column's name stay as they are; `{{name}}` is the
            literal {name}. The answer stands between [[ and ]] (several are allowed); without marks it is the last
            {column} and all after it. White space at the end of a prompt belongs to the answer (a tokenizer would merge
            it with the answer's first letters); the end token is added after the last answer. No template: the model's
            own chat template, where the answers are what the assistant says.
        tokenizer: of the model: its beginning and end tokens, its chat template.

    Raises:
        InputError: the template or the chat template cannot be used, or the row is no conversation.
    """
    wording = Wording.meant(wording)
    template = wording.template
    if template is None:
        if not tokenizer.chat_template:
            proposal = suggest_template(layout)
            remedy = f"write a template, such as {proposal!r}" if proposal else "choose a model that has one"
            raise InputError(f"This model has no chat template: {remedy}.", FIELD)
        from core.data.chat import render_chat

        return render_chat(to_messages(row, layout), tokenizer, wording)
    if wording.system:
        raise InputError(
            "A text template has no place for a system prompt: write it into the template, or leave one of the two "
            "empty.",
            "data.system",
        )
    return _render_text(row, parse(template, tuple(row)), traits(tokenizer), wording.train_on)


def concerns_every_row(error: InputError, layout: Layout) -> bool:
    """Whether an error of `render` is the template's own, so that every row has it; a conversation's is of its row."""
    return error.field == "data.system" or (error.field == FIELD and not layout.conversational)


@functools.lru_cache(maxsize=64)
def parse(template: str, columns: tuple[str, ...]) -> tuple[Part, ...]:
    """The parts of a template.

    Raises:
        InputError: a column that is not there, marks that do not match, no answer.
    """
    parts: list[Part] = []
    at, inside, marked = 0, False, False

    def literal(text: str) -> None:
        if text:
            parts.append(Part(text, False, inside))

    for match in _MARKS.finditer(template):
        mark, column, quoted = match.group(), match["column"], match["literal"]
        if column is not None and column not in columns and not _COLUMN_LIKE.fullmatch(column):
            continue
        if quoted is not None and quoted not in columns and not _COLUMN_LIKE.fullmatch(quoted):
            continue
        literal(template[at : match.start()])
        at = match.end()
        if mark == "[[":
            if inside:
                raise InputError(
                    "The template opens an answer with [[ inside an answer: close the first with ]].", FIELD
                )
            inside = marked = True
        elif mark.startswith("]]"):
            if not inside:
                raise InputError("The template closes an answer with ]] that no [[ opens.", FIELD)
            inside = False
        elif column is not None:
            if column not in columns:
                raise InputError(_no_column(column, columns), FIELD)
            parts.append(Part(column, True, inside))
        else:
            literal(f"{{{quoted}}}")
    literal(template[at:])
    if inside:
        raise InputError("The template opens an answer with [[ and never closes it with ]].", FIELD)
    named = [i for i, part in enumerate(parts) if part.column]
    if not named:
        what = "is empty" if not template.strip() else "names no column"
        raise InputError(
            f"The template {what}: put a column in braces, such as {{{columns[-1] if columns else 'text'}}}.", FIELD
        )
    if not marked:
        return tuple(Part(p.text, p.column, i >= named[-1]) for i, p in enumerate(parts))
    if not any(p.answer and p.column for p in parts):
        raise InputError(
            "The answer between [[ and ]] names no column, so every row would teach the same words: "
            f"put the answer's column there, such as [[{{{columns[-1]}}}]].",
            FIELD,
        )
    return tuple(parts)


def _no_column(name: str, columns: Sequence[str]) -> str:
    near = nearest(name.strip(), columns)
    known = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
    return (
        f"The template names {{{name}}}, and the data has no such column."
        + (f" Did you mean {{{near}}}?" if near else "")
        + f" Columns: {known}."
    )


def check_template(template: str, columns: Iterable[str]) -> None:
    """Whether a template fits the columns.

    Raises:
        InputError: field "data.template"; the sentence names the column that was probably meant.
    """
    parse(template, tuple(columns))


def _render_text(row: dict[str, Any], parts: Sequence[Part], t: Traits, train_on: str) -> list[Segment]:
    runs: list[_Run] = []
    last = max(i for i, p in enumerate(parts) if p.answer)
    for i, part in enumerate(parts):
        if not runs or runs[-1].answer != part.answer:
            runs.append(_Run(part.answer))
        value = as_text(row.get(part.text)) if part.column else part.text
        if part.column and i == last and t.eos:  # an end token that the data wrote out: one is added below
            value = value.removesuffix(t.eos)
        runs[-1].add(value, part.column)
    for before, run in zip(runs, runs[1:], strict=False):
        if run.answer:
            before.give_space(run)
    final = max(i for i, run in enumerate(runs) if run.answer)
    end = runs[final].own_tail(t)
    if final + 1 < len(runs) and (token := runs[final + 1].own_head(t)):
        runs[final + 1].text = runs[final + 1].text[len(token) :]
        runs[final + 1].spans = [(a - len(token), b - len(token)) for a, b in runs[final + 1].spans]
        runs[final].text += token
        end += len(token)
    if t.eos and not (end and runs[final].text.endswith(t.eos)):
        runs[final].text += t.eos
        end += len(t.eos)
    first = runs[0].text or (runs[1].text if len(runs) > 1 else "")
    head = [Segment(t.bos, False)] if t.bos and not first.startswith(t.bos) else []
    body = [
        Segment(
            run.text,
            run.answer and (train_on != "last" or i == final),
            find_cuts(run.text, run.spans, t),
            end if i == final else 0,
            train_on == "all" and not run.answer,
        )
        for i, run in enumerate(runs)
        if run.text or run.answer
    ]
    return head + body


class _Run:
    """A stretch of text under construction, with the spans of it that came from the row."""

    def __init__(self, answer: bool) -> None:
        self.answer, self.text, self.spans = answer, "", list[tuple[int, int]]()

    def add(self, text: str, value: bool) -> None:
        if value and text:
            self.spans.append((len(self.text), len(self.text) + len(text)))
        self.text += text

    def give_space(self, other: _Run) -> None:
        """Move the white space at the end to the front of the next run."""
        kept = self.text.rstrip()
        moved = self.text[len(kept) :]
        if moved:
            size, at = len(moved), len(kept)
            shifted = [(max(a, at) - at, b - at) for a, b in self.spans if b > at]
            other.spans = shifted + [(a + size, b + size) for a, b in other.spans]
            other.text = moved + other.text
            self.text, self.spans = kept, [(a, min(b, at)) for a, b in self.spans if a < at]

    def own_tail(self, t: Traits) -> int:
        """The length of the template's own special tokens at the end of the text."""
        start, end = max((b for _, b in self.spans), default=0), len(self.text)
        while token := next((s for s in t.ids if self.text.endswith(s, start, end)), ""):
            end -= len(token)
        return len(self.text) - end

    def own_head(self, t: Traits) -> str:
        """The template's own special token at the very start of the text, or ""."""
        match = t.specials.match(self.text) if t.specials else None
        return match.group() if match and all(a >= match.end() for a, _ in self.spans) else ""


def find_cuts(text: str, spans: Sequence[tuple[int, int]], t: Traits) -> tuple[int, ...]:
    """Where to cut a text so that no special token's text which touches a row's value is read as that token."""
    if t.specials is None or not spans or not t.specials.search(text):
        return ()
    cuts, at = set[int](), 0
    while match := t.specials.search(text, at):
        start, end = match.span()
        if end - start > 1 and any(a < end and b > start for a, b in spans):
            cuts.add(start + 1)
            at = start + 1
        else:
            at = end
    return tuple(sorted(cuts))


def answer_text(
    row: dict[str, Any], layout: Layout, wording: Wording | str | None, tokenizer: PreTrainedTokenizerFast
) -> str:
    """The reference answer of a row: the last answer without its end token, stripped. What evaluation compares with."""
    template = Wording.meant(wording).template
    if template is None:
        said = [m["content"] for m in to_messages(row, layout) if m["role"] == "assistant"]
        return said[-1].strip() if said else ""
    answers = [s for s in render(row, layout, wording, tokenizer) if s.answer]
    return answers[-1].text[: len(answers[-1].text) - answers[-1].end].strip()


def prompt_segments(segments: Sequence[Segment]) -> list[Segment]:
    """What stands before the last answer: what inference sends. All of it where there is no answer."""
    last = max((i for i, s in enumerate(segments) if s.answer), default=len(segments))
    return list(segments[:last])
