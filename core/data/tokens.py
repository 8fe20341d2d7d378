"""Segments to tokens: each apart from the others, so that a prompt's ids do not depend on the answer that follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.data.template import Segment
from core.models.tokenizer import traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# Characters that a continuation is tokenised after, the first that no token joins with it. Only for tokenizers that put
# a space in front of a text.
ANCHORS = ("\n", ".", "a", "0")

Tokens = tuple[list[int], list[tuple[int, int]]]  # ids, and each one's span of characters in the segment


def tokenise(segments: Sequence[Segment], tokenizer: PreTrainedTokenizerFast) -> list[Tokens]:
    """The tokens of each segment of a row.

    The first text of a row is tokenised as a text of its own (with the space that some tokenizers put in front), all
    that follows as a continuation (without). A segment is tokenised apart at its cuts.
    """
    return tokenise_rows([segments], tokenizer)[0]


def tokenise_rows(rows: Sequence[Sequence[Segment]], tokenizer: PreTrainedTokenizerFast) -> list[list[Tokens]]:
    """`tokenise` of many rows, in one call to the tokenizer, to the same tokens."""
    bos = traits(tokenizer).bos
    pieces: list[tuple[str, bool]] = []
    owners: list[tuple[Tokens, int]] = []
    out: list[list[Tokens]] = []
    for segments in rows:
        out.append([([], []) for _ in segments])
        begun = False
        for segment, tokens in zip(segments, out[-1], strict=True):
            cuts = (0, *segment.cuts, len(segment.text))
            for start, stop in zip(cuts, cuts[1:], strict=False):
                if text := segment.text[start:stop]:
                    pieces.append((text, begun))
                    owners.append((tokens, start))
                    begun = begun or text != bos
    for ((ids, spans), offset), (new_ids, new_spans) in zip(owners, _encode(pieces, tokenizer), strict=True):
        ids.extend(new_ids)
        spans.extend((a + offset, b + offset) for a, b in new_spans)
    return out


def _encode(pieces: Sequence[tuple[str, bool]], tokenizer: PreTrainedTokenizerFast) -> list[Tokens]:
    """Texts, each with whether it continues another, as tokens."""
    backend, prefixes = tokenizer.backend_tokenizer, traits(tokenizer).prefixes
    texts = [ANCHORS[0] + text if prefixes and more else text for text, more in pieces]
    out: list[Tokens] = []
    for (text, more), made in zip(pieces, backend.encode_batch(texts, add_special_tokens=False), strict=True):
        if not (prefixes and more):
            out.append((made.ids, made.offsets))
            continue
        found = _after(made, len(ANCHORS[0]))
        for anchor in ANCHORS[1:]:
            found = found or _after(backend.encode(anchor + text, add_special_tokens=False), len(anchor))
        if found is None:
            plain = backend.encode(text, add_special_tokens=False)
            found = plain.ids, plain.offsets
        out.append(found)
    return out


def _after(encoding: Any, at: int) -> Tokens | None:
    """The tokens from a character on, or None where a token straddles it."""
    first = next((i for i, (_, b) in enumerate(encoding.offsets) if b > at), len(encoding.ids))
    if any(a < at for a, _ in encoding.offsets[first:]):
        return None
    return encoding.ids[first:], [(a - at, b - at) for a, b in encoding.offsets[first:]]


def token_texts(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """The text of each token, such that all of them joined are the text.

    A character of several tokens belongs to the first of them; characters that the tokenizer passed over (such as the
    spaces between WordPiece's words) belong to the token after them.
    """
    out, at = [], 0
    for _, stop in spans:
        out.append(text[at : max(at, stop)])
        at = max(at, stop)
    if out and at < len(text):
        out[-1] += text[at:]
    return out
