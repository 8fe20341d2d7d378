"""Which layout rows have, by the names of their columns and by what is in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from core.data.column_names import (
    ASKED_ABOUT,
    HISTORY,
    JUDGED,
    JUDGEMENTS,
    LABELS,
    LANGUAGE_CODE,
    PAIRS,
    PREFERRED,
    PROMPTS,
    RIGHT_CHOICE,
    SCORES,
    SPEAKERS,
    SYSTEMS,
    TAGS,
    TALKS,
    TEXTS,
    TOKENISED,
    TOKENS,
    TOOLS,
    TWO_TEXTS,
    WHOLE,
    WITH_CHOICES,
    WORDS,
    WORDS_TOO,
)
from core.data.formats import Layout, earlier_turns, one_turn
from core.data.turns import as_text, dialogue, role_of, turns_of
from core.data.values import parsed
from core.errors import InputError

Roles = dict[str, str]
LABEL_CHARS = 100  # a column of longer texts is no label, whatever its name


class Look:
    """Columns and sample rows, and what can be asked of them.

    Args:
        taken: columns that play a part already, and are not found again.
    """

    def __init__(self, columns: Sequence[str], rows: list[dict[str, Any]], taken: Iterable[str] = ()) -> None:
        self.rows, self.taken = rows, set(taken)
        self.columns = [c for c in columns if c not in self.taken]
        self.names = {folded(c): c for c in reversed(self.columns)}

    def named(self, names: Iterable[str]) -> str | None:
        """The first column that has one of these names."""
        return next((self.names[n] for n in names if n in self.names), None)

    def both(self, pairs: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
        """The first two columns that are named like a pair."""
        return next(((self.names[a], self.names[b]) for a, b in pairs if a in self.names and b in self.names), None)

    def length(self, column: str) -> float:
        """The mean length of a column's texts; other values count as nothing."""
        return sum(len(v) for r in self.rows if isinstance(v := r.get(column), str)) / max(1, len(self.rows))

    def longest(self, leave: Iterable[str | None] = ()) -> str | None:
        """The column with the longest texts, but for those left out."""
        return max((c for c in self.columns if c not in set(leave)), key=self.length, default=None)

    def label_like(self) -> str | None:
        """The last column of short values that repeat, as a class does."""
        for column in reversed(self.columns):
            values = [as_text(r.get(column)) for r in self.rows]
            if _NO_LABEL.fullmatch(folded(column)) or all(map(role_of, values)):
                continue  # which language, who speaks, or where
            if len(values) >= 8 and max(map(len, values)) <= 60 and 2 <= len(set(values)) <= max(2, len(values) // 4):
                return column
        return None

    def turns(self, column: str) -> list[dict[str, Any]]:
        """The turns of the first conversation in a column, [] where most of its values are none."""
        there = [value for row in self.rows if (value := row.get(column)) not in (None, "", [])]
        found = [turns for value in there if (turns := _as_turns(value))]
        return found[0] if 2 * len(found) > len(there) else []

    def answered(self, column: str) -> bool:
        """Whether the assistant speaks in any conversation of a column."""
        for row in self.rows:
            turns = _as_turns(row.get(column))
            if (keys := keys_of(turns)) and any(role_of(turn.get(keys["role"])) == "assistant" for turn in turns):
                return True
        return False

    def judgement(self, names: Iterable[str] = JUDGED) -> str | None:
        """The column of these names that says of each answer whether it is a good one, by its values."""
        for name in names:
            column = self.names.get(name)
            if column is None:
                continue
            values = [re.sub(r"[\s-]+(?!1)", "_", v) for r in self.rows if (v := _one_word(r.get(column)))]
            if any(name in told_by and _judges(values, pair) for pair, told_by in JUDGEMENTS):
                return column
        return None

    def history(self, names: Iterable[str] = HISTORY) -> str | None:
        """The column of earlier turns."""
        column = self.named(names)
        if column is None:
            return None
        read = unread = 0
        for row in self.rows:
            try:
                read += bool(earlier_turns(row.get(column), column))
            except InputError:
                unread += 1
        return column if read > unread else None


_NO_LABEL = re.compile(r".+_(?:lang|langs|lang_code|language|languages|language_code|locale)|"
                       r"(?:conversation|conv|dialog|dialogue|thread|session|chat)_?id")  # fmt: skip


def _as_turns(value: Any) -> list[dict[str, Any]]:
    """The turns that a value holds, if they are objects."""
    turn = one_turn(value)
    turns = [turn] if turn and keys_of([turn]) else turns_of(value)
    return turns if turns and all(isinstance(t, dict) for t in turns) else []


def _judges(values: Sequence[str], pair: frozenset[str]) -> bool:
    """Whether values are good and bad ones of a pair: all of them, or most beside a few words such as "n/a"."""
    odd = [value for value in values if value not in pair]
    if not odd or not values:
        return bool(values)
    worded = not any(re.fullmatch(r"[-+]?[\d.]+", value) for value in odd)
    return worded and 2 * len(odd) < len(values) and pair.issubset(values)


def _one_word(value: Any) -> str:
    return as_text(value).strip().casefold()[:20]


def folded(name: str) -> str:
    """A column's name without what writers differ in: capitals, spaces, hyphens, forms of a letter."""
    return re.sub(r"[\s\-.]+", "_", unicodedata.normalize("NFKC", name).strip().casefold())


def recognise(columns: Sequence[str], sample_rows: Iterable[dict[str, Any]]) -> Layout:
    """The layout of rows, from the names of their columns and a sample of rows. It always finds one; see `evidence`.

    Raises:
        InputError: there are no columns.
    """
    if not columns:
        raise InputError("The rows have no columns.", "data.path")
    rows = list(sample_rows)
    made = [c for c in columns if folded(c) in TOKENISED] if "input_ids" in map(folded, columns) else []
    look = Look(columns, rows, made if len(made) < len(columns) else ())
    columns = look.columns
    for find in (_preference, _talk, _choice, _alpaca, _tagged, _pair, _asked, _translation):
        if layout := find(look):
            return layout
    if len(columns) == 1:
        return Layout("text", {"text": columns[0]}, f"There is one column, {columns[0]!r}.")
    return _by_values(look)


def _preference(look: Look) -> Layout | None:
    found = look.both(PREFERRED)
    if not found:
        return None
    roles = {"chosen": found[0], "rejected": found[1], **_beside(look, prompt=PROMPTS, system=SYSTEMS, tools=TOOLS)}
    if "prompt" not in roles and (talk := next((look.names[n] for n in TALKS if n in look.names), None)):
        roles |= {"prompt": talk} if look.turns(talk) and not _answers_itself(look, found[0]) else {}
    asked = keys_of(look.turns(roles["prompt"])) if "prompt" in roles else None
    if keys := keys_of(look.turns(found[0])) or asked:
        roles |= keys
    elif any(dialogue(as_text(r.get(found[0]))) for r in look.rows[:8]):
        roles.pop("prompt", None)
    if "prompt" in roles and "content" not in roles:
        rest, prompt = Look(look.columns, look.rows, roles.values()), folded(roles["prompt"])
        roles |= _beside(rest, input=("input", "context")) if prompt == "instruction" else {}
        roles |= _beside(rest, context=ASKED_ABOUT) if prompt in ("question", "query") else {}
    layout = Layout(
        "preference",
        roles,
        f"{found[0]!r} is preferred to {found[1]!r}: the chosen answers are trained on, "
        "the rejected ones are not used" + (f"; {roles['prompt']!r} is what they answer." if asked else "."),
    )
    return _remembering(look, layout) if "prompt" in roles else layout


def _answers_itself(look: Look, column: str) -> bool:
    """Whether the answers of a column are whole conversations, with what the user says."""
    turns = look.turns(column)
    keys = keys_of(turns)
    return keys is not None and any(role_of(turn.get(keys["role"])) == "user" for turn in turns)


def _talk(look: Look) -> Layout | None:
    asked = look.both(_TEXT_PAIRS)
    for column in sorted(look.columns, key=lambda c: (c.rstrip("_") != WHOLE, folded(c) not in TALKS)):
        if asked and folded(column) in HISTORY:
            continue  # what comes before the question
        if asked and not look.answered(column):
            continue  # turns that nobody answers, beside a question and its answer
        turns = look.turns(column)
        keys = keys_of(turns)
        if asked and keys and folded(column) in TALKS and _apart(look, column, asked):
            continue  # a question and its answer that do not stand in the turns beside: these come before
        if not keys or not (folded(column) in TALKS or any(role_of(t.get(keys["role"])) for t in turns)):
            continue
        more = _beside(look, system=SYSTEMS, tools=TOOLS)
        evidence = f"{column!r} holds lists of turns with {keys['role']!r} and {keys['content']!r}"
        evidence += "".join(f", {c!r} the {'system prompts' if k == 'system' else 'tools'}" for k, c in more.items())
        roles = {"messages": column, **keys, **more}
        return _judged(look, Layout(_spelling(keys), roles, f"{evidence}."))
    return None


_TEXT_PAIRS = (("instruction", "output"), *PAIRS)


def _apart(look: Look, column: str, asked: tuple[str, str]) -> bool:
    """Whether the turns of a column have neither the question nor the answer that two columns of texts hold."""
    there = apart = 0
    for row in look.rows:
        pair = [_squeezed(text) for name in asked if isinstance(text := row.get(name), str) and text.strip()]
        if len(pair) == 2 and (turns := _as_turns(row.get(column))):
            words = _squeezed(turns)
            there, apart = there + 1, apart + (not any(text in words for text in pair))
    return 2 * apart > there and look.answered(column)


def _squeezed(value: Any) -> str:
    """All texts in a value without their spaces and capitals, to find one in others."""
    if isinstance(value, dict | list):
        return "\n".join(map(_squeezed, value.values() if isinstance(value, dict) else value))
    return "".join(as_text(value).split()).casefold()


def _judged(look: Look, layout: Layout) -> Layout:
    """The layout with the column that says which answers are good ones, where there is one."""
    columns = [c for c in look.columns if c not in layout.roles.values()]
    column = Look(columns, look.rows).judgement()
    if column is None:
        return layout
    evidence = f"{layout.evidence} {column!r} marks good and bad answers: the bad ones are left out."
    return Layout(layout.name, {**layout.roles, "desired": column}, evidence)


def _remembering(look: Look, layout: Layout) -> Layout:
    """The layout with the column of earlier turns, where there is one."""
    pair = look.both(_TEXT_PAIRS)
    talks = [n for n in TALKS if pair and n in look.names and _apart(look, look.names[n], pair)]
    if (column := look.history() or look.history(talks)) is None or column in layout.roles.values():
        return layout
    evidence = f"{layout.evidence} {column!r} holds earlier turns, which come before the question."
    return Layout(layout.name, {**layout.roles, "history": column}, evidence)


def _spelling(keys: Roles) -> str:
    return "sharegpt" if {"from", "value"} & set(map(folded, keys.values())) else "messages"


def keys_of(turns: list[dict[str, Any]]) -> Roles | None:
    """Which keys of turns say who speaks, and what."""
    known = {folded(k): k for turn in reversed(turns) for k in reversed(turn)}
    speaker = next((known[k] for k in SPEAKERS if k in known), None)
    words = next((known[k] for k in WORDS if k in known), None)
    return {"role": speaker, "content": words} if speaker and words else None


def _beside(look: Look, **wanted: Sequence[str]) -> Roles:
    """Columns that may stand beside others, by role."""
    found = {role: look.named(names) for role, names in wanted.items()}
    return {role: column for role, column in found.items() if column}


def _alpaca(look: Look) -> Layout | None:
    roles = _beside(
        look, instruction=("instruction",), input=("input", "context"), output=("output", "response"), system=SYSTEMS
    )
    if "instruction" not in roles or "output" not in roles:
        return None
    if folded(roles["output"]) != "output" and "input" not in roles:
        return None  # instruction and response: a prompt and its answer
    evidence = f"The columns {_list(roles.values())} are those of the Alpaca set."
    return _judged(look, _remembering(look, Layout("alpaca", roles, evidence)))


def _tagged(look: Look) -> Layout | None:
    tokens, tags = look.named(TOKENS), look.named(TAGS)
    if tokens is None or tags is None:
        return None
    both = [(parsed(row.get(tokens)), parsed(row.get(tags))) for row in look.rows if row.get(tokens)]
    listed = [(words, marks) for words, marks in both if isinstance(words, list) and isinstance(marks, list)]
    if not listed or 2 * sum(len(words) == len(marks) for words, marks in listed) <= len(both):
        return None
    roles = {"tokens": tokens, "tags": tags, "text": "text", "entities": "entities"}
    return Layout("tokens_tags", roles, f"{tokens!r} and {tags!r} hold lists of the same length, a tag for each token.")


def _choice(look: Look) -> Layout | None:
    """A question with its choices, as core.data.reshape makes them."""
    found = [next((c for c in look.columns if c.rstrip("_") == name), None) for name in (WITH_CHOICES, RIGHT_CHOICE)]
    if found[0] is None or found[1] is None:
        return None
    roles = {"prompt": found[0], "completion": found[1]}
    rest = Look([c for c in look.columns if c not in found], look.rows)
    if about := rest.named((*ASKED_ABOUT, "support", "fact1", "premise")):
        roles["context"] = about
    evidence = "Rows of multiple choice: the choices stand below the question, and the right one's mark is the answer"
    return Layout("prompt_completion", roles, evidence + (f"; {about!r} is what is asked about." if about else "."))


def _translation(look: Look) -> Layout | None:
    """The same text in two languages, by the names of the columns."""
    codes = [c for c in look.columns if re.fullmatch(f"(?:translation_)?(?:{LANGUAGE_CODE})", c, re.IGNORECASE)]
    found = [c for c in codes if look.length(c) and (c.casefold() not in WORDS_TOO or _spaced(look, c))]
    if len(found) < 2:
        return None
    source, target = found[:2]
    others = f" {_list(found[2:])} {'is' if len(found) == 3 else 'are'} not used." if len(found) > 2 else ""
    return Layout(
        "prompt_completion", {"prompt": source, "completion": target},
        f"The same text in several languages: {source!r} is taken as the source and {target!r} as the target. For the "
        f"other way round choose the columns the other way round.{others}",
    )  # fmt: skip


def _spaced(look: Look, column: str) -> bool:
    return any(" " in value.strip() for row in look.rows if isinstance(value := row.get(column), str))


def _pair(look: Look) -> Layout | None:
    found = look.both(TWO_TEXTS)
    label = look.named(SCORES)
    if not found or not label:
        return None
    roles = {"first": found[0], "second": found[1], "label": label}
    return Layout("pair", roles, f"{found[0]!r} and {found[1]!r} are two texts, and {label!r} says how they relate.")


def _asked(look: Look) -> Layout | None:
    found = look.both(PAIRS)
    if not found:
        return None
    roles = {"prompt": found[0], "completion": found[1], **_beside(look, system=SYSTEMS)}
    if folded(found[0]) in ("question", "query") and (about := Look(look.columns, look.rows, found).named(ASKED_ABOUT)):
        roles["context"] = about
    more = "".join(f", beside {roles[k]!r}" for k in ("context", "system") if k in roles)
    evidence = f"The columns are named {found[0]!r} and {found[1]!r}{more}."
    return _judged(look, _remembering(look, Layout("prompt_completion", roles, evidence)))


def _by_values(look: Look) -> Layout:
    columns = look.columns
    named = next((look.names[n] for n in LABELS if n in look.names), None)
    label = named if named and look.length(named) <= LABEL_CHARS else look.label_like()
    others = [c for c in columns if c != label]
    text = next((look.names[n] for n in TEXTS if look.names.get(n) in others), None) or max(others, key=look.length)
    if label is not None:
        distinct = len({as_text(r.get(label)) for r in look.rows})
        evidence = (
            f"{label!r} holds {distinct} different values in {len(look.rows)} rows looked at; {text!r} is the text."
        )
        return Layout("text_label", {"text": text, "label": label}, evidence)
    if len(columns) == 2:
        prompt, completion = columns
        evidence = f"There are two columns: {prompt!r} is taken as the prompt, {completion!r} as the answer."
        return Layout("prompt_completion", {"prompt": prompt, "completion": completion}, evidence)
    if "text" in look.names:
        text = look.names["text"]
        return Layout("text", {"text": text}, f"There is a column {text!r} and none that looks like an answer.")
    prompt, completion = sorted(sorted(columns, key=lambda c: -look.length(c))[:2], key=columns.index)
    evidence = f"A guess by length: {prompt!r} is taken as the prompt, {completion!r} as the answer."
    return Layout("prompt_completion", {"prompt": prompt, "completion": completion}, evidence)


def _list(names: Iterable[str]) -> str:
    quoted = [repr(n) for n in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]
