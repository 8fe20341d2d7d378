"""Segments to token ids with a loss mask; one row with its tokens for the eye, to the same ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.data.bubbles import bubbles
from core.data.encoded import IGNORED
from core.data.formats import Layout
from core.data.reasoning import without_empty_block
from core.data.template import Segment, Wording, render
from core.data.tokens import ids_of_rows, token_texts, tokenise
from core.models.tokenizer import traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PROMPT_KEPT = 8  # a prompt is not cut below so many tokens before an answer is


@dataclass(frozen=True)
class Encoded:
    """A row as the model sees it.

    Attributes:
        input_ids: token ids, at most max_tokens.
        labels: the same ids, -100 where no loss is taken. Not shifted: transformers' models shift.
        dropped: tokens that did not fit.
        answer_dropped: those of them that belong to the last answer; if any, its end token is gone.
    """

    input_ids: list[int]
    labels: list[int]
    dropped: int = 0
    answer_dropped: int = 0

    @property
    def trained(self) -> int:
        """So many tokens carry loss; 0 means that the row teaches nothing."""
        return sum(label != IGNORED for label in self.labels)


@dataclass
class Preview:
    """One row for the page: what `encode` makes of it, with the text of each token.

    Attributes:
        segments: [{"trained": bool, "tokens": [{"id", "text", "special", "dropped", "newline"}, ...]}, ...]; all texts
            joined are the rendered row. A character of several tokens is shown by the first of them.
        cut: the place of the first dropped token, counted over all tokens; None where all fit.
        n_tokens: tokens that the model sees; n_trained: those with loss; n_dropped: those that did not fit.
        warnings: sentences about this row.
        text: the rendered row.
        messages: the row as a conversation: [{"role", "content", "trained": bool}, ...]; see `core.data.bubbles`.
    """

    segments: list[dict[str, Any]]
    cut: int | None
    n_tokens: int
    n_trained: int
    n_dropped: int
    warnings: list[str]
    text: str
    messages: list[dict[str, Any]]


# The limit


def _keep(lengths: Sequence[int], answers: Sequence[bool], limit: int) -> list[tuple[int, int]]:
    """For each segment (head, tail): how many tokens are kept at its start and, after the gap, at its end.

    Where all prompts together cannot lose enough, the earliest turns go. The longest prompt loses its middle first,
    down to PROMPT_KEPT tokens (or a quarter of the limit), then the next longest; only then the row loses its end.
    """
    keep = [(n, 0) for n in lengths]
    if sum(lengths) <= limit:
        return keep
    least = max(1, min(PROMPT_KEPT, limit // 4))
    first, begin = _first_kept(lengths, answers, limit, least)
    keep[begin:first] = [(0, 0)] * (first - begin)
    over = sum(head for head, _ in keep) - limit
    prompts = (i for i, answer in enumerate(answers) if not answer and keep[i][0])
    for i in sorted(prompts, key=lambda i: -lengths[i]):
        if over <= 0:
            return keep
        left = max(min(least, lengths[i]), lengths[i] - over)
        over -= lengths[i] - left
        keep[i] = ((left + 1) // 2, left // 2) if left < lengths[i] else (left, 0)
    for i in reversed(range(len(lengths))):
        if over <= 0:
            break
        kept = sum(keep[i])
        left = max(0, kept - over)
        over -= kept - left
        head = min(keep[i][0], left)
        keep[i] = (head, left - head)
    return keep


def _first_kept(lengths: Sequence[int], answers: Sequence[bool], limit: int, least: int) -> tuple[int, int]:
    """The first segment that is kept so that the last answer fits with its end, and where those dropped begin.

    A beginning token stays, and so does the prompt of the last answer.
    """
    last = max((i for i, answer in enumerate(answers) if answer), default=len(lengths) - 1)
    begin = int(len(lengths) > 1 and lengths[0] == 1 and not answers[0])
    stop = last - 1 if last > begin and not answers[last - 1] else last
    needed = [n if answer else min(n, least) for n, answer in zip(lengths[: last + 1], answers, strict=False)]
    first = begin
    while first < stop and begin + sum(needed[first:]) > limit:
        first += 1
        while first < stop and answers[first]:  # an answer goes with its prompt
            first += 1
    return first, begin


def fit(
    segments: Sequence[Segment], tokens: Sequence[list[int]], limit: int, tokenizer: PreTrainedTokenizerFast
) -> tuple[Encoded, list[tuple[int, int]]]:
    """A row of at most `limit` tokens from the ids of its segments; and of each segment how many it keeps (head, tail).

    Over the limit the middle of the longest prompt is dropped, so that its beginning, its end and the answer stay;
    where that is not enough, the earliest turns. The last answer's end goes only when nothing else is left to drop.
    """
    lengths = [len(ids) for ids in tokens]
    last = max((i for i, segment in enumerate(segments) if segment.answer), default=-1)
    keep = _keep(lengths, [s.answer for s in segments], limit)
    input_ids, labels, lost = list[int](), list[int](), 0
    for i, (segment, ids, (head, tail)) in enumerate(zip(segments, tokens, keep, strict=True)):
        length = lengths[i]
        kept = ids if head + tail == length else ids[:head] + (ids[-tail:] if tail else [])
        input_ids += kept
        labels += kept if segment.trained else [IGNORED] * len(kept)
        lost += length - len(kept) if i == last else 0
    if opens_unsaid(segments, input_ids, tokenizer):
        labels[0] = IGNORED
    return Encoded(input_ids, labels, sum(lengths) - len(input_ids), lost), keep


def opens_unsaid(segments: Sequence[Segment], ids: Sequence[int], tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether a row that is trained on everywhere begins with the beginning token: it is given, never said."""
    return bool(segments) and segments[0].everywhere and ids[:1] == [tokenizer.bos_token_id]


