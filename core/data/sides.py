"""A row for an encoder-decoder: what it reads and what it answers, each a text of its own with an end token.

`data.max_tokens` limits both together, as for models that go on from a prompt; and what is cut is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from core.data.encode import Encoded, fit
from core.data.encoded import Row
from core.data.segments import Segment
from core.data.template import prompt_segments
from core.data.tokens import ids_of_rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def sides(segments: Sequence[Segment], tokenizer: PreTrainedTokenizerFast) -> list[Segment]:
    """The segments that are read, the last of them with the end token, and after them the one that is answered.

    Only the last answer is; earlier ones are read, and what follows it is not used. The answer begins a text, so white
    space in front of it goes.
    """
    read = [replace(segment, answer=False, everywhere=False) for segment in prompt_segments(segments)]
    end = tokenizer.eos_token or ""
    if read and not read[-1].text.endswith(end):
        read[-1] = replace(read[-1], text=read[-1].text + end)
    elif not read:
        read = [Segment(end, False)]
    answer = next((s for s in reversed(segments) if s.answer), Segment("", True))
    body = answer.text[: len(answer.text) - answer.end]
    gone = len(body) - len(body.lstrip())
    cuts = tuple(cut - gone for cut in answer.cuts if cut > gone)
    return [*read, replace(answer, text=answer.text[gone:], cuts=cuts, everywhere=False)]


def ids_of_sides(rows: Sequence[Sequence[Segment]], tokenizer: PreTrainedTokenizerFast) -> list[list[list[int]]]:
    """For each row of `sides` the ids of each segment; the answer's are those of a text that begins with it."""
    both = [part for row in rows for part in (row[:-1], row[-1:])]
    found = ids_of_rows(both, tokenizer)
    return [[*read, *said] for read, said in zip(found[::2], found[1::2], strict=True)]


def encode_sides(segments: Sequence[Segment], tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> Encoded:
    """Ids of a row, at most max_tokens long: what is read, then what is answered, which alone has labels."""
    made = sides(segments, tokenizer)
    return fit(made, ids_of_sides([made], tokenizer)[0], max_tokens, tokenizer)[0]


def encode_question(segments: Sequence[Segment], tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> list[int]:
    """What the encoder reads before it answers: the ids of prompt segments with their end token."""
    *read, _ = sides([*segments, Segment("", True)], tokenizer)
    return fit(read, ids_of_rows([read], tokenizer)[0], max_tokens, tokenizer)[0].input_ids


def parted(encoded: Encoded) -> Row:
    """A row of `encode_sides` as {"input_ids", "labels"}: what is read, what is answered."""
    at = len(encoded.input_ids) - encoded.trained
    return {"input_ids": encoded.input_ids[:at], "labels": encoded.input_ids[at:]}
