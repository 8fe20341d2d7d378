"""What the texts of the rows hold: wrong encodings, characters nobody sees, personal data, secrets."""

from __future__ import annotations

import re
from collections import Counter

from core.data.checks import characters, personal, secret
from core.data.checks.batch import Batch
from core.data.checks.case import Case
from core.data.checks.finding import Finding, Remedy, Severity, Tally, count_of
from core.data.values import as_text, parsed

_ESCAPE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")  # half a character in JSON's notation


class Texts:
    """Looks at every text of the rows, nested ones too."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.tallies = {kind: Tally() for kind in ("encoding", "control", "personal", "secret")}
        self.last = dict.fromkeys(self.tallies, -1)  # a row counts once
        self.kinds: dict[str, Counter[str]] = {"personal": Counter(), "secret": Counter()}
        self.lost = self.mojibake = 0

    def look(self, batch: Batch) -> None:
        """Look at the next rows."""
        self._characters(batch)
        for row, text in batch.having(personal.HINT):
            for start, stop, kind in personal.find(text):
                self.kinds["personal"][kind] += 1
                self._add("personal", row, personal.partly(text[start:stop], kind))
        for row, text in batch.holding(secret.NEEDLES):
            for start, stop, kind in secret.find(text):
                self.kinds["secret"][kind] += 1
                self._add("secret", row, secret.partly(text[start:stop], kind))

    def _characters(self, batch: Batch) -> None:
        for row, text in batch.having(_ESCAPE):
            if characters.LOST in (read := as_text(parsed(text))) and characters.LOST not in text:
                self.lost += self.last["encoding"] != row
                at = read.index(characters.LOST)
                self._add("encoding", row, read[max(0, at - 20) : at + 20])
        if batch.joined.isascii() and characters.count_unseen(batch.joined) == max(0, len(batch.texts) - 1):
            return  # the marks between the texts, and nothing else
        for row, text in zip(batch.owners, batch.texts, strict=True):
            if characters.unseen(text):
                self._add("control", row, characters.visibly(text))
            if text.isascii():
                continue
            if characters.LOST in text:
                self.lost += self.last["encoding"] != row
                at = text.index(characters.LOST)
                self._add("encoding", row, text[max(0, at - 20) : at + 20])
            elif (mended := characters.fix_encoding(text)) != text:
                self.mojibake += self.last["encoding"] != row
                self._add("encoding", row, characters.change(text, mended))

    def _add(self, kind: str, row: int, example: str) -> None:
        if self.last[kind] != row:
            self.last[kind] = row
            self.tallies[kind].add(row, example)
        else:
            self.tallies[kind].show(example)

    def found(self) -> list[Finding]:
        """What was found."""
        fix = self.case.fix
        found = []
        words = []
        if self.mojibake:
            words.append(f"{_rows(self.mojibake, 'holds', 'hold')} letters that were read in a wrong encoding.")
        if self.lost:
            words.append(f"{_rows(self.lost, 'holds', 'hold')} {characters.LOST}, where a letter was lost for good.")
        if words:
            remedy = fix("fix_encoding", "Mend the letters") if self.mojibake else None
            why = "The model learns the garbled letters and writes them."
            found.append(self._finding("encoding", " ".join(words), "warning", why, remedy))
        if count := self.tallies["control"].count:
            message = f"{_rows(count, 'holds', 'hold')} control characters or characters of no width."
            why = "Nobody sees them, but they split words into other tokens, and can hide text."
            remedy = fix("strip_control", "Take them out")
            found.append(self._finding("control", message, "warning", why, remedy))
        if count := self.tallies["personal"].count:
            listed = _listed(
                [
                    count_of(self.kinds["personal"][k], *n)
                    for k, n in personal.NAMES.items()
                    if self.kinds["personal"][k]
                ]
            )
            message = f"{_rows(count, 'seems', 'seem')} to hold personal data: {listed}."
            why = "A tuned model can repeat them to anybody who asks."
            remedy = fix("mask_personal", "Mask personal data")
            found.append(self._finding("personal", message, "warning", why, remedy))
        if count := self.tallies["secret"].count:
            listed = _listed([f"{kind} ({n:,})" if n > 1 else kind for kind, n in self.kinds["secret"].most_common(4)])
            message = f"{_rows(count, 'seems', 'seem')} to hold secrets: {listed}."
            why = "A tuned model can repeat them; whoever has the file has them already, so change them."
            remedy = fix("mask_secrets", "Mask secrets")
            found.append(self._finding("secret", message, "warning", why, remedy))
        return found

    def _finding(self, kind: str, message: str, severity: Severity, why: str, remedy: Remedy | None) -> Finding:
        tally = self.tallies[kind]
        return Finding(kind, tally.count, tally.rows, message, severity, why, tally.examples, remedy)


def _rows(count: int, one: str, many: str) -> str:
    return f"{count_of(count)} {one if count == 1 else many}"


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
