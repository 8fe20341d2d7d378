"""Texts that are read as a whole and not answered: their ids, with the tokens that the tokenizer puts around a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.data.questions import frame
from core.data.segments import Segment, find_cuts
from core.data.tokens import ids_of_rows
from core.models.tokenizer import traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def encode_texts(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, limit: int
) -> tuple[list[list[int]], list[int]]:
    """(the ids of each text, the places of those that were cut).

    The text of a special token within a text stays plain text. Over the limit a text loses its end, as encoders have
    it, and keeps what stands around it.

    Args:
        limit: tokens of a text, with what stands around it.
    """
    before, after = frame(tokenizer)
    known = traits(tokenizer)
    rows = [[Segment(text, False, find_cuts(text, [(0, len(text))], known))] for text in texts]
    room, out, cut = max(1, limit - len(before) - len(after)), list[list[int]](), list[int]()
    for place, (ids,) in enumerate(ids_of_rows(rows, tokenizer)):
        if len(ids) > room:
            cut.append(place)
        out.append([*before, *ids[:room], *after])
    return out, cut
