"""A row as a question to a head: what is read before an answer is chosen, as ids with the tokenizer's own marks around.

The words are those that a model that writes is asked with: what stands before the last answer. A model without a chat
template reads the plain text of rows that have no template either. Light: it goes into packages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.data.encode import Encoded, encode_many
from core.data.formats import Layout, to_messages
from core.data.segments import Segment, find_cuts
from core.data.template import Wording, prompt_segments, render
from core.data.turns import last_answer
from core.models.tokenizer import traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def question(
    row: dict[str, Any], layout: Layout, wording: Wording, tokenizer: PreTrainedTokenizerFast
) -> list[Segment]:
    """What is read of a row before its answer is chosen, all of it given.

    Raises:
        InputError: as core.data.template.render.
    """
    if wording.template is None and not tokenizer.chat_template:
        messages = to_messages(row, layout)
        last = last_answer(messages)
        text = "\n".join(str(m["content"]) for m in messages[:last] if str(m["content"]).strip())
        return [Segment(text, False, find_cuts(text, [(0, len(text))], traits(tokenizer)))]
    segments = prompt_segments(render(row, layout, wording, tokenizer))
    return [Segment(s.text, False, s.cuts, s.end) for s in segments]


def frame(tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], list[int]]:
    """The ids that a tokenizer puts in front of a text and behind it, such as those of [CLS] and [SEP]."""
    backend = tokenizer.backend_tokenizer
    plain, dressed = (backend.encode("a", add_special_tokens=special).ids for special in (False, True))
    for start in range(len(dressed) - len(plain) + 1):
        if dressed[start : start + len(plain)] == plain:
            return dressed[:start], dressed[start + len(plain) :]
    return [], []


def framed(ids: Sequence[int], marks: tuple[Sequence[int], Sequence[int]]) -> list[int]:
    """Ids between the marks of `frame`; a beginning that a template has written already stays alone."""
    before, behind = marks
    begun = list(ids[: len(before)]) == list(before)
    return [*([] if begun else before), *ids, *behind]


def encode_questions(
    rows: Sequence[Sequence[Segment]], tokenizer: PreTrainedTokenizerFast, max_tokens: int
) -> list[Encoded]:
    """Questions as ids, at most `max_tokens` with their marks: the middle of the longest text goes first.

    A question without any text has no ids.
    """
    marks = frame(tokenizer)
    room = max(1, max_tokens - sum(map(len, marks)))
    made = []
    for encoded in encode_many(rows, tokenizer, room):
        ids = framed(encoded.input_ids, marks) if encoded.input_ids else []
        made.append(Encoded(ids, [], encoded.dropped))
    return made
