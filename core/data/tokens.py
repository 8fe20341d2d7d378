"""Segments to tokens: each apart from the others, so that a prompt's ids do not depend on the answer that follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from core.data.segments import Segment
from core.models.tokenizer import traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# Characters that a continuation is tokenised after, the first that no token joins with it. Only for tokenizers that put
# a space in front of a text.
ANCHORS = ("\n", ".", "a", "0")

T = TypeVar("T")
Tokens = tuple[list[int], list[tuple[int, int]]]  # ids, and each one's span of characters in the segment


def tokenise(segments: Sequence[Segment], tokenizer: PreTrainedTokenizerFast) -> list[Tokens]:
    """The tokens of each segment of a row.

    The first text of a row is tokenised as a text of its own (with the space that some tokenizers put in front), all
    that follows as a continuation (without). A segment is tokenised apart at its cuts.
    """
    return tokenise_rows([segments], tokenizer)[0]


def tokenise_rows(rows: Sequence[Sequence[Segment]], tokenizer: PreTrainedTokenizerFast) -> list[list[Tokens]]:
    """`tokenise` of many rows, in one call to the tokenizer, to the same tokens."""
    pieces, owners, out = _pieces(rows, tokenizer, _no_tokens)
    for ((ids, spans), offset), (new_ids, new_spans) in zip(owners, _encode(pieces, tokenizer), strict=True):
        ids.extend(new_ids)
        spans.extend((a + offset, b + offset) for a, b in new_spans)
    return out


def ids_of_rows(rows: Sequence[Sequence[Segment]], tokenizer: PreTrainedTokenizerFast) -> list[list[list[int]]]:
    """The ids of `tokenise_rows` without their spans, at half the cost: for each row those of each segment."""
    pieces, owners, out = _pieces(rows, tokenizer, list[int])
    distinct = list(dict.fromkeys(pieces))  # beginning tokens, labels and system prompts come again and again
    if traits(tokenizer).prefixes:
        made = [ids for ids, _ in _encode(distinct, tokenizer)]
    else:
        texts = [text for text, _ in distinct]
        made = [e.ids for e in tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    found = dict(zip(distinct, made, strict=True))
    for (ids, _), piece in zip(owners, pieces, strict=True):
        ids.extend(found[piece])
    return out


def _no_tokens() -> Tokens:
    return [], []


def _pieces(
    rows: Sequence[Sequence[Segment]], tokenizer: PreTrainedTokenizerFast, empty: Callable[[], T]
) -> tuple[list[tuple[str, bool]], list[tuple[T, int]], list[list[T]]]:
    """Texts to tokenise, each with whether it continues another; for each whose it is, and from which character on."""
    bos = traits(tokenizer).bos
    pieces: list[tuple[str, bool]] = []
    owners: list[tuple[T, int]] = []
    out: list[list[T]] = []
    for segments in rows:
        out.append([empty() for _ in segments])
        begun = False
        for segment, tokens in zip(segments, out[-1], strict=True):
            cuts = (0, *segment.cuts, len(segment.text))
            for start, stop in zip(cuts, cuts[1:], strict=False):
                if text := segment.text[start:stop]:
                    pieces.append((text, begun))
                    owners.append((tokens, start))
                    begun = begun or text != bos
    return pieces, owners, out


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
