"""A conversation through the model's chat template, cut into what is read and what is trained on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from core.data.template import Segment, Wording
from core.errors import InputError
from core.models.tokenizer import Traits, traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FIELD = "data.template"
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
Span = tuple[int, int, int]  # start, end, and how much of its end is the end token


def render_chat(
    messages: list[dict[str, str]], tokenizer: PreTrainedTokenizerFast, wording: Wording | None = None
) -> list[Segment]:
    """A conversation as segments; trained are the assistant's words with their end token, unless the wording differs.

    A prompt is exactly what the template writes for the turns before an answer, with the generation prompt: training
    sees what inference sends. Where a template writes earlier turns otherwise once more follow (Qwen 3 drops their
    reasoning), the spans of its {% generation %} marks are used; without such marks only the last answer is trained on.
    Turns after the assistant's last one are left out. A greeting of the assistant that opens the conversation answers
    nothing and is not trained on.

    Raises:
        InputError: the template refuses the conversation, or no span of an answer can be found.
    """
    t, wording = traits(tokenizer), wording or Wording()
    if wording.system and messages[0]["role"] != "system":
        messages = [{"role": "system", "content": wording.system}, *messages]
    first = next((i for i, m in enumerate(messages) if m["role"] != "system"), 0)
    turns = [i for i, m in enumerate(messages) if i > first and m["role"] == "assistant"]
    if not turns:
        raise InputError(
            "The conversation has no answer of the assistant, so there is nothing to learn from it.", "data.path"
        )
    mark = _free_character(messages)
    guarded = [m | {"content": _guard(m["content"], t, mark)} for m in messages[: turns[-1] + 1]]
    full = _apply(tokenizer, guarded)
    asked = turns[-1:] if wording.train_on == "last" else turns
    spans = _by_prefixes(tokenizer, guarded, full, asked, t)
    if spans is None and _GENERATION.search(str(tokenizer.chat_template)):
        spans = _by_marks(tokenizer, guarded, full, t)
    if spans is None:
        spans = _by_prefixes(tokenizer, guarded, full, turns[-1:], t)
    if not spans:
        raise InputError(
            "The model's chat template writes a conversation otherwise once an answer follows, and it has no "
            "{% generation %} marks, so the answer cannot be told from the prompt: write a text template instead.",
            FIELD,
        )
    return _cut(full, spans[-1:] if wording.train_on == "last" else spans, mark, t, wording.train_on == "all")


def _apply(
    tokenizer: PreTrainedTokenizerFast, messages: list[dict[str, str]], prompt: bool = False, **more: Any
) -> str:
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt, **more))
    except Exception as error:  # whatever a template raises: jinja's errors, or a Python one inside of it
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"The model's chat template refuses this conversation: {reason.rstrip('.')}.", FIELD) from None


def _free_character(messages: list[dict[str, str]]) -> str:
    """A private character that no turn holds."""
    used = {c for m in messages for c in m["content"] if c >= "\ue000"}
    return next(c for c in map(chr, range(0xE000, 0xF8FF)) if c not in used)


def _guard(content: str, t: Traits, mark: str) -> str:
    """Break up the special tokens' texts in a turn's words by a mark that `_cut` turns into a cut."""
    if t.specials is None or not t.specials.search(content):
        return content
    at, out = 0, ""
    while match := t.specials.search(content, at):
        stop = match.start() + 1
        out += content[at:stop] + mark
        at = stop
    return out + content[at:]


def _by_prefixes(
    tokenizer: PreTrainedTokenizerFast, messages: list[dict[str, str]], full: str, turns: list[int], t: Traits
) -> list[Span] | None:
    spans: list[Span] = []
    for i in turns:
        last = i == len(messages) - 1
        start = _apply(tokenizer, messages[:i], prompt=True)
        stop = full if last else _apply(tokenizer, messages[: i + 1])
        if not full.startswith(stop) or not stop.startswith(start) or (spans and len(start) < spans[-1][1]):
            return None
        spans.append(_turn_span(full, len(start), len(stop), messages[i]["content"], t))
    return spans


def _by_marks(
    tokenizer: PreTrainedTokenizerFast, messages: list[dict[str, str]], full: str, t: Traits
) -> list[Span] | None:
    """Spans from the template's own {% generation %} marks."""
    from transformers.utils.chat_template_utils import render_jinja_template

    rendered, found = render_jinja_template(
        [messages], chat_template=tokenizer.get_chat_template(), return_assistant_tokens_mask=True,
        **tokenizer.special_tokens_map,
    )  # fmt: skip
    said = [m["content"] for m in messages if m["role"] == "assistant"]
    if rendered[0] != full or len(found[0]) != len(said):
        return None
    stops = [start for start, _ in found[0][1:]] + [len(full)]
    return [_turn_span(full, a, stop, words, t) for (a, _), stop, words in zip(found[0], stops, said, strict=True)]


def _turn_span(full: str, start: int, stop: int, content: str, t: Traits) -> Span:
    """The answer in full[start:stop]: without what the template writes before the words, up to their end token."""
    words = content.strip()
    at = full.rfind(words, start, stop) if words else -1
    if at < 0:
        after = start
    else:
        after = at + len(words)
        if full[start:at].strip():  # such as Qwen 3's empty <think></think>: a given, not the model's words
            start = at
    match = t.specials.search(full, after, stop) if t.specials else None
    if match:
        return start, match.end(), match.end() - match.start()
    return start, after + len(full[after:stop].rstrip()), 0


def _cut(full: str, spans: list[Span], mark: str, t: Traits, everywhere: bool) -> list[Segment]:
    segments, at = list[Segment](), 0
    for i, (start, stop, end) in enumerate(spans):
        if start > at:
            segments.append(_segment(full[at:start], mark, everywhere=everywhere))
        answer, at = full[start:stop], stop
        if i == len(spans) - 1 and not end and t.eos:  # the template writes no end token: the last answer gets one
            answer, end = answer.rstrip() + t.eos, len(t.eos)
        segments.append(_segment(answer, mark, answer=True, end=end))
    return segments + ([_segment(full[at:], mark, everywhere=everywhere)] if at < len(full) else [])


def _segment(marked: str, mark: str, answer: bool = False, end: int = 0, everywhere: bool = False) -> Segment:
    """A segment of marked text: the marks become cuts."""
    if mark not in marked:
        return Segment(marked, answer, (), end, everywhere)
    pieces = marked.split(mark)
    cuts, at = [], 0
    for piece in pieces[:-1]:
        at += len(piece)
        cuts.append(at)
    return Segment("".join(pieces), answer, tuple(cuts), end, everywhere)
