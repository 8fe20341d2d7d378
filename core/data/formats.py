"""Which layout rows have, by their columns and values, and how a row of any layout becomes chat messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import InputError

FIELD = "data.path"
LAYOUTS = ("text", "text_label", "prompt_completion", "alpaca", "sharegpt", "messages")

# Column names by meaning, most telling first.
PAIRS = (
    ("prompt", "completion"), ("prompt", "response"), ("question", "answer"), ("instruction", "response"),
    ("query", "response"), ("input", "output"), ("input", "target"), ("source", "target"), ("text", "summary"),
    ("document", "summary"), ("article", "highlights"), ("dialogue", "summary"), ("note", "fields"), ("mr", "ref"),
    ("source", "summary"), ("problem", "solution"), ("user", "assistant"), ("context", "response"),
)  # fmt: skip
LABELS = ("label", "category", "class", "tone", "intent", "sentiment", "emotion", "topic", "genre", "labels", "target")
TEXTS = (
    "text",
    "phrase",
    "sentence",
    "content",
    "message",
    "review",
    "utterance",
    "tweet",
    "title",
    "document",
    "body",
)
ROLES = {
    "user": "user", "human": "user", "prompter": "user", "customer": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant",
    "system": "system", "developer": "system", "tool": "tool", "function": "tool", "observation": "tool",
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """A layout and which column plays which part.

    roles: text: {"text"}; text_label: {"text", "label"}; prompt_completion: {"prompt", "completion"};
    alpaca: {"instruction", "input"?, "output", "system"?}; sharegpt and messages: {"messages", "role", "content"},
    where the last two are keys of a turn.
    """

    name: str
    roles: dict[str, str]
    evidence: str


def as_text(value: Any) -> str:
    """A value as it stands in a text: text as it is, nothing for a missing value, JSON for all others."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def recognise(columns: Sequence[str], sample_rows: Iterable[dict[str, Any]]) -> Layout:
    """The layout of rows, from the names of their columns and a sample of rows. It always finds one; see `evidence`."""
    rows, names = list(sample_rows), {c.strip().casefold(): c for c in reversed(columns)}
    for column in sorted(columns, key=lambda c: c.casefold() not in ("messages", "conversations", "conversation")):
        turn = _turn(rows, column)
        if "from" in turn and "value" in turn:
            roles = {"messages": column, "role": "from", "content": "value"}
            return Layout("sharegpt", roles, f"{column!r} holds lists of turns with 'from' and 'value'.")
        if "role" in turn and "content" in turn:
            roles = {"messages": column, "role": "role", "content": "content"}
            return Layout("messages", roles, f"{column!r} holds lists of turns with 'role' and 'content'.")
    if "instruction" in names and "output" in names:
        roles = {k: names[k] for k in ("instruction", "input", "output", "system") if k in names}
        return Layout("alpaca", roles, f"The columns {_list(roles.values())} are those of the Alpaca set.")
    for prompt, completion in PAIRS:
        if prompt in names and completion in names:
            roles = {"prompt": names[prompt], "completion": names[completion]}
            return Layout(
                "prompt_completion", roles, f"The columns are named {roles['prompt']!r} and {roles['completion']!r}."
            )
    if len(columns) == 1:
        return Layout("text", {"text": columns[0]}, f"There is one column, {columns[0]!r}.")
    return _by_values(list(columns), names, rows)


def overrule(
    columns: Sequence[str], sample_rows: Iterable[dict[str, Any]], layout: str | None, roles: dict[str, str] | None
) -> Layout:
    """The layout that a person chose, with the roles that they named; the rest as recognised."""
    found = recognise(columns, sample_rows)
    if layout is None:
        return found
    known = found.roles if found.name == layout else {}
    return Layout(layout, {**known, **(roles or {})}, "Chosen by hand.")


def _by_values(columns: list[str], names: dict[str, str], rows: list[dict[str, Any]]) -> Layout:
    label = next((names[n] for n in LABELS if n in names), None) or _label_like(columns, rows)
    others = [c for c in columns if c != label]
    text = next((names[n] for n in TEXTS if names.get(n) in others), None) or max(
        others, key=lambda c: _length(rows, c)
    )
    if label is not None:
        distinct = len({as_text(r.get(label)) for r in rows})
        evidence = f"{label!r} holds {distinct} different values in {len(rows)} rows looked at; {text!r} is the text."
        return Layout("text_label", {"text": text, "label": label}, evidence)
    if len(columns) == 2:
        prompt, completion = columns
        evidence = f"There are two columns: {prompt!r} is taken as the prompt, {completion!r} as the answer."
        return Layout("prompt_completion", {"prompt": prompt, "completion": completion}, evidence)
    if "text" in names:
        return Layout(
            "text", {"text": names["text"]}, f"There is a column {names['text']!r} and none that looks like an answer."
        )
    worded = sorted(columns, key=lambda c: -_length(rows, c))[:2]
    prompt, completion = sorted(worded, key=columns.index)
    evidence = f"A guess by length: {prompt!r} is taken as the prompt, {completion!r} as the answer."
    return Layout("prompt_completion", {"prompt": prompt, "completion": completion}, evidence)


def _turn(rows: list[dict[str, Any]], column: str) -> dict[str, Any]:
    """The first turn of the first conversation in a column, or {}."""
    for row in rows:
        value = row.get(column)
        if value is None or value == []:
            continue
        return value[0] if isinstance(value, list) and isinstance(value[0], dict) else {}
    return {}


