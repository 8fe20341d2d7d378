"""A row through a template: prompt and answer segments. The one function from which every text of a row comes."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.data.formats import Layout, check_desired, check_tags, to_messages, tools
from core.data.media import refuse
from core.data.named import NAMED, chat_template
from core.data.reasoning import answer_of
from core.data.segments import Part, Segment, fill
from core.data.suggest import suggest_template
from core.data.turns import last_answer
from core.errors import BrokenTemplate, InputError, nearest, unknown
from core.models.tokenizer import traits

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

    @property
    def text(self) -> str | None:
        """The template with columns in it; None where a chat template makes the text."""
        return None if self.template in NAMED else self.template

    def chat_template(self, tokenizer: PreTrainedTokenizerFast) -> str | None:
        """The chat template of the format that is named; None where none is, so that the model's own is meant."""
        return chat_template(self.template, tokenizer) if self.template in NAMED else None


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
            own chat template, where the answers are what the assistant says. The name of a format: its chat template.
        tokenizer: of the model: its beginning and end tokens, its chat template.

    Raises:
        InputError: the template or the chat template cannot be used, or the row is no conversation. Undesired: its
            answer is marked as a bad one.
    """
    wording = Wording.meant(wording)
    if wording.text is None:
        made = wording.chat_template(tokenizer)
        if made is None and not tokenizer.chat_template:
            proposal = suggest_template(layout)
            remedy = f"write a template, such as {proposal!r}, or" if proposal else "choose a model that has one, or"
            raise InputError(f"This model has no chat template: {remedy} name a format, such as chatml.", FIELD)
        from core.data.chat import render_chat

        return render_chat(to_messages(row, layout), tokenizer, wording, made, tools(row, layout))
    if wording.system:
        raise InputError(
            "A text template has no place for a system prompt: write it into the template, or leave one of the two "
            "empty.",
            "data.system",
        )
    parts = parse(wording.text, tuple(row))
    if layout.roles.get("desired", "") not in [part.text for part in parts if part.column]:
        check_desired(row, layout)
    check_tags(row, layout)
    refuse(row)
    return fill(row, parts, traits(tokenizer), wording.train_on)


def concerns_every_row(error: InputError, layout: Layout) -> bool:
    """Whether an error of `render` is the template's own, so that every row has it; a conversation's is of its row."""
    own = error.field == "data.system" or isinstance(error, BrokenTemplate)
    return own or (error.field == FIELD and not layout.conversational)


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
        if column is not None and column not in columns and not _meant_as_column(column, columns):
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
        if re.fullmatch(r"[\w .-]{1,24}", name := template.strip()) and nearest(name, NAMED):
            own = "" if not columns else f" A template of your own names a column in braces, such as {{{columns[-1]}}}."
            raise InputError(unknown("format", name, NAMED) + own, FIELD)
        what = "is empty" if not name else "names no column"
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


def _meant_as_column(name: str, columns: Sequence[str]) -> bool:
    """Whether what stands in braces was meant as a column, though there is none of that name."""
    close = difflib.get_close_matches(name.strip().casefold(), [c.casefold() for c in columns], n=1, cutoff=0.8)
    return bool(close) or _COLUMN_LIKE.fullmatch(name) is not None


def _no_column(name: str, columns: Sequence[str]) -> str:
    near = nearest(name.strip(), columns)
    known = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
    return (
        f"The template names {{{name}}}, and the data has no such column."
        + (f" Did you mean {{{near}}}?" if near else "")
        + f" Columns: {known}."
    )


def names_column(template: str | None, column: str, columns: Iterable[str]) -> bool:
    """Whether a text template uses a column; one that does not fit uses none."""
    text = Wording(template).text
    try:
        return text is not None and any(p.column and p.text == column for p in parse(text, tuple(columns)))
    except InputError:
        return False


def check_template(template: str, columns: Iterable[str]) -> None:
    """Whether a template fits the columns.

    Raises:
        InputError: field "data.template"; the sentence names the column, or the format, that was probably meant.
    """
    if template not in NAMED:
        parse(template, tuple(columns))


def answer_text(
    row: dict[str, Any],
    layout: Layout,
    wording: Wording | str | None,
    tokenizer: PreTrainedTokenizerFast,
    segments: Sequence[Segment] = (),
) -> str:
    """The reference answer of a row: the last answer without its reasoning and its end token, stripped.

    What evaluation compares with. With `segments`, what `render` made of the row, it begins with what a template
    without a generation prompt writes before the words, such as "ASSISTANT: ": the model has to write it.
    """
    if Wording.meant(wording).text is not None:
        return answer_of(_last_words(segments or render(row, layout, wording, tokenizer)))
    messages, specials = to_messages(row, layout), traits(tokenizer).specials
    last = last_answer(messages)
    if last is None:
        return ""
    if "tool_calls" in messages[last]:  # special tokens around a call are not in the text of what a model says
        text = _last_words(segments or render(row, layout, wording, tokenizer))
        return answer_of(specials.sub("", text) if specials else text)
    want = answer_of(str(messages[last]["content"]))
    whole = answer_of(_last_words(segments)) if segments else want
    head = whole[: -len(want)] if want and whole.endswith(want) else ""
    return answer_of(f"{specials.sub('', head) if specials else head}{want}")


def _last_words(segments: Sequence[Segment]) -> str:
    """The last answer without its end token."""
    answer = [s for s in segments if s.answer][-1]
    return answer.text[: len(answer.text) - answer.end]


def prompt_segments(segments: Sequence[Segment]) -> list[Segment]:
    """What stands before the last answer: what inference sends. All of it where there is no answer."""
    last = max((i for i, s in enumerate(segments) if s.answer), default=len(segments))
    return list(segments[:last])
