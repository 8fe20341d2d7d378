"""Rows as the template writes them, in an evenly spaced sample: over the limit, refused, or with a part left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.data.checks.batch import Batch
from core.data.checks.case import Case
from core.data.checks.finding import Finding, Remedy, Severity, Tally, count_of
from core.data.checks.written import OF_WORDS, of_words
from core.data.encode import encode_many, is_blank
from core.data.template import Wording, concerns_every_row, render
from core.errors import InputError
from core.models.tokenizer import traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MEASURED = 5000  # rows that are tokenised
CHUNK = 500
OVER = ("answer_cut", "too_long")
LONGEST = 131072  # the largest limit that data.max_tokens takes

# kind -> severity, what is said of one row and of several, why it matters; {limit} is in tokens.
_SENTENCES: dict[str, tuple[Severity, str, str, str]] = {
    "refused": (
        "error",
        "is refused by the model's chat template and will be left out.",
        "are refused by the model's chat template and will be left out.",
        "What the template cannot write, the model cannot be trained on.",
    ),
    **OF_WORDS,
    "answer_cut": (
        "warning",
        "has an answer too long for {limit} tokens: its end is cut off, so it does not teach where to stop. "
        "Raise the limit.",
        "have an answer too long for {limit} tokens: its end is cut off, so they do not teach where to stop. "
        "Raise the limit.",
        "A model that never sees an end does not know when to stop.",
    ),
    "too_long": (
        "warning",
        "is longer than {limit} tokens: the middle of its prompt is dropped.",
        "are longer than {limit} tokens: the middle of their prompts is dropped.",
        "What is dropped may be what the answer needs.",
    ),
}


class Lengths:
    """Renders and tokenises a sample of the rows."""

    def __init__(self, case: Case, tokenizer: PreTrainedTokenizerFast) -> None:
        self.case, self.tokenizer = case, tokenizer
        self.tallies = {kind: Tally() for kind in _SENTENCES}
        self.longest = dict.fromkeys(_SENTENCES, 0)
        self.specials = traits(tokenizer).specials

    def look(self, batch: Batch) -> None:
        """All is done on the sample, at the end."""

    def found(self) -> list[Finding]:
        """What was found.

        Raises:
            InputError: the template cannot be used.
        """
        total, limit = len(self.case.source.rows), self.case.config.data.max_tokens
        step = max(1.0, total / MEASURED)
        places = [int(i * step) for i in range(min(total, MEASURED))]
        for start in range(0, len(places), CHUNK):
            self._measure(places[start : start + CHUNK])
        sampled = f" of {MEASURED:,} looked at" if step > 1 else ""
        left_out = "drop_long" in self.case.config.data.fixes
        found = []
        for kind, (severity, one, many, why) in _SENTENCES.items():
            tally = self.tallies[kind]
            if tally.count and not (left_out and kind in OVER):
                words = (one if tally.count == 1 else many).format(limit=f"{limit:,}")
                message = f"{count_of(tally.count)}{sampled} {words}"
                remedy = self._remedy(kind)
                found.append(Finding(kind, tally.count, tally.rows, message, severity, why, tally.examples, remedy))
        return found

    def _measure(self, places: list[int]) -> None:
        source, data = self.case.source, self.case.config.data
        wording = Wording.of(data)
        chat = wording.chat_template(self.tokenizer) or self.tokenizer.chat_template
        chosen, rendered = [], []
        for place, row in zip(places, source.rows.take(places), strict=True):
            try:
                segments = render(row, source.layout, wording, self.tokenizer)
            except InputError as error:
                template = error.field == "data.template"
                if concerns_every_row(error, source.layout) or (template and not chat):
                    raise
                if template:
                    self.tallies["refused"].add(place, self.case.shown(row))
                continue  # otherwise counted as unreadable or without an answer already
            for kind, example in of_words(segments, self.specials):
                self.tallies[kind].add(place, example)
            if not is_blank(segments):
                chosen.append((place, row))
                rendered.append(segments)
        encoded = encode_many(rendered, self.tokenizer, data.max_tokens)
        for (place, row), made in zip(chosen, encoded, strict=True):
            if not made.dropped:
                continue
            kind, length = "answer_cut" if made.answer_dropped else "too_long", len(made.input_ids) + made.dropped
            self.tallies[kind].add(place, f"{length:,} tokens: {self.case.shown(row)}")
            self.longest[kind] = max(self.longest[kind], length)

    def _remedy(self, kind: str) -> Remedy | None:
        """The limit raised to the longest row, or as far as the model goes; from there on, long rows are left out."""
        if kind not in OVER:
            return None
        most = min(max(self.longest.values()), LONGEST, self.tokenizer.model_max_length)
        if most > self.case.config.data.max_tokens:
            return Remedy(f"Raise the limit to {most:,}", "data.max_tokens", most)
        return self.case.fix("drop_long", "Leave long rows out")