def _length(rows: list[dict[str, Any]], column: str) -> float:
    """The mean length of a column's texts; other values count as nothing."""
    return sum(len(v) for r in rows if isinstance(v := r.get(column), str)) / max(1, len(rows))


def _label_like(columns: list[str], rows: list[dict[str, Any]]) -> str | None:
    """The last column of short values that repeat, as a class does."""
    for column in reversed(columns):
        values = [as_text(r.get(column)) for r in rows]
        if len(values) >= 8 and max(map(len, values)) <= 60 and len(set(values)) <= max(2, len(values) // 4):
            return column
    return None


def _list(names: Iterable[str]) -> str:
    quoted = [repr(n) for n in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]


def to_messages(row: dict[str, Any], layout: Layout) -> list[dict[str, str]]:
    """A row as chat messages: [{"role": "system" | "user" | "assistant" | "tool", "content": text}, ...].

    Raises:
        InputError: a conversation that is none, a role that is not known, or rows that are one text only.
    """
    r = layout.roles
    match layout.name:
        case "alpaca":
            asked, given = as_text(row.get(r["instruction"])), as_text(row.get(r.get("input", ""), ""))
            system = as_text(row.get(r.get("system", ""), ""))
            head = [{"role": "system", "content": system}] if system.strip() else []
            return [
                *head,
                {"role": "user", "content": f"{asked}\n\n{given}" if given.strip() else asked},
                {"role": "assistant", "content": as_text(row.get(r["output"]))},
            ]
        case "prompt_completion" | "text_label":
            asked, answer = ("prompt", "completion") if layout.name == "prompt_completion" else ("text", "label")
            return [
                {"role": "user", "content": as_text(row.get(r[asked]))},
                {"role": "assistant", "content": as_text(row.get(r[answer]))},
            ]
        case "sharegpt" | "messages":
            return _conversation(row.get(r["messages"]), r)
        case _:
            raise InputError(
                f"These rows hold one text ({r['text']!r}), no question and answer, so the chat template cannot be "
                f"used. Write a template, such as [[{{{r['text']}}}]].",
                "data.template",
            )


def _conversation(turns: Any, roles: dict[str, str]) -> list[dict[str, str]]:
    if not isinstance(turns, list) or not turns:
        raise InputError(f"{roles['messages']!r} holds no list of turns.", FIELD)
    messages = []
    for number, turn in enumerate(turns, 1):
        if not isinstance(turn, dict) or roles["role"] not in turn:
            raise InputError(f"turn {number} has no {roles['role']!r}.", FIELD)
        name = as_text(turn[roles["role"]])
        role = ROLES.get(name.strip().casefold())
        if role is None:
            raise InputError(f"turn {number} is by {name!r}, a role that is not known: {', '.join(ROLES)}.", FIELD)
        messages.append({"role": role, "content": _content(turn.get(roles["content"]))})
    return messages


def _content(value: Any) -> str:
    """A turn's words: text, or a list of blocks of which the text ones are joined."""
    if isinstance(value, list) and all(isinstance(b, dict) for b in value):
        odd = next((str(b.get("type")) for b in value if "text" not in b), None)
        if odd is not None:
            raise InputError(f"a turn holds a block of type {odd!r}: only text can be trained on.", FIELD)
        return "\n".join(as_text(b["text"]) for b in value)
    return as_text(value)


def answer_column(layout: Layout) -> str:
    """The column that holds the answer; "" where the answer is in the turns of a conversation."""
    keys = {"text": "text", "text_label": "label", "prompt_completion": "completion", "alpaca": "output"}
    return layout.roles[keys[layout.name]] if layout.name in keys else ""


def suggest_template(layout: Layout) -> str | None:
    """A text template for a layout, for a model without a chat template; None for conversations."""
    r = layout.roles
    match layout.name:
        case "text":
            return f"[[{{{r['text']}}}]]"
        case "text_label":
            return f"### {_title(r['text'])}: {{{r['text']}}}\n### {_title(r['label'])}: {{{r['label']}}}"
        case "prompt_completion":
            return (
                f"### {_title(r['prompt'])}:\n{{{r['prompt']}}}\n### {_title(r['completion'])}:\n{{{r['completion']}}}"
            )
        case "alpaca":
            parts = [
                (k.title() if k != "output" else "Response", r[k]) for k in ("instruction", "input", "output") if k in r
            ]
            return "\n\n".join(f"### {title}:\n{{{column}}}" for title, column in parts)
        case _:
            return None


def _title(column: str) -> str:
    words = column.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def suggest_task(layout: Layout, rows: Iterable[dict[str, Any]]) -> str:
    """The task that rows look made for: classification, extraction (answers are JSON), summarization or generation."""
    if layout.name == "text_label":
        return "classification"
    column = answer_column(layout)
    if layout.name == "prompt_completion":
        if column.casefold() in ("summary", "highlights", "tldr", "abstract"):
            return "summarization"
        values = [v for v in (row.get(column) for row in rows) if v not in (None, "")]
        if values and all(isinstance(v, dict) or _is_object(v) for v in values):
            return "extraction"
    return "generation"


def _is_object(value: Any) -> bool:
    try:
        return isinstance(value, str) and isinstance(json.loads(value), dict)
    except ValueError:
        return False
