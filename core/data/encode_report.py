"""What became of the rows when they were encoded, in figures and in sentences."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class EncodeReport:
    """What became of the rows.

    Attributes:
        rows: how many were given.
        kept: positions of those that became examples, in order.
        left_out: reason -> positions of rows that are not trained on.
        truncated: positions of rows whose prompt lost its middle.
        answer_cut: positions of rows whose answer lost its end.
        text_cut: positions of rows, without an answer that is written, of which a text lost its end.
        unwritten: positions of rows with an answer of which the chat template leaves out a part.
        unread: words with a tag that are no token of their own.
        tokens, trained_tokens, longest: of the examples, in tokens.
    """

    rows: int = 0
    kept: list[int] = field(default_factory=list)
    left_out: dict[str, list[int]] = field(default_factory=dict)
    truncated: list[int] = field(default_factory=list)
    answer_cut: list[int] = field(default_factory=list)
    text_cut: list[int] = field(default_factory=list)
    unwritten: list[int] = field(default_factory=list)
    unread: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    longest: int = 0

    def add(self, other: EncodeReport) -> None:
        """Add what became of the rows that follow."""
        first = self.rows
        for ours, theirs in (
            (self.kept, other.kept),
            (self.truncated, other.truncated),
            (self.answer_cut, other.answer_cut),
            (self.text_cut, other.text_cut),
            (self.unwritten, other.unwritten),
            *((self.left_out.setdefault(reason, []), rows) for reason, rows in other.left_out.items()),
        ):
            ours += [first + row for row in theirs]
        self.rows += other.rows
        self.unread += other.unread
        self.tokens += other.tokens
        self.trained_tokens += other.trained_tokens
        self.longest = max(self.longest, other.longest)

    def sentences(self) -> list[str]:
        """What a person should know, one plain sentence each; empty where all went in whole."""
        said = [f"{count_rows(len(rows))} left out: {reason}" for reason, rows in self.left_out.items()]
        if self.truncated:
            said.append(
                f"{count_rows(len(self.truncated))} longer than the limit: the middle of the prompt was dropped."
            )
        if self.answer_cut:
            said.append(f"{count_rows(len(self.answer_cut))} so long that the end of the answer was cut off.")
        if self.text_cut:
            said.append(f"{count_rows(len(self.text_cut))} longer than the limit: the end of the text was cut off.")
        if self.unwritten:
            count = count_rows(len(self.unwritten)).rpartition(" ")[0]
            has = "has an answer" if len(self.unwritten) == 1 else "have answers"
            said.append(f"{count} {has} of which the chat template leaves out a part, so that this is not learned.")
        if self.unread:
            words = "1 word becomes" if self.unread == 1 else f"{self.unread:,} words become"
            said.append(f"{words} no token of their own, so their tags are not learned.")
        return said


def count_rows(count: int) -> str:
    """ "1 row is" or "1,234 rows are"."""
    return "1 row is" if count == 1 else f"{count:,} rows are"
