"""A conversation through a chat template, cut into what is read and what is trained on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.data.dialect import Tools, dialect, put, reasoned, write
from core.data.guard import Guard, texts_in
from core.data.reasoning import KEY, KEYS, block_at_end, closed, empty_block, opened, split, without_empty_block
from core.data.segments import Segment
from core.data.template import Wording
from core.data.turns import Message, as_text, is_blank, learned, said
from core.errors import InputError
from core.models.tokenizer import traits, turn_end

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FIELD = "data.template"
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Span:
    """An answer in what a template wrote: text[start:stop], of which the last `end` characters are the end token."""

    start: int
    stop: int
    end: int


def render_chat(
    messages: list[Message],
    tokenizer: PreTrainedTokenizerFast,
    wording: Wording | None = None,
    template: str | None = None,
    tools: Tools = (),
) -> list[Segment]:
    """A conversation as segments; the answers are all that stands behind the generation prompt, with their end token.

    A prompt is exactly what the template writes for the turns before an answer, with the generation prompt: training
    sees what inference sends, and learns what the model then has to write, such as Qwen 3's empty <think></think>.
    Where a template writes earlier turns otherwise once more follow (Qwen 3 drops their reasoning), the spans of its
    {% generation %} marks are used; without such marks only the last answer is trained on. Turns after the assistant's
    last one are left out. A greeting of the assistant that opens the conversation answers nothing and is not trained
    on.

    Where the last answer does not begin as the generation prompt ends, it is put behind it: R1's prompt opens a tag
    that no answer has. Reasoning that a template has a place for and leaves out of the last answer (an empty block, or
    a generation prompt that opens one) is put there. What else of an assistant's turn it leaves out is said in
    `Segment.lost`.

    Args:
        messages, tools: see core.data.turns. What the template cannot write becomes words: see `dialect.put`.
        wording: a system prompt for a conversation without one, and what is trained on.
        template: Jinja; None: the tokenizer's own.

    Raises:
        InputError: the template refuses the conversation, or no span of an answer can be found.
    """
    wording = wording or Wording()
    able = dialect(tokenizer, template)
    messages, tools = put(with_system(messages, wording), tools, able)
    turns = answers_of(messages)
    if not turns:
        raise InputError(
            "The conversation has no answer of the assistant, so there is nothing to learn from it.", "data.path"
        )
    messages = messages[: turns[-1] + 1]
    if able.thinks:
        messages[-1] = reasoned(messages[-1])
    guard = Guard((messages, tools), traits(tokenizer))
    talk = _Talk(tokenizer, template, guard, guard.marked(messages), guard.marked(tools), able.extra)
    asked = turns[-1:] if wording.train_on == "last" else turns
    marks = _GENERATION.search(tokenizer.get_chat_template(template, list(tools) or None)) is not None
    spans = talk.spans(asked, marks)
    if not spans and KEY in messages[-1]:  # a generation prompt that has no place for reasoning
        talk = replace(talk, messages=[*talk.messages[:-1], without(talk.messages[-1])], told=talk.messages[-1])
        spans = talk.spans(asked, marks)
    spans = spans or talk.apart() or (talk.by_marks(anyhow=True) if marks else None)
    if not spans:
        raise InputError(
            "The chat template writes a conversation otherwise once an answer follows, and it has no {% generation %} "
            "marks, so the answer cannot be told from the prompt: write a text template instead.",
            FIELD,
        )
    last = spans[-1]
    if not talk.full[last.start : last.stop - last.end].strip() and said(messages[-1]).strip():
        raise InputError("The chat template leaves out what the assistant says: write a text template instead.", FIELD)
    return talk.cut(spans[-1:] if wording.train_on == "last" else spans, turns, wording.train_on == "all")


def with_system(messages: list[Message], wording: Wording) -> list[Message]:
    """The conversation with the wording's system prompt in front, where it has none of its own."""
    if not (wording.system or "").strip() or any(m["role"] == "system" for m in messages):
        return messages
    return [{"role": "system", "content": as_text(wording.system)}, *messages]


def answers_of(messages: Sequence[Message]) -> list[int]:
    """The places of the turns in which the assistant answers, and that are to be learned."""
    first = next((i for i, m in enumerate(messages) if m["role"] != "system"), 0)
    return [i for i in learned(messages) if i > first]