def encode(segments: Sequence[Segment], tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> Encoded:
    """Ids and labels of a row, at most max_tokens long: see `fit`."""
    return encode_many([segments], tokenizer, max_tokens)[0]


def encode_many(
    rows: Sequence[Sequence[Segment]], tokenizer: PreTrainedTokenizerFast, max_tokens: int
) -> list[Encoded]:
    """`encode` of many rows, in one call to the tokenizer, to the same ids."""
    made = ids_of_rows(rows, tokenizer)
    return [fit(segments, tokens, max_tokens, tokenizer)[0] for segments, tokens in zip(rows, made, strict=True)]


def encode_prompt(segments: Sequence[Segment], tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> list[int]:
    """Ids of a prompt for inference: those that training saw before the answer (see template.prompt_segments).

    Earlier answers in it may be dropped like prompts. A prompt without any text gives the beginning token, or the end
    token of a tokenizer that has no beginning: a model needs something to go on from.
    """
    open_segments = [Segment(s.text, False, s.cuts, s.end) for s in segments]
    ids = encode(open_segments, tokenizer, max_tokens).input_ids
    if not ids:
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        ids = [start] if start is not None else [0]
    return ids


# One row, for the eye


def preview(
    row: dict[str, Any],
    layout: Layout,
    wording: Wording | str | None,
    tokenizer: PreTrainedTokenizerFast,
    max_tokens: int,
) -> Preview:
    """One row as the page shows it, with the very ids of `encode`.

    Raises:
        InputError: as `template.render`.
    """
    segments = render(row, layout, wording, tokenizer)
    talk, more = bubbles(row, layout, Wording.meant(wording), tokenizer, segments)
    tokens = tokenise(segments, tokenizer)
    encoded, keep = fit(segments, [ids for ids, _ in tokens], max_tokens, tokenizer)
    special, pieces = set(traits(tokenizer).ids.values()), list[dict[str, Any]]()
    passed, unsaid = "", opens_unsaid(segments, encoded.input_ids, tokenizer)
    for segment, (ids, spans), (head, tail) in zip(segments, tokens, keep, strict=True):
        texts = token_texts(segment.text, spans)
        if not texts:  # white space that this tokenizer passes over: it is shown with the next token
            passed += segment.text
        else:
            texts[0], passed = passed + texts[0], ""
        for i, (token, text) in enumerate(zip(ids, texts, strict=True)):
            gone = head <= i < len(ids) - tail
            trained = segment.trained and not (unsaid and not pieces)
            if not pieces or pieces[-1]["trained"] != trained:
                pieces.append({"trained": trained, "tokens": []})
            pieces[-1]["tokens"].append(
                {"id": token, "text": text, "special": token in special, "dropped": gone, "newline": "\n" in text}
            )
    early = any(s.answer and not kept[0] for s, kept in zip(segments, keep, strict=True))
    flat = [token for piece in pieces for token in piece["tokens"]]
    if flat:
        flat[-1]["text"] += passed
    return Preview(
        segments=pieces,
        cut=next((i for i, token in enumerate(flat) if token["dropped"]), None),
        n_tokens=len(encoded.input_ids),
        n_trained=encoded.trained,
        n_dropped=encoded.dropped,
        warnings=[*_warnings(segments, encoded, max_tokens, early), *more],
        text="".join(s.text for s in segments),
        messages=talk,
    )


def is_blank(segments: Iterable[Segment]) -> bool:
    """Whether all answers of a row are empty or white space: the end token, an empty block of reasoning and what the
    template writes aside."""
    return not any(s.answer and s.said and without_empty_block(s.text[: len(s.text) - s.end]).strip() for s in segments)


def _warnings(segments: Sequence[Segment], encoded: Encoded, max_tokens: int, early: bool) -> list[str]:
    said = []
    if is_blank(segments):
        said.append("The answer of this row is empty, so the row is left out of the training.")
    elif encoded.answer_dropped and not encoded.trained:
        said.append(f"Nothing of the answer fits into {max_tokens:,} tokens, so the row is left out of the training.")
    elif encoded.answer_dropped:
        said.append(
            f"The answer alone is too long for {max_tokens:,} tokens: its last {encoded.answer_dropped:,} tokens and "
            "with them the end token are cut off."
        )
    elif encoded.dropped:
        where = "at the beginning of the conversation" if early else "in the middle of the prompt"
        said.append(f"{encoded.dropped:,} tokens {where} do not fit into {max_tokens:,} and are dropped.")
    if any(s.answer for s in segments) and not [s for s in segments if s.answer][-1].end:
        said.append("This tokenizer has no end token, so the model cannot learn where an answer stops.")
    return said
