"""Rows that teach nothing or not what was meant: no answer, no question, roles that are swapped, missing values."""

from __future__ import annotations

from collections import defaultdict

from core.data.checks.batch import Batch
from core.data.checks.case import Case
from core.data.checks.finding import Finding, Severity, Tally, count_of
from core.data.checks.reading import Said
from core.data.column_names import JUDGEMENTS
from core.data.formats import BAD, Undesired, is_bad, mark_of
from core.data.turns import as_text, is_answer, is_blank
from core.data.turns import said as words_of

# kind -> severity, what is said of one row and of several, and why it matters.
_SENTENCES: dict[str, tuple[Severity, str, str, str]] = {
    "unreadable": (
        "error",
        "cannot be read and will be left out: {error}",
        "cannot be read and will be left out; the first: {error}",
        "What cannot be read cannot be trained on, and goes unnoticed when it is left out in silence.",
    ),
    "no_answer": (
        "error",
        "holds no turn of the assistant, so nothing can be learned from it; it will be left out.",
        "hold no turn of the assistant, so nothing can be learned from them; they will be left out.",
        "A model learns from the assistant's turns only.",
    ),
    "empty_answer": (
        "error",
        "has an empty answer and will be left out.",
        "have an empty answer and will be left out.",
        "An empty answer would teach the model to say nothing.",
    ),
    "unchanged_template": (
        "error",
        "leaves the prompt empty: nothing that the template asks for has a value there.",
        "leave the prompt empty: nothing that the template asks for has a value there.",
        "The same empty prompt with other answers teaches the model to guess.",
    ),
    "undesired": (
        "warning",
        "is marked as a bad answer by {column!r} and will be left out.",
        "are marked as bad answers by {column!r} and will be left out.",
        "An answer that somebody disliked must not be learned like a good one.",
    ),
    "unjudged": (
        "warning",
        "has another word in {column!r} than those for good and bad answers and is trained on like a good one.",
        "have another word in {column!r} than those for good and bad answers and are trained on like good ones.",
        "Write there which it is, or remove the row, if it is none to learn from.",
    ),
    "unlearned": (
        "error",
        "has no answer that is to be learned: all are marked so, or open the conversation; it will be left out.",
        "have no answer that is to be learned: all are marked so, or open the conversation; they will be left out.",
        "Nothing can be learned from such a row.",
    ),
    "empty_turn": (
        "warning",
        "has an empty turn of the assistant, with neither words nor calls; that turn is not learned.",
        "have empty turns of the assistant, with neither words nor calls; those turns are not learned.",
        "An empty turn would teach the model to say nothing.",
    ),
    "roles_swapped": (
        "warning",
        "begins with the assistant and ends with the user: the roles may be swapped.",
        "begin with the assistant and end with the user: the roles may be swapped.",
        "With swapped roles the model learns to ask, not to answer.",
    ),
    "ends_unanswered": (
        "warning",
        "ends with a turn that nobody answers; what follows the last answer is left out.",
        "end with a turn that nobody answers; what follows the last answer is left out.",
        "Only what is answered can be learned from.",
    ),
}

_GOOD = {word for pair, _ in JUDGEMENTS for word in pair if word not in BAD} | {"y", "t", "ok", "positive", "win"}


class Turns:
    """Looks at what each row asks and answers."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.tallies: dict[str, Tally] = defaultdict(Tally)
        self.missing: dict[str, int] = defaultdict(int)
        self.error = ""
        self.judged = self.case.source.layout.roles.get("desired", "")
        self.good = 0  # rows whose answer is marked as a good one in a word that is known

    def look(self, batch: Batch) -> None:
        """Look at the next rows."""
        source, reading = self.case.source, self.case.reading
        columns = [name for name in source.columns if name not in source.made]  # those have findings of their own
        for number, (row, said) in enumerate(zip(batch.rows, batch.said, strict=True), batch.start):
            if None in row.values():
                for name in columns:
                    if row.get(name) is None:
                        self.missing[name] += 1
            if self.judged and (mark := row.get(self.judged)) not in (None, "") and not is_bad(mark):
                if mark_of(mark) in _GOOD:
                    self.good += 1
                else:
                    self.tallies["unjudged"].add(number, as_text(mark))
            if said is None:
                error = batch.errors[number]
                kinds = ["undesired" if isinstance(error, Undesired) else "unreadable"]
                self.error = self.error or (str(error) if kinds == ["unreadable"] else "")
            elif reading.answered:
                kinds = [] if said.answer else ["empty_answer"]
                if reading.asked and not said.question:
                    kinds.append("unchanged_template")
            else:
                kinds = _of_turns(said)
            for kind in kinds:
                self.tallies[kind].add(number, self.case.shown(row) if self.tallies[kind].count < 9 else "")

    def found(self) -> list[Finding]:
        """What was found."""
        found = []
        for kind, (severity, one, many, why) in _SENTENCES.items():
            if kind == "unjudged" and not self.good:
                continue  # all good ones have a word of their own
            if (tally := self.tallies.get(kind)) is not None:
                words = (one if tally.count == 1 else many).format(error=self.error, column=self.judged)
                message = f"{count_of(tally.count)} {words}"
                found.append(Finding(kind, tally.count, tally.rows, message, severity, why, tally.examples))
        total = f"{len(self.case.source.rows):,}"
        for name in self.case.source.columns:
            if count := self.missing.get(name, 0):
                message = f"{name!r} has no value in {count_of(count)} of {total}."
                why = "Where the template uses it, it is filled in with nothing."
                found.append(Finding("missing", count, [], message, "note", why))
        return found


def _of_turns(said: Said) -> list[str]:
    """The kinds of what is wrong with a conversation."""
    turns = said.turns
    answers = [m for m in turns if m["role"] == "assistant"]
    if not answers:
        return ["no_answer"]
    kinds = []
    if not any(map(is_answer, answers)):
        kinds.append("unlearned")
    elif 0 < sum(map(is_blank, answers)) < len(answers):
        kinds.append("empty_turn")
    if turns[-1]["role"] != "assistant":
        kinds.append("roles_swapped" if turns[0]["role"] == "assistant" else "ends_unanswered")
    if not any(words_of(m).strip() for m in turns if m["role"] != "assistant"):
        kinds.append("unchanged_template")
    if all(map(is_blank, answers)):
        kinds.append("empty_answer")
    return kinds
