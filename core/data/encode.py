"""Segments to token ids with a loss mask: one row with its tokens for the eye, or all rows at once, to the same ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.config import RunConfig
from core.data.encode_report import EncodeReport
from core.data.formats import Layout
from core.data.template import Segment, Wording, concerns_every_row, render
from core.data.tokens import Tokens, token_texts, tokenise, tokenise_rows
from core.errors import InputError
from core.models.tokenizer import traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

IGNORED = -100  # a label that torch's cross-entropy leaves out
PROMPT_KEPT = 8  # a prompt is not cut below so many tokens before an answer is
BATCH = 1000


@dataclass(frozen=True)
class Encoded:
    """A row as the model sees it.

    Attributes:
        input_ids: token ids, at most max_tokens.
        labels: the same ids, -100 where no loss is taken. Not shifted: transformers' models shift.
        dropped: tokens that did not fit.
        answer_dropped: those of them that belong to an answer; if any, the end token is gone.
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
    """

    segments: list[dict[str, Any]]
    cut: int | None
    n_tokens: int
    n_trained: int
    n_dropped: int
    warnings: list[str]
    text: str


# The limit


def _keep(lengths: Sequence[int], answers: Sequence[bool], limit: int) -> list[tuple[int, int]]:
    """For each segment (head, tail): how many tokens are kept at its start and, after the gap, at its end.

    The longest prompt loses its middle first, down to PROMPT_KEPT tokens (or a quarter of the limit), then the next
    longest; only then the row loses its end.
    """
    keep = [(n, 0) for n in lengths]
    over = sum(lengths) - limit
    least = max(1, min(PROMPT_KEPT, limit // 4))
    for i in sorted((i for i, answer in enumerate(answers) if not answer), key=lambda i: -lengths[i]):
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


def _fit(
    segments: Sequence[Segment], tokens: Sequence[Tokens], limit: int, tokenizer: PreTrainedTokenizerFast
) -> tuple[Encoded, list[tuple[int, int]]]:
    lengths = [len(ids) for ids, _ in tokens]
    keep = _keep(lengths, [s.answer for s in segments], limit)
    input_ids, labels, lost = list[int](), list[int](), 0
    for segment, (ids, _), (head, tail), length in zip(segments, tokens, keep, lengths, strict=True):
        kept = ids if head + tail == length else ids[:head] + (ids[-tail:] if tail else [])
        input_ids += kept
        labels += kept if segment.trained else [IGNORED] * len(kept)
        lost += length - len(kept) if segment.answer else 0
    if segments and segments[0].everywhere and input_ids[:1] == [tokenizer.bos_token_id]:
        labels[0] = IGNORED  # the beginning token is given, never said
    return Encoded(input_ids, labels, sum(lengths) - len(input_ids), lost), keep


def encode(segments: Sequence[Segment], tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> Encoded:
    """Ids and labels of a row, at most max_tokens long.

    Over the limit the middle of the longest prompt is dropped, so that its beginning, its end and the answer stay; the
    answer's end goes only when nothing else is left to drop.
    """
    return _fit(segments, tokenise(segments, tokenizer), max_tokens, tokenizer)[0]


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
    tokens = tokenise(segments, tokenizer)
    encoded, keep = _fit(segments, tokens, max_tokens, tokenizer)
    special, pieces = set(traits(tokenizer).ids.values()), list[dict[str, Any]]()
    passed = ""
    for segment, (ids, spans), (head, tail) in zip(segments, tokens, keep, strict=True):
        shown = []
        texts = token_texts(segment.text, spans)
        if not texts:  # white space that this tokenizer passes over: it is shown with the next token
            passed += segment.text
        else:
            texts[0], passed = passed + texts[0], ""
        for i, (token, text) in enumerate(zip(ids, texts, strict=True)):
            gone = head <= i < len(ids) - tail
            shown.append(
                {"id": token, "text": text, "special": token in special, "dropped": gone, "newline": "\n" in text}
            )
        if pieces and pieces[-1]["trained"] == segment.trained:
            pieces[-1]["tokens"] += shown
        elif shown:
            pieces.append({"trained": segment.trained, "tokens": shown})
    flat = [token for piece in pieces for token in piece["tokens"]]
    if flat:
        flat[-1]["text"] += passed
    return Preview(
        segments=pieces,
        cut=next((i for i, token in enumerate(flat) if token["dropped"]), None),
        n_tokens=len(encoded.input_ids),
        n_trained=encoded.trained,
        n_dropped=encoded.dropped,
        warnings=_warnings(segments, encoded, max_tokens),
        text="".join(s.text for s in segments),
    )


def is_blank(segments: Iterable[Segment]) -> bool:
    """Whether all answers of a row are empty or white space, the end token aside."""
    return not any(s.answer and s.text[: len(s.text) - s.end].strip() for s in segments)


def _warnings(segments: Sequence[Segment], encoded: Encoded, max_tokens: int) -> list[str]:
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
        said.append(
            f"{encoded.dropped:,} tokens in the middle of the prompt do not fit into {max_tokens:,} and are dropped."
        )
    if any(s.answer for s in segments) and not [s for s in segments if s.answer][-1].end:
        said.append("This tokenizer has no end token, so the model cannot learn where an answer stops.")
    return said


# All rows


def encode_rows(
    rows: Iterable[dict[str, Any]],
    layout: Layout,
    config: RunConfig,
    tokenizer: PreTrainedTokenizerFast,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[list[dict[str, list[int]]], EncodeReport]:
    """All rows as examples {"input_ids", "labels"}, equal to `encode` of each, and what became of the rows.

    Rows without an answer, and conversations that cannot be read, are left out and counted.

    Args:
        rows: any iterable of rows.
        layout: of the rows.
        config: its data.template and data.max_tokens are used.
        tokenizer: of the model.
        on_progress: called with the number of rows done, about every thousand rows.

    Raises:
        InputError: no row teaches anything; the template does not fit.
    """
    report, examples, batch = EncodeReport(), list[dict[str, list[int]]](), list[tuple[int, list[Segment]]]()
    first_error: InputError | None = None
    limit, wording = config.data.max_tokens, Wording.of(config.data)

    def flush() -> None:
        for (number, _), encoded in zip(batch, encode_many([s for _, s in batch], tokenizer, limit), strict=True):
            if not encoded.trained:
                reason = f"nothing of the answer fits into {limit:,} tokens."
                report.left_out.setdefault(reason, []).append(number)
                continue
            if encoded.answer_dropped:
                report.answer_cut.append(number)
            elif encoded.dropped:
                report.truncated.append(number)
            report.kept.append(number)
            report.tokens += len(encoded.input_ids)
            report.trained_tokens += encoded.trained
            report.longest = max(report.longest, len(encoded.input_ids))
            examples.append({"input_ids": encoded.input_ids, "labels": encoded.labels})
        batch.clear()
        if on_progress:
            on_progress(report.rows)

    for number, row in enumerate(rows):
        report.rows += 1
        try:
            segments = render(row, layout, wording, tokenizer)
        except InputError as error:
            if concerns_every_row(error, layout):
                raise
            first_error = first_error or InputError(f"Row {number}: {error}", error.field)
            report.left_out.setdefault("the conversation cannot be used.", []).append(number)
            continue
        if is_blank(segments):
            report.left_out.setdefault("the answer is empty.", []).append(number)
            continue
        batch.append((number, segments))
        if len(batch) >= BATCH:
            flush()
    flush()
    if not examples:
        raise _nothing(report, first_error, limit)
    return examples, report


def _nothing(report: EncodeReport, first_error: InputError | None, limit: int) -> InputError:
    if not report.rows:
        return InputError("There are no rows to learn from.", "data.path")
    if first_error is not None:
        return first_error
    if any(reason.startswith("nothing of") for reason in report.left_out):
        return InputError(
            f"No row teaches anything: with at most {limit:,} tokens nothing is left of any answer. Raise the limit.",
            "data.max_tokens",
        )
    return InputError(
        "No row teaches anything: the answer is empty in all of them. Choose another answer column in the template.",
        "data.template",
    )


def encode_many(
    rows: Sequence[Sequence[Segment]], tokenizer: PreTrainedTokenizerFast, max_tokens: int
) -> list[Encoded]:
    """`encode` of many rows, in one call to the tokenizer, to the same ids."""
    made = tokenise_rows(rows, tokenizer)
    return [_fit(segments, tokens, max_tokens, tokenizer)[0] for segments, tokens in zip(rows, made, strict=True)]


def lengths(
    rows: Sequence[dict[str, Any]],
    layout: Layout,
    config: RunConfig,
    tokenizer: PreTrainedTokenizerFast,
    sample: int = 2000,
) -> list[int]:
    """Tokens of each row before any is dropped, for a histogram: of all rows, or of `sample` evenly spaced ones.

    Rows that cannot be rendered are passed over.
    """
    step = max(1, len(rows) / sample)
    chosen = [int(i * step) for i in range(min(len(rows), sample))]
    rendered = []
    for number in chosen:
        try:
            rendered.append(render(rows[number], layout, Wording.of(config.data), tokenizer))
        except InputError as error:
            if concerns_every_row(error, layout):
                raise
    return [len(e.input_ids) for e in encode_many(rendered, tokenizer, 2**31)]
