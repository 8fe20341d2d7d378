"""A conversation through a chat template, cut into what is read and what is trained on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.data.dialect import Tools, dialect, put, write
from core.data.guard import Guard
from core.data.segments import Segment
from core.data.template import Wording
from core.data.turns import Message, as_text, is_answer, said
from core.errors import InputError
from core.models.tokenizer import traits, turn_end

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FIELD = "data.template"
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
Span = tuple[int, int, int]  # start, end, and how much of its end is the end token


def render_chat(
    messages: list[Message],
    tokenizer: PreTrainedTokenizerFast,
    wording: Wording | None = None,
    template: str | None = None,
    tools: Tools = (),
) -> list[Segment]:
    """A conversation as segments; the answers are the assistant's words and calls with their end token.

    A prompt is exactly what the template writes for the turns before an answer, with the generation prompt: training
    sees what inference sends. Where a template writes earlier turns otherwise once more follow (Qwen 3 drops their
    reasoning), the spans of its {% generation %} marks are used; without such marks only the last answer is trained on.
    Turns after the assistant's last one are left out. A greeting of the assistant that opens the conversation answers
    nothing and is not trained on.

    Args:
        messages, tools: see core.data.turns. What the template cannot write becomes words: see `dialect.put`.
        wording: a system prompt for a conversation without one, and what is trained on.
        template: Jinja; None: the tokenizer's own.

    Raises:
        InputError: the template refuses the conversation, or no span of an answer can be found.
    """
    wording = wording or Wording()
    messages, tools = put(with_system(messages, wording), tools, dialect(tokenizer, template))
    turns = answers_of(messages)
    if not turns:
        raise InputError(
            "The conversation has no answer of the assistant, so there is nothing to learn from it.", "data.path"
        )
    messages = messages[: turns[-1] + 1]
    guard = Guard((messages, tools), traits(tokenizer))
    talk = _Talk(tokenizer, template, guard, guard.marked(messages), guard.marked(tools))
    asked = turns[-1:] if wording.train_on == "last" else turns
    spans = talk.by_prefixes(asked)
    if spans is None and _GENERATION.search(tokenizer.get_chat_template(template, list(tools) or None)):
        spans = talk.by_marks()
    if spans is None:
        spans = talk.by_prefixes(turns[-1:])
    if not spans:
        raise InputError(
            "The chat template writes a conversation otherwise once an answer follows, and it has no {% generation %} "
            "marks, so the answer cannot be told from the prompt: write a text template instead.",
            FIELD,
        )
    start, stop, end = spans[-1]
    if not talk.full[start : stop - end].strip() and said(messages[-1]).strip():
        raise InputError("The chat template leaves out what the assistant says: write a text template instead.", FIELD)
    return talk.cut(spans[-1:] if wording.train_on == "last" else spans, wording.train_on == "all")


def with_system(messages: list[Message], wording: Wording) -> list[Message]:
    """The conversation with the wording's system prompt in front, where it has none of its own."""
    if not (wording.system or "").strip() or any(m["role"] == "system" for m in messages):
        return messages
    return [{"role": "system", "content": as_text(wording.system)}, *messages]


def answers_of(messages: Sequence[Message]) -> list[int]:
    """The places of the turns in which the assistant answers, and that are to be learned."""
    first = next((i for i, m in enumerate(messages) if m["role"] != "system"), 0)
    return [i for i, m in enumerate(messages) if i > first and is_answer(m)]