@dataclass
class _Talk:
    """A marked conversation that ends with an answer, and the template that writes it."""

    tokenizer: PreTrainedTokenizerFast
    template: str | None
    guard: Guard
    messages: list[Message]
    tools: Tools
    extra: str = ""  # see Dialect
    told: Message | None = None  # the last message where it is written without its reasoning

    def __post_init__(self) -> None:
        self.full = self.write(self.messages)
        self.end = turn_end(self.tokenizer, self.template)
        self.put_back = False

    def write(self, messages: list[Message], prompt: bool = False) -> str:
        """What the template makes of some of the messages."""
        return self.guard.whole(write(self.tokenizer, self.template, messages, self.tools, prompt))

    def spans(self, turns: list[int], marks: bool) -> list[Span] | None:
        """The spans of turns, or of the last one alone; None where a prompt is not what a conversation begins with."""
        found = self.by_prefixes(turns)
        if found is None and marks:
            found = self.by_marks()
        return found or self.by_prefixes(turns[-1:]) or self.behind()

    def by_prefixes(self, turns: list[int]) -> list[Span] | None:
        """The spans of turns, each between what is written up to it and what is written with it."""
        spans: list[Span] = []
        for i in turns:
            start = self.write(self.messages[:i], prompt=True)
            stop = self.full if i == len(self.messages) - 1 else self.write(self.messages[: i + 1])
            whole = self.full.startswith(stop) and stop.startswith(start)
            if not whole or (spans and len(start) < spans[-1].stop) or not self._is_said(i, len(start), len(stop)):
                return None
            spans.append(self._last(len(start)) if stop is self.full else self._span(len(start), len(stop), i))
        return spans

    def by_marks(self, anyhow: bool = False) -> list[Span] | None:
        """The spans of the template's own {% generation %} marks; the last begins behind the generation prompt.

        anyhow: or at its mark, where the conversation does not begin with that prompt.
        """
        from transformers.utils.chat_template_utils import render_jinja_template

        tools = list(self.tools) or None
        rendered, found = render_jinja_template(
            [self.messages], tools=tools, chat_template=self.tokenizer.get_chat_template(self.template, tools),
            return_assistant_tokens_mask=True, **self.tokenizer.special_tokens_map,
        )  # fmt: skip
        said_by = [i for i, m in enumerate(self.messages) if m["role"] == "assistant"]
        prompt = self.write(self.messages[:-1], prompt=True)
        behind = self.full.startswith(prompt)
        if rendered[0] != self.full or len(found[0]) != len(said_by) or not (behind or anyhow):
            return None
        starts = [start for start, _ in found[0]]
        stops = dict(zip(said_by, (stop for _, stop in found[0]), strict=True))
        borders = dict(zip(said_by, zip(starts, [*starts[1:], len(self.full)], strict=True), strict=True))
        *earlier, last = answers_of(self.messages)
        start = len(prompt) if behind else borders[last][0]
        spans = [self._span(*borders[i], i) for i in earlier]
        for n, (i, span) in enumerate(zip(earlier, spans, strict=True)):
            if not span.end:  # no end token up to the next answer: nothing behind the mark is the assistant's
                stop = len(self.full[: stops[i]].rstrip())
                spans[n] = replace(span, stop=max(span.start, stop))
        if not all(self._is_said(i, *borders[i]) for i in earlier) or (spans and spans[-1].stop > start):
            return None
        return [*spans, self._last(start)]

    def behind(self) -> list[Span] | None:
        """The span of the last answer behind a generation prompt that ends in more than answers begin with."""
        prompt = self.write(self.messages[:-1], prompt=True)
        head = prompt.removesuffix(self.extra)
        if not self.extra or head == prompt or not self.full.startswith(head):
            return None
        own = self.full[len(head) :]
        if tag := block_at_end(self.extra):
            own = own.lstrip().removeprefix(f"<{tag['tag']}>")
            own = own if opened(self.extra) else without_empty_block(own)
        self.full = prompt + own
        return [self._last(len(prompt))]

    def apart(self) -> list[Span] | None:
        """The span of the last answer as the template writes it after one question, behind the prompt of them all.

        For templates that write what came before an answer in another way once it is there, as gpt-oss's does of calls.
        """
        try:
            alone = replace(self, messages=[{"role": "user", "content": "hello"}, self.messages[-1]])
            spans = alone.by_prefixes([1]) or alone.behind()
        except InputError:  # the template refuses so short a conversation
            return None
        if not spans:
            return None
        [span] = spans
        prompt = self.write(self.messages[:-1], prompt=True)
        self.full, self.put_back = prompt + alone.full[span.start :], alone.put_back
        moved = len(prompt) - span.start
        return [Span(len(prompt), span.stop + moved, span.end)]

    def _is_said(self, turn: int, start: int, stop: int) -> bool:
        """Whether the template writes no empty block in place of the reasoning of a turn that others follow."""
        why = _reasoning(self.messages[turn])
        own = self.full[start:stop]
        last = turn == len(self.messages) - 1
        return last or not why or _holds(own, why) or empty_block(own) is None

    def _last(self, start: int) -> Span:
        """The span of the last answer, with its reasoning put where the template has a place for it."""
        why, own = _reasoning(self.messages[-1]), self.full[start:]
        if (tag := opened(self.full[:start])) and f"</{tag['tag']}>" not in own:
            own = f"\n</{tag['tag']}>\n\n{own.lstrip()}"
        if why and not _holds(own, why):
            if block := empty_block(own):
                own = f"{own[: block.start('inside')]}\n{why}\n{own[block.end('inside') :]}"
                self.put_back = True
            elif tag and closed(own):
                own = f"{why}\n{own.lstrip()}"
                self.put_back = True
        self.full = self.full[:start] + own
        return self._span(start, len(self.full), len(self.messages) - 1)

    def _span(self, start: int, stop: int, turn: int) -> Span:
        """The answer in full[start:stop], up to its end token."""
        full, specials, message = self.full, self.guard.t.specials, self.messages[turn]
        last = start + len(full[start:stop].rstrip())
        if calls := message.get("tool_calls"):
            at = after = max(start, full.rfind(calls[-1]["function"]["name"], start, stop))
            at = -1
        else:
            at, words = self._find(message["content"], start, stop)
            after = at + len(words) if at >= 0 else start
            last = after if at >= 0 else last  # without an end token: nothing that the template writes after the words
        ends = list(specials.finditer(full, after, stop)) if specials else []
        match = ends[0] if ends else None
        if at < 0 and ends:
            match = next((m for m in ends if m.group() == self.end), ends[-1])
        if match:
            return Span(start, match.end(), match.end() - match.start())
        return Span(start, max(start, last), 0)

    def _find(self, content: str, start: int, stop: int) -> tuple[int, str]:
        """Where an answer's words begin, and which they are: those behind its reasoning where all are not found."""
        first = stop - len(self.full[start:stop].lstrip())
        end = self.full.rfind(self.end, start, stop) if self.end else -1
        for words in (content.strip(), (split(content) or ("", ""))[1].strip()):
            if words and self.full.startswith(words, first):
                return first, words
            if words and (at := self.full.rfind(words, start, end if end >= 0 else stop)) >= 0:
                return at, words
        return -1, ""

    def cut(self, spans: list[Span], turns: list[int], everywhere: bool) -> list[Segment]:
        """The segments; where the template writes no end token, the last answer gets one."""
        segments, at, eos = list[Segment](), 0, self.guard.t.eos
        before = 0
        for i, (span, turn) in enumerate(zip(spans, turns[-len(spans) :], strict=True)):
            if span.start > at:
                given = self.full[at : span.start]
                lost = self.guard.bare(self._lost(before, turn, given))
                segments.append(replace(self.guard.segment(given, everywhere=everywhere), lost=lost))
            before = turn + 1
            answer, end, at = self.full[span.start : span.stop], span.end, span.stop
            if i == len(spans) - 1 and not end and eos:
                answer, end = answer.rstrip() + eos, len(eos)
            message = self.told if self.told and turn == len(self.messages) - 1 else self.messages[turn]
            segments.append(
                replace(
                    self.guard.segment(answer, answer=True, end=end),
                    lost=self.guard.bare(_left_out(message, answer)),
                    put_back=self.put_back and i == len(spans) - 1,
                    said=not is_blank(message),
                )
            )
        if at < len(self.full):
            segments.append(self.guard.segment(self.full[at:], everywhere=everywhere))
        return segments

    def _lost(self, first: int, stop: int, text: str) -> str:
        """What the template leaves out of the turns of the assistant that are read in a text and not learned."""
        read = (m for m in self.messages[first:stop] if m["role"] == "assistant")
        return next((gone for m in read if (gone := _left_out(m, text))), "")


