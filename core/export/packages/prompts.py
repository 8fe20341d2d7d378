"""Prompts of a model that writes: what a person typed becomes the very ids that training made of such a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.data.encode import encode_prompt
from core.data.formats import Layout, answer_column
from core.data.segments import Segment
from core.data.template import Wording, prompt_segments, render
from core.data.turns import role_of, turns_of
from core.errors import InputError
from core.export.packages.base import Folder
from core.export.packages.tokenizer import PlainTokenizer

ANSWER = "."  # stands where the answer will be while a prompt is rendered; it is cut off before anything is sent


class Prompted(Folder, ABC):
    """A package that is asked by prompts and writes its answers."""

    def __init__(self, path: Path, adapter: str | None = None) -> None:
        super().__init__(path, adapter)
        self.layout = Layout(self.settings["layout"]["name"], self.settings["layout"]["roles"], "")
        special, template = self.settings["special_tokens"], self.settings["chat_template"]
        self.tokenizer: Any = PlainTokenizer(path, special, template)

    @abstractmethod
    def load(self) -> None:
        """Load the model, where it is not; the first answer does so, too."""

    @abstractmethod
    def generate(self, ids: list[int], limit: int | None = None) -> Iterator[int]:
        """The tokens of the answer, one by one, the end token among them; greedy; at most `limit`."""

    @abstractmethod
    def logits(self, ids: list[int], answer: list[int]) -> Any:
        """What the model says before each token of a given answer: float32 (tokens of the answer, vocabulary)."""

    def ids(self, row: dict[str, Any]) -> list[int]:
        """The prompt of a row (column -> value) as token ids; its answer is not read."""
        wording = Wording(self.settings["template"], self.settings["system"])
        if wording.template is not None:
            filled = {column: row.get(column, "") for column in self.settings["columns"]}
        elif self.layout.conversational:
            filled = row | self._talk([*self._turns(row), {"role": "assistant", "content": ANSWER}])
        else:
            filled = row | {answer_column(self.layout): ANSWER}
        segments = render(filled, self.layout, wording, self.tokenizer)
        return self._encode(prompt_segments(segments))

    def _encode(self, segments: Sequence[Segment]) -> list[int]:
        return encode_prompt(segments, self.tokenizer, self.settings["prompt_tokens"])

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

    def words(self, ids: list[int], limit: int | None = None) -> Iterator[str]:
        """The answer as text, piece by piece; a character of several tokens comes when it is whole."""
        tokens, shown = [], ""
        for token in self.generate(ids, limit):
            tokens.append(token)
            text = self.tokenizer.decode(tokens)
            if len(text) > len(shown) and not text.endswith("\ufffd"):
                yield text[len(shown) :]
                shown = text
        if rest := self.tokenizer.decode(tokens)[len(shown) :]:
            yield rest

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