@dataclass
class _Talk:
    """A marked conversation that ends with an answer, and the template that writes it."""

    tokenizer: PreTrainedTokenizerFast
    template: str | None
    guard: Guard
    messages: list[Message]
    tools: Tools

    def __post_init__(self) -> None:
        self.full = self.write(self.messages)
        self.end = turn_end(self.tokenizer, self.template)

    def write(self, messages: list[Message], prompt: bool = False) -> str:
        """What the template makes of some of the messages."""
        return self.guard.whole(write(self.tokenizer, self.template, messages, self.tools, prompt))

    def by_prefixes(self, turns: list[int]) -> list[Span] | None:
        """The spans of turns, each between what is written up to it and what is written with it."""
        spans: list[Span] = []
        for i in turns:
            start = self.write(self.messages[:i], prompt=True)
            stop = self.full if i == len(self.messages) - 1 else self.write(self.messages[: i + 1])
            whole = self.full.startswith(stop) and stop.startswith(start)
            if not whole or (spans and len(start) < spans[-1][1]):
                return None
            given = 0
            if "tool_calls" in self.messages[i]:
                given = self._given(self.messages[:i], stop, len(start))
            spans.append(self._span(len(start) + given, len(stop), self.messages[i]))
        return spans

    def by_marks(self) -> list[Span] | None:
        """The spans of the template's own {% generation %} marks."""
        from transformers.utils.chat_template_utils import render_jinja_template

        tools = list(self.tools) or None
        rendered, found = render_jinja_template(
            [self.messages], tools=tools, chat_template=self.tokenizer.get_chat_template(self.template, tools),
            return_assistant_tokens_mask=True, **self.tokenizer.special_tokens_map,
        )  # fmt: skip
        said_by = [i for i, m in enumerate(self.messages) if m["role"] == "assistant"]
        if rendered[0] != self.full or len(found[0]) != len(said_by):
            return None
        starts = [start for start, _ in found[0]]
        borders = dict(zip(said_by, zip(starts, [*starts[1:], len(self.full)], strict=True), strict=True))
        return [self._span(*borders[i], self.messages[i]) for i in answers_of(self.messages)]

    def _given(self, before: list[Message], text: str, start: int) -> int:
        """The length of what the template writes before any words of a turn that calls: a given, not the model's."""
        try:
            other = self.write([*before, {"role": "assistant", "content": self.guard.probe}])
        except InputError:
            return 0
        size = 0
        for a, b in zip(text[start:], other[start:], strict=False):
            if a != b:
                break
            size += 1
        return size if text[start : start + size].strip() else 0

    def _span(self, start: int, stop: int, message: Message) -> Span:
        """The answer in full[start:stop]: without what the template writes before the words, up to their end token."""
        full, specials, last = self.full, self.guard.t.specials, start + len(self.full[start:stop].rstrip())
        if calls := message.get("tool_calls"):
            after = max(start, full.rfind(calls[-1]["function"]["name"], start, stop))
            ends = [m for m in specials.finditer(full, after, stop)] if specials else []
            match = next((m for m in ends if m.group() == self.end), ends[-1] if ends else None)
        else:
            words = message["content"].strip()
            at = self._find(words, start, stop)
            after = at + len(words) if at >= 0 else start
            last = after if at >= 0 else last  # without an end token: nothing that the template writes after the words
            if at >= 0 and full[start:at].strip():  # such as Qwen 3's empty <think></think>: a given
                start = at
            match = specials.search(full, after, stop) if specials else None
        if match:
            return start, match.end(), match.end() - match.start()
        return start, max(start, last), 0

    def _find(self, words: str, start: int, stop: int) -> int:
        """Where an answer's words begin; -1 where there are none."""
        if not words:
            return -1
        first = stop - len(self.full[start:stop].lstrip())
        if self.full.startswith(words, first):
            return first
        end = self.full.rfind(self.end, start, stop) if self.end else -1
        return self.full.rfind(words, start, end if end >= 0 else stop)

    def cut(self, spans: list[Span], everywhere: bool) -> list[Segment]:
        """The segments; where the template writes no end token, the last answer gets one."""
        segments, at, eos = list[Segment](), 0, self.guard.t.eos
        for i, (start, stop, end) in enumerate(spans):
            if start > at:
                segments.append(self.guard.segment(self.full[at:start], everywhere=everywhere))
            answer, at = self.full[start:stop], stop
            if i == len(spans) - 1 and not end and eos:
                answer, end = answer.rstrip() + eos, len(eos)
            segments.append(self.guard.segment(answer, answer=True, end=end))
        if at < len(self.full):
            segments.append(self.guard.segment(self.full[at:], everywhere=everywhere))
        return segments
