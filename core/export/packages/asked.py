"""Rows of a package that is asked: what a person typed as a row, and a row with all that a prompt is made of."""

from __future__ import annotations

from typing import Any

from core.data.formats import Layout, answer_column
from core.data.template import Wording
from core.data.turns import role_of, turns_of
from core.errors import InputError
from core.export.packages.base import Folder
from core.export.packages.tokenizer import PlainTokenizer

ANSWER = "."  # stands where the answer will be while a prompt is rendered; it is cut off before anything is sent


class Asked(Folder):
    """A package that is asked rows.

    Attributes:
        layout, wording: how a row is read. tokenizer: in the shape that the prompt code asks for.
    """

    layout: Layout
    wording: Wording
    tokenizer: Any

    def switch(self, adapter: str | None) -> None:
        """See Folder: with its own prompts."""
        super().switch(adapter)
        self.layout = Layout(self.settings["layout"]["name"], self.settings["layout"]["roles"], "")
        self.wording = Wording(self.settings["template"], self.settings["system"])
        special, template = self.settings["special_tokens"], self.settings["chat_template"]
        self.tokenizer = PlainTokenizer(self.folder, special, template)

    def filled(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row (column -> value) as it is rendered: with an answer that stands for the one to come."""
        if self.wording.template is not None:
            return {column: row.get(column, "") for column in self.settings["columns"]}
        if self.layout.conversational:
            return row | self._talk([*self._turns(row), {"role": "assistant", "content": ANSWER}])
        return row | {answer_column(self.layout): ANSWER}

    def _turns(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The turns of a conversation but for an answer that it ends with."""
        turns = turns_of(row.get(self.layout.roles["messages"])) or []
        answered = turns and role_of(turns[-1].get(self.layout.roles["role"])) == "assistant"
        return turns[:-1] if answered else turns

    def _talk(self, turns: list[dict[str, Any]]) -> dict[str, Any]:
        """The column of a conversation, from turns with the layout's own keys or with role and content."""
        roles = self.layout.roles
        keys = {"role": roles["role"], "content": roles["content"]}
        return {roles["messages"]: [{keys.get(key, key): value for key, value in turn.items()} for turn in turns]}

    def row(self, text: str, fields: dict[str, str], history: list[dict[str, str]]) -> dict[str, Any]:
        """What a person typed, as a row. InputError where a field is missing or not known."""
        names = self.settings["fields"]
        if self.layout.conversational and self.settings["template"] is None:
            return self._talk([*history, {"role": "user", "content": text}])
        given = dict(fields)
        if text:
            free = [name for name in names if name not in given]
            if not free:
                raise InputError(f"This model takes {', '.join(names)}, and all of that is given: leave out the text.")
            given[free[0]] = text
        for name in given:
            if name not in names:
                raise InputError(f"There is no field {name!r}. Known: {', '.join(names)}.")
        missing = [name for name in names if name not in given and name not in self.settings["optional"]]
        if missing:
            raise InputError(f"Give {' and '.join(f'--field {name}=...' for name in missing)} too.")
        return given
