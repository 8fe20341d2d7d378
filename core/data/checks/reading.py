"""What a row asks and what it answers, as the doctor compares rows: by columns, or by the turns of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from core.data.formats import Layout, answer_column, check_desired, check_tags, to_messages, tools
from core.data.media import refuse
from core.data.template import Wording, parse
from core.data.turns import Message, as_text, said
from core.errors import InputError

ASKED = ("context", "prompt", "instruction", "input", "text", "first", "second")  # roles of a layout


class Said(NamedTuple):
    """What a row says.

    Attributes:
        question: what is asked, in small letters and with single spaces: rows that differ only so ask the same.
        answer: what is answered, likewise; of a conversation the last answer.
        turns: the messages of a conversation without its system prompts; none where columns say it.
    """

    question: str = ""
    answer: str = ""
    turns: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How the rows of a source are read.

    Attributes:
        layout: of the rows.
        asked: the columns of what is asked.
        answered: the columns of what is answered; none where rows are conversations.
    """

    layout: Layout
    asked: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()

    @classmethod
    def of(cls, layout: Layout, columns: Sequence[str], template: str | None) -> Reading:
        """The reading under a template, or by the layout where there is none.

        Raises:
            InputError: the template does not fit the columns.
        """
        text = Wording(template).text
        if text is not None:
            parts = [part for part in parse(text, tuple(columns)) if part.column]
            asked, answered = ([p.text for p in parts if p.answer == answer] for answer in (False, True))
            return cls(layout, tuple(dict.fromkeys(asked)), tuple(dict.fromkeys(answered)))
        if layout.conversational:
            return cls(layout)
        answer = answer_column(layout)
        asked = [layout.roles[role] for role in ASKED if role in layout.roles]
        return cls(layout, tuple(column for column in asked if column != answer), (answer,))

    @property
    def labelled(self) -> bool:
        """Whether the answer is a label: one of a few, and not a wording."""
        return self.layout.name == "text_label" and self.answered == (self.layout.roles["label"],)

    def said(self, row: dict[str, Any]) -> Said:
        """What a row says.

        Raises:
            InputError: the row is no conversation, or its words have not a tag each. Undesired: its answer is marked as
                a bad one.
        """
        question, answer, turns = self._words(row)
        return Said(_one_line(question), _one_line(answer), turns)

    def said_if_any(self, row: dict[str, Any]) -> Said:
        """What a row says; nothing where it is no conversation, or its columns are others."""
        try:
            return self.said(row)
        except InputError:
            return Said()

    def shown(self, row: dict[str, Any]) -> tuple[str, str]:
        """What is asked and answered in a row, as it is written, for a person to recognise it."""
        roles = {name: column for name, column in self.layout.roles.items() if name != "desired"}
        try:
            question, answer, _ = replace(self, layout=replace(self.layout, roles=roles))._words(row)
        except InputError:
            return as_text(row), ""
        return question.strip(), answer.strip()

    def _words(self, row: dict[str, Any]) -> tuple[str, str, tuple[Message, ...]]:
        if self.answered:
            if self.layout.roles.get("desired") not in (*self.asked, *self.answered):
                check_desired(row, self.layout)
            check_tags(row, self.layout)
            refuse(row)
            return _values(row, self.asked), _values(row, self.answered), ()
        tools(row, self.layout)  # what is no tool is refused by whoever renders the row
        turns = tuple([m for m in to_messages(row, self.layout) if m["role"] != "system"])
        last = max((i for i, m in enumerate(turns) if m["role"] == "assistant"), default=len(turns))
        return " ".join(map(said, turns[:last])), said(turns[last]) if last < len(turns) else "", turns


def _values(row: dict[str, Any], columns: tuple[str, ...]) -> str:
    """The values of some columns in one text."""
    if len(columns) == 1 and type(value := row.get(columns[0])) is str:
        return value
    return " ".join([as_text(row.get(name)) for name in columns])


def _one_line(text: str) -> str:
    return " ".join(text.casefold().split())
