"""Which layout rows have, by the names of their columns and by what is in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from core.data.formats import Layout
from core.data.turns import as_text, dialogue, role_of, turns_of
from core.errors import InputError

Roles = dict[str, str]

# Column names by meaning, most telling first.
PAIRS = (
    ("prompt", "completion"), ("prompt", "response"), ("question", "answer"), ("instruction", "response"),
    ("query", "response"), ("input", "output"), ("input", "target"), ("source", "target"), ("text", "summary"),
    ("document", "summary"), ("article", "highlights"), ("dialogue", "summary"), ("note", "fields"), ("mr", "ref"),
    ("source", "summary"), ("problem", "solution"), ("user", "assistant"), ("context", "response"),
    ("question", "response"), ("query", "answer"), ("prompt", "answer"), ("prompt", "output"), ("question", "answers"),
)  # fmt: skip
ASKED_ABOUT = ("context", "passage", "paragraph", "article", "document", "background")
LABELS = ("label", "category", "class", "tone", "intent", "sentiment", "emotion", "topic", "genre", "labels", "target")
TEXTS = (
    "text", "phrase", "sentence", "content", "message", "review", "utterance", "tweet", "title", "document", "body",
)  # fmt: skip
TALKS = ("messages", "conversations", "conversation", "turns", "chat", "dialog", "dialogue")
SPEAKERS = ("from", "role", "speaker", "author", "sender")
WORDS = ("value", "content", "text", "message", "utterance")
SYSTEMS = ("system", "system_prompt", "system_message")
TOOLS = ("tools", "functions", "available_tools")
TWO_TEXTS = (
    ("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"), ("text_a", "text_b"),
    ("text1", "text2"), ("text_1", "text_2"), ("sentence_a", "sentence_b"), ("sentence_1", "sentence_2"),
    ("query", "passage"), ("query", "document"), ("question", "sentence"), ("question", "passage"),
)  # fmt: skip
SCORES = (
    "label", "score", "similarity_score", "similarity", "relevance", "is_duplicate", "gold_label", "labels",
    "entailment", "relatedness_score", "entailment_judgment", "class", "target",
)  # fmt: skip
PREFERRED = (
    ("chosen", "rejected"), ("preferred", "rejected"), ("accepted", "rejected"), ("preferred", "dispreferred"),
    ("chosen_response", "rejected_response"), ("response_chosen", "response_rejected"),
)  # fmt: skip
PROMPTS = ("prompt", "question", "instruction", "query", "input")
TOKENS, TAGS = ("tokens", "words"), ("ner_tags", "tags", "ner", "labels", "bio_tags", "pos_tags")
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
            if len(values) >= 8 and max(map(len, values)) <= 60 and 2 <= len(set(values)) <= max(2, len(values) // 4):
                return column
        return None

    def turns(self, column: str) -> list[dict[str, Any]]:
        """The turns of the first conversation in a column, or []."""
        for row in self.rows:
            value = row.get(column)
            if value in (None, "", []):
                continue
            turns = turns_of(value)
            return turns if turns and all(isinstance(t, dict) for t in turns) else []
        return []


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
    look = Look(columns, list(sample_rows))
    for find in (_preference, _talk, _alpaca, _tagged, _pair, _asked):
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
    if turns := look.turns(found[0]):
        roles |= keys_of(turns) or {}
    elif any(dialogue(as_text(r.get(found[0]))) for r in look.rows[:8]):
        roles.pop("prompt", None)
    return Layout(
        "preference",
        roles,
        f"{found[0]!r} is preferred to {found[1]!r}: the chosen answers are trained on, "
        "the rejected ones are not used.",
    )


def _talk(look: Look) -> Layout | None:
    for column in sorted(look.columns, key=lambda c: folded(c) not in TALKS):
        turns = look.turns(column)
        keys = keys_of(turns)
        if not keys or not (folded(column) in TALKS or any(role_of(t.get(keys["role"])) for t in turns)):
            continue
        more = _beside(look, system=SYSTEMS, tools=TOOLS)
        evidence = f"{column!r} holds lists of turns with {keys['role']!r} and {keys['content']!r}"
        evidence += "".join(f", {c!r} the {'system prompts' if k == 'system' else 'tools'}" for k, c in more.items())
        return Layout(_spelling(keys), {"messages": column, **keys, **more}, f"{evidence}.")
    return None


def _spelling(keys: Roles) -> str:
    return "sharegpt" if "from" in keys.values() or "value" in keys.values() else "messages"


def keys_of(turns: list[dict[str, Any]]) -> Roles | None:
    """Which keys of turns say who speaks, and what."""
    known = dict.fromkeys(k for turn in turns for k in turn)
    speaker = next((k for k in SPEAKERS if k in known), None)
    words = next((k for k in WORDS if k in known), None)
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
    return Layout("alpaca", roles, f"The columns {_list(roles.values())} are those of the Alpaca set.")


def _tagged(look: Look) -> Layout | None:
    tokens, tags = look.named(TOKENS), look.named(TAGS)
    first = next((r for r in look.rows if tokens and r.get(tokens)), {})
    words, marks = first.get(tokens or ""), first.get(tags or "")
    if not tokens or not tags or not isinstance(words, list) or not isinstance(marks, list) or len(words) != len(marks):
        return None
    roles = {"tokens": tokens, "tags": tags, "text": "text", "entities": "entities"}
    return Layout("tokens_tags", roles, f"{tokens!r} and {tags!r} hold lists of the same length, a tag for each token.")


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
    return Layout("prompt_completion", roles, f"The columns are named {found[0]!r} and {found[1]!r}{more}.")


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