def _reasoning(message: Message) -> str:
    """The reasoning of a message, under its key or between tags in its words."""
    return str(message.get(KEY) or (split(message["content"]) or ("",))[0]).strip()


def without(message: Message) -> Message:
    """A message without its reasoning."""
    return {key: value for key, value in message.items() if key not in KEYS}


def _left_out(message: Message, text: str) -> str:
    """The first part of what the assistant says that is not in a text; "" where all of it is."""
    return next((part for part in _parts(message) if part.strip() and not _holds(text, part)), "")


def _parts(message: Message) -> Iterator[str]:
    yield str(message.get(KEY) or "").strip()
    yield from (part.strip() for part in split(message["content"]) or (message["content"],))
    for call in message.get("tool_calls", ()):
        yield call["function"]["name"]
        given = call["function"]["arguments"]
        yield from texts_in(json.loads(given) if isinstance(given, str) else given)


def _holds(text: str, part: str) -> bool:
    """Whether a text holds a part of a message: as it is, as JSON writes it, or with other white space."""
    if part in text:
        return True
    dense = _SPACE.sub("", text)
    forms = (part, json.dumps(part, ensure_ascii=False)[1:-1], json.dumps(part)[1:-1])
    return any(_SPACE.sub("", form) in dense for form in forms)
