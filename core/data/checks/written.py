"""What the template made of the words of a row: parts that it leaves out, and special tokens that are plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from core.data.checks.finding import Severity
from core.data.segments import Segment

_LITERAL = (
    "the text of a special token in an answer; it is learned letter by letter, as plain text. Where it was meant as "
    "the end of the answer, take it out: the end token is added by itself."
)
_BACK = "reasoning that the chat template leaves out of the answer; it is put where the model writes it, and learned."
# kind -> severity, what is said of one row and of several, and why it matters.
OF_WORDS: dict[str, tuple[Severity, str, str, str]] = {
    "unwritten": (
        "warning",
        "has an answer of which the chat template leaves out a part, so that this is not learned.",
        "have answers of which the chat template leaves out a part, so that this is not learned.",
        "The model does not see it. For reasoning choose a model whose template has a place for it, or write it "
        "between <think> and </think> in the words and take a format such as chatml.",
    ),
    "unwritten_earlier": (
        "note",
        "has an earlier turn of the assistant of which the chat template leaves out a part.",
        "have earlier turns of the assistant of which the chat template leaves out a part.",
        "It is neither read nor learned there. Many templates drop the reasoning of earlier turns.",
    ),
    "put_back": (
        "note", f"has {_BACK}", f"have {_BACK}", "The template alone would write the answer without it.",
    ),
    "literal_token": (
        "warning", f"has {_LITERAL}", f"have {_LITERAL}", "The model would write those letters in its answers.",
    ),
}  # fmt: skip
# Where an answer of another model begins or ends.
_FOREIGN = re.compile(
    r"^\s*(?:<s>|<\|begin_of_text\|>|<bos>)"
    r"|(?:</s>|<\|(?:im_end|endoftext|eot_id|eom_id|end_of_text|end|return|eos)\|>|<eos>|<end_of_turn>"
    r"|<\uff5cend\u2581of\u2581sentence\uff5c>|\[EOS\])\s*$"
)


def of_words(segments: Sequence[Segment], specials: re.Pattern[str] | None) -> Iterator[tuple[str, str]]:
    """(kind, example) of what is wrong with the words of a row.

    Args:
        segments: what `template.render` made of it. specials: of the tokenizer: see core.models.tokenizer.Traits.
    """
    if lost := next((s.lost for s in segments if s.answer and s.lost), ""):
        yield "unwritten", lost
    if lost := next((s.lost for s in segments if not s.answer and s.lost), ""):
        yield "unwritten_earlier", lost
    if back := next((s for s in segments if s.put_back), None):
        yield "put_back", back.text
    if literal := next(filter(None, (_literal(s, specials) for s in segments if s.answer)), ""):
        yield "literal_token", literal


def _literal(answer: Segment, specials: re.Pattern[str] | None) -> str:
    """Where an answer has the text of a special token as plain text; "" where it has none."""
    body, cuts = answer.text[: len(answer.text) - answer.end], set(answer.cuts)
    found = _FOREIGN.search(body)
    if found is None and specials is not None and cuts:
        found = next((m for m in specials.finditer(body) if cuts.intersection(range(m.start() + 1, m.end()))), None)
    return body[max(0, found.start() - 40) : found.end() + 20] if found else ""
