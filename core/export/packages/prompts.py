"""Prompts of a model that writes: what a person typed becomes the very ids that training made of such a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from core.data.encode import encode_prompt
from core.data.segments import Segment
from core.data.template import prompt_segments, render
from core.errors import InputError
from core.export.packages.asked import Asked

See = Callable[[Any], None]


class Prompted(Asked, ABC):
    """A package that is asked by prompts and writes its answers."""

    @abstractmethod
    def load(self) -> None:
        """Load the model, where it is not; the first answer does so, too."""

    @abstractmethod
    def generate(self, ids: list[int], limit: int | None = None, see: See | None = None) -> Iterator[int]:
        """The tokens of the answer, one by one, the end token among them; greedy; at most `limit`.

        see: told, before each token, what the model says of it: logits (vocabulary).
        """

    @abstractmethod
    def logits(self, ids: list[int], answer: list[int]) -> Any:
        """What the model says before each token of a given answer: float32 (tokens of the answer, vocabulary)."""

    def ids(self, row: dict[str, Any]) -> list[int]:
        """The prompt of a row (column -> value) as token ids; its answer is not read."""
        segments = render(self.filled(row), self.layout, self.wording, self.tokenizer)
        return self._encode(prompt_segments(segments))

    def room(self, ids: list[int], limit: int | None) -> int:
        """How many tokens the answer to a prompt may have, `limit` at most.

        Raises:
            InputError: the model reads no more than the prompt.
        """
        context = self.settings["context"]
        if len(ids) >= context:
            raise InputError(f"The prompt has {len(ids)} tokens, and this model reads {context} in all.")
        return int(min(limit or self.settings["max_new_tokens"], context - len(ids)))

    def _encode(self, segments: Sequence[Segment]) -> list[int]:
        return encode_prompt(segments, self.tokenizer, self.settings["prompt_tokens"])

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
