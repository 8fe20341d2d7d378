"""A text that a person types, as the prompt that a run was trained on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.config import RunConfig
from core.data.encode import encode_prompt
from core.data.formats import Layout
from core.data.segments import Segment
from core.data.template import Wording, parse, prompt_segments, render
from core.errors import InputError
from core.runs.asking import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_TALK = Layout("messages", {"messages": "messages", "role": "role", "content": "content", "tools": "tools"}, "")
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


def _segments(
    prompt: Prompt, wording: Wording, tokenizer: PreTrainedTokenizerFast, as_it_stands: bool
) -> list[Segment]:
    if wording.text is None:
        if as_it_stands and not tokenizer.chat_template:
            return [Segment(prompt if isinstance(prompt, str) else "\n".join(map(str, prompt.values())), False)]
        talk = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt.get("messages")
        if not isinstance(talk, list) or not talk:
            raise InputError("This run was trained on conversations: write what the user says, or messages.", "prompt")
        row = {"messages": [*talk, {"role": "assistant", "content": "."}]}
        return prompt_segments(render(row, _TALK, wording, tokenizer))
    wanted, columns = fields(wording.text), _columns(wording.text)
    if isinstance(prompt, str) and len(wanted) != 1:
        return [Segment(prompt, False)]
    given = {wanted[0]: prompt} if isinstance(prompt, str) else prompt
    if lacking := [name for name in wanted if name not in given]:
        raise InputError(
            f"The prompt lacks {', '.join(lacking)}: this run's template has the fields {', '.join(wanted)}.", "prompt"
        )
    return prompt_segments(render({name: given.get(name, "") for name in columns}, _TALK, wording, tokenizer))
