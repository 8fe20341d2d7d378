"""A text that a person types, as the prompt that a run was trained on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from core.config import RunConfig
from core.data.encode import encode_prompt
from core.data.formats import Layout
from core.data.segments import Segment
from core.data.template import Wording, parse, prompt_segments, render
from core.data.worded import typed_words
from core.errors import InputError
from core.models.heads import TAGS, Head
from core.runs.asking import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_TALK = Layout("messages", {"messages": "messages", "role": "role", "content": "content", "tools": "tools"}, "")
_TAGGED = Layout("tokens_tags", {"tokens": "tokens", "tags": "tags"}, "")
_COLUMN = re.compile(r"\{\{[^{}\n]+\}\}|\{(?P<column>\w[\w .\-/]*)\}")  # of what stands in {{ }} no column is meant


def prompt_ids(
    prompt: Prompt, config: RunConfig | None, tokenizer: PreTrainedTokenizerFast, room: int | None = None
) -> list[int]:
    """The ids that the model is given.

    Args:
        prompt: what stands in the one field of the run's template; where it has several, the text before the answer as
            it stands; where the run is a conversation, what the user says. Or a row: column -> value, or {"messages"}.
        config: of the run; None: the model's own chat template, or the text as it stands. room: the longest, in tokens.

    Raises:
        InputError: a row that lacks columns of the template, or that is no conversation where one is wanted.
    """
    wording = Wording.of(config.data) if config is not None else Wording()
    limit = min([n for n in (config.data.max_tokens if config is not None else None, room) if n] or [2**31])
    return encode_prompt(_segments(prompt, wording, tokenizer, config is None), tokenizer, max(1, limit))


def fields(template: str) -> list[str]:
    """The columns that stand before the answer of a text template: what a person fills in."""
    parts = parse(template, _columns(template))
    last = max(i for i, part in enumerate(parts) if part.answer)
    while last and parts[last - 1].answer:
        last -= 1
    return list(dict.fromkeys(part.text for part in parts[:last] if part.column))


def _columns(template: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(match["column"] for match in _COLUMN.finditer(template) if match["column"]))


def question(prompt: Prompt, config: RunConfig, head: Head) -> tuple[dict[str, Any], Layout]:
    """The prompt as a row of what the run was trained on, and how it is to be read: for heads that write no text after
    it. Words and punctuation marks are told apart where each word is tagged.

    Raises:
        InputError: a text where the run's template has several fields, or a row that lacks some.
    """
    wording = Wording.of(config.data)
    if head is TAGS:
        words = typed_words(prompt if isinstance(prompt, str) else " ".join(map(str, prompt.values())))
        return {"tokens": words, "tags": ["O"] * len(words)}, _TAGGED
    if wording.text is None:
        return {"messages": _talk(prompt)}, _TALK
    return _filled(prompt, wording.text), _TALK


def _segments(
    prompt: Prompt, wording: Wording, tokenizer: PreTrainedTokenizerFast, as_it_stands: bool
) -> list[Segment]:
    if wording.text is None:
        if as_it_stands and not tokenizer.chat_template:
            return [Segment(prompt if isinstance(prompt, str) else "\n".join(map(str, prompt.values())), False)]
        return prompt_segments(render({"messages": _talk(prompt)}, _TALK, wording, tokenizer))
    if isinstance(prompt, str) and len(fields(wording.text)) != 1:
        return [Segment(prompt, False)]
    return prompt_segments(render(_filled(prompt, wording.text), _TALK, wording, tokenizer))


def _talk(prompt: Prompt) -> list[dict[str, Any]]:
    """The turns up to an answer, and an answer for the template to write."""
    talk = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt.get("messages")
    if not isinstance(talk, list) or not talk:
        raise InputError("This run was trained on conversations: write what the user says, or messages.", "prompt")
    return [*talk, {"role": "assistant", "content": "."}]


def _filled(prompt: Prompt, template: str) -> dict[str, Any]:
    """A row with the columns of a text template, those of the answer empty."""
    wanted = fields(template)
    given = dict.fromkeys(wanted[:1], prompt) if isinstance(prompt, str) else prompt
    if lacking := [name for name in wanted if name not in given]:
        raise InputError(
            f"The prompt lacks {', '.join(lacking)}: this run's template has the fields {', '.join(wanted)}.", "prompt"
        )
    return {name: given.get(name, "") for name in _columns(template)}
