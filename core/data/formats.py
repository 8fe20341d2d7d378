"""The layouts that rows may have, and how a row of any of them becomes chat messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from core.data.marks import is_muted
from core.data.media import refuse
from core.data.reasoning import KEY, reasoning_of
from core.data.turns import (
    ALL_CALLS,
    Message,
    as_text,
    before_answer,
    conversation,
    dialogue,
    tools_of,
    turns_of,
    unused_keys,
)
from core.data.values import is_empty, parsed
from core.errors import InputError

DEFAULT_KEYS = {"sharegpt": ("from", "value")}  # of a turn; all others have role and content


@dataclass(frozen=True)
class Role:
    """A part that a column plays in a layout.

    Attributes:
        name: its key in `Layout.roles`. label: for people.
        optional: whether a layout may lack it.
        key: whether it names a key of a turn, not a column.
    """

    name: str
    label: str
    optional: bool = False
    key: bool = False


_SYSTEM = Role("system", "System prompt", optional=True)
_TOOLS = Role("tools", "Tools", optional=True)
_DESIRED = Role("desired", "Marks good answers", optional=True)
_HISTORY = Role("history", "Earlier turns", optional=True)
_TURN = (Role("role", "Speaker of a turn", key=True), Role("content", "Words of a turn", key=True))
_TALK = (Role("messages", "Conversation"), *_TURN, _SYSTEM, _TOOLS, _DESIRED)
ROLES_OF: dict[str, tuple[Role, ...]] = {
    "text": (Role("text", "Text"),),
    "text_label": (Role("text", "Text"), Role("label", "Label")),
    "prompt_completion": (
        Role("prompt", "Prompt"),
        Role("completion", "Answer"),
        Role("context", "Text asked about", optional=True),
        _HISTORY,
        _SYSTEM,
        _DESIRED,
    ),
    "alpaca": (
        Role("instruction", "Instruction"),
        Role("input", "Input", optional=True),
        Role("output", "Answer"),
        _HISTORY,
        _SYSTEM,
        _DESIRED,
    ),
    "sharegpt": _TALK,
    "messages": _TALK,
    "tokens_tags": (
        Role("tokens", "Tokens"),
        Role("tags", "Tags"),
        Role("text", "Text", optional=True),
        Role("entities", "Entities", optional=True),
    ),
    "pair": (Role("first", "First text"), Role("second", "Second text"), Role("label", "Score or label")),
    "preference": (
        Role("chosen", "Chosen answer"),
        Role("rejected", "Rejected answer", optional=True),
        Role("prompt", "Prompt", optional=True),
        Role("input", "Input", optional=True),
        Role("context", "Text asked about", optional=True),
        _HISTORY,
        Role("role", "Speaker of a turn", optional=True, key=True),
        Role("content", "Words of a turn", optional=True, key=True),
        _SYSTEM,
        _TOOLS,
    ),
}
LAYOUTS = tuple(ROLES_OF)
_ANSWERS = {
    "text": "text", "text_label": "label", "prompt_completion": "completion", "alpaca": "output",
    "tokens_tags": "entities", "pair": "label", "preference": "chosen",
}  # fmt: skip


# Values that mark an answer as a bad one, in the column that has the role `desired`; any other value marks a good one.
BAD = ("false", "no", "n", "f", "0", "0.0", "-1", "-1.0", "bad", "undesirable", "undesired", "rejected", "reject",
       "dispreferred", "dislike", "disliked", "thumbs_down", "thumbsdown", "down", "incorrect", "wrong", "negative",
       "unacceptable", "not_ok", "👎", "lose", "loser", "loss", "worse")  # fmt: skip


class Undesired(InputError):
    """A row whose answer is marked as a bad one: it is never learned, nor taken for the right answer."""


@dataclass(frozen=True)
class Layout:
    """A layout and which column plays which part.

    Attributes:
        name: a key of ROLES_OF.
        roles: role -> column, or key of a turn, as ROLES_OF says.
        evidence: one sentence: why the rows are taken to have it.
    """

    name: str
    roles: dict[str, str]
    evidence: str

    @property
    def conversational(self) -> bool:
        """Whether a row is a conversation of several turns, which no text template can take apart."""
        if self.name == "preference":
            return "content" in self.roles or "prompt" not in self.roles or "history" in self.roles
        return self.name in ("sharegpt", "messages") or "history" in self.roles


def to_messages(row: dict[str, Any], layout: Layout) -> list[Message]:
    """A row as chat messages: [{"role": "system" | "user" | "assistant" | "tool", "content": text}, ...].

    Those of a conversation may have more: see `turns.conversation`. An instruction with an input has both besides its
    content, for templates that write them apart.

    Raises:
        InputError: a conversation that is none, a role that is not known, words without a tag for each, or rows that
            are one text only. Undesired: the row is marked as a bad answer.
    """
    check_desired(row, layout)
    refuse(row)
    r = layout.roles

    def cell(role: str) -> str:
        return as_text(row.get(r[role])) if role in r else ""

    match layout.name:
        case "text":
            raise _one_text(r["text"])
        case "sharegpt" | "messages":
            messages = conversation(row.get(r["messages"]), r["messages"], *_keys(layout))
        case "preference":
            messages = _preferred(row, layout)
        case "alpaca":
            messages = [_with_input(row, r, cell("instruction")), _answer(cell("output"))]
        case "pair":
            asked = "\n".join(f"{as_title(r[role])}: {cell(role)}" for role in ("first", "second"))
            messages = [_question(asked), _answer(cell("label"))]
        case "prompt_completion":
            messages = [_with_input(row, r, cell("prompt")), _answer(cell("completion"))]
        case _:  # text_label, tokens_tags
            check_tags(row, layout)
            messages = [_question(cell("text")), _answer(cell(_ANSWERS[layout.name]))]
    if "history" in r:
        messages = [*earlier_turns(row.get(r["history"]), r["history"]), *messages]
    system = system_words(row.get(r["system"])) if "system" in r else ""
    if system.strip():
        first = messages[0] if messages[0]["role"] == "system" else {"role": "system", "content": ""}
        said = first["content"]
        words = said if system.strip() in said else system if said.strip() in system else f"{system}\n\n{said}"
        messages = [first | {"content": words}, *messages[messages[0]["role"] == "system" :]]
    return messages


def check_desired(row: dict[str, Any], layout: Layout) -> None:
    """Whether the answer of a row is one to learn. Undesired (field data.path) where the row says that it is a bad one.

    A row without a mark is taken for a good one.
    """
    column = layout.roles.get("desired")
    if column is not None and is_bad(value := row.get(column)):
        raise Undesired(f"the answer is marked as a bad one ({column!r} is {as_text(value)}).", "data.path")


def is_bad(value: Any) -> bool:
    """Whether a value of the role `desired` marks a bad answer."""
    return value is not None and mark_of(value) in BAD


def mark_of(value: Any) -> str:
    """A value of the role `desired` as BAD writes it."""
    return re.sub(r"[\s-]+(?!1)", "_", as_text(value).strip().casefold())


def check_tags(row: dict[str, Any], layout: Layout) -> None:
    """Whether the words of a row have a tag each; rows of other layouts always pass.

    Raises:
        InputError: (field data.path) words and tags are no lists, or not equally many.
    """
    if layout.name != "tokens_tags" or layout.roles["tokens"] not in row or layout.roles["tags"] not in row:
        return  # who asks a package has the text alone
    words, tags = (parsed(row[layout.roles[role]]) for role in ("tokens", "tags"))
    if not isinstance(words, list) or not isinstance(tags, list):
        raise InputError("words and tags are lists, and this row has none.", "data.path")
    if len(words) != len(tags):
        raise InputError(f"{len(words)} words and {len(tags)} tags: a tag for each word is needed.", "data.path")


def system_words(value: Any) -> str:
    """A system prompt as text: a text, a turn of its own, or a list of blocks, as Gemini's systemInstruction is."""
    if isinstance(value, str):
        held = parsed(value)
        items = held if isinstance(held, list) else [held]
        blocks = bool(items) and all(
            isinstance(i, dict) and i.keys() & _BLOCK and i.keys() <= _BLOCK | _MORE for i in items
        )
        return system_words(held) if blocks else as_text(value)
    for key in ("parts", "content", "text", "value"):
        if isinstance(value, dict) and value.get(key) is not None:
            return system_words(value[key])
    if isinstance(value, list) and value and all(isinstance(item, str | dict) for item in value):
        return "\n".join(system_words(item) for item in value)
    return as_text(value)


_BLOCK, _MORE = {"parts", "content", "text", "value"}, {"role", "from", "type", "cache_control"}


# The keys by which a pair of earlier turns says what was asked and what was answered.
_ASKED_KEYS = ("user", "human", "question", "instruction", "prompt", "query", "input", "q")
_ANSWERED_KEYS = ("assistant", "bot", "gpt", "model", "answer", "response", "output", "completion", "a")


def earlier_turns(value: Any, column: str) -> list[Message]:
    """The turns before a question: a list of pairs, of objects with a question and an answer, of turns, or of texts
    that take turns, the user's first; or JSON text of one.

    Raises:
        InputError: (field data.path) it is something else.
    """
    if value is None or (isinstance(value, str) and not value.strip()) or value == []:
        return []
    turns = turns_of(value) or []
    if turns and all(isinstance(t, str) for t in turns) and len(turns) % 2 == 0:
        turns = [turns[i : i + 2] for i in range(0, len(turns), 2)]
    messages = list[Message]()
    for turn in turns:
        pair = turn
        if isinstance(turn, dict):
            speaker, words = (next((k for k in keys if k in turn), "") for keys in (_SPEAKERS, _SPOKEN))
            if speaker and words:
                messages += conversation([turn], column, speaker, words)
                continue
            pair = [turn.get(k) for k in _pair_keys(turn)]
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            break
        answer = _answer(pair[1])
        if isinstance(turn, dict):
            thought = as_text(reasoning_of(turn)[1])
            answer |= ({KEY: thought} if thought else {}) | ({"weight": 0} if is_muted(turn) else {})
        messages += [_question(pair[0]), answer]
    else:
        if messages or turns_of(value) is not None:
            return messages
    raise InputError(
        f"{column!r} holds {as_text(value)[:40]!r}, which are no earlier turns: pairs of a question and its answer are "
        "expected.",
        "data.path",
    )


def _pair_keys(turn: dict[str, Any]) -> list[str]:
    """The keys of what was asked and what was answered in an earlier turn; "" where there is none."""
    return [next((k for k in keys if k in turn), "") for keys in (_ASKED_KEYS, _ANSWERED_KEYS)]


def unused_of_history(value: Any) -> dict[str, Any]:
    """What earlier turns hold and nobody reads: the key -> a value of it. See `turns.unused_keys`."""
    found: dict[str, Any] = {}
    for turn in turns_of(value) or []:
        if not isinstance(turn, dict):
            continue
        speaker, words = (next((k for k in keys if k in turn), "") for keys in (_SPEAKERS, _SPOKEN))
        if speaker and words:
            more = unused_keys([turn], speaker, words)
        else:  # as if it were the answer alone
            asked, answered = _pair_keys(turn)
            held = {k: v for k, v in turn.items() if k not in (asked, *ALL_CALLS)}
            more = unused_keys([held | {"role": "assistant"}], "role", answered)
            more |= {k: turn[k] for k in ("role", *ALL_CALLS) if not is_empty(turn.get(k))}
        found = more | found
    return found


_SPEAKERS, _SPOKEN = ("from", "role"), ("value", "content", "parts")


def tools(row: dict[str, Any], layout: Layout) -> list[dict[str, Any]]:
    """The tools that a row's conversation may call: see `turns.tools_of`."""
    column = layout.roles.get("tools")
    return tools_of(row.get(column), column) if column else []


def _question(text: str) -> Message:
    return {"role": "user", "content": text}


def _with_input(row: dict[str, Any], roles: dict[str, str], asked: str) -> Message:
    """A question behind the text that it is about, or an instruction with its input below it."""
    context, given = (as_text(row.get(roles[role])) if role in roles else "" for role in ("context", "input"))
    if context.strip():
        asked = f"{context}\n\n{asked}"
    if not given.strip():
        return _question(asked)
    return {"role": "user", "content": f"{asked}\n\n{given}", "instruction": asked, "input": given}


def _answer(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _keys(layout: Layout) -> tuple[str, str]:
    """The keys of a turn."""
    role, content = DEFAULT_KEYS.get(layout.name, ("role", "content"))
    return layout.roles.get("role", role), layout.roles.get("content", content)


def _one_text(column: str) -> InputError:
    return InputError(
        f"These rows hold one text ({column!r}), no question and answer, so the chat template cannot be "
        f"used. Write a template, such as [[{{{column}}}]].",
        "data.template",
    )


def _preferred(row: dict[str, Any], layout: Layout) -> list[Message]:
    """The prompt and the chosen answer: each a text, a list of turns, or a text with its speakers in it."""
    r = layout.roles

    def read(role: str) -> tuple[list[Message] | None, str]:
        value = row.get(r[role]) if role in r else None
        if (turn := one_turn(value)) is not None and _keys(layout)[0] in turn:
            value = [turn]
        if turns_of(value):
            return conversation(value, r[role], *_keys(layout)), ""
        text = "" if isinstance(value, list) else as_text(value)
        return dialogue(text), text

    chosen, answer = read("chosen")
    asked, prompt = read("prompt")
    if asked and asked[-1] == _answer(""):
        asked = asked[:-1]
    if asked is None and prompt.strip():
        asked = [_with_input(row, r, prompt)]
    if chosen is None:
        if asked is None:
            raise _one_text(r["chosen"])
        return [*asked, _answer(answer)]
    return chosen if asked is None or _is_whole(chosen, asked) else [*asked, *chosen]


def _is_whole(chosen: list[Message], asked: list[Message]) -> bool:
    """Whether the turns of an answer begin with what is asked: those that repeat it, or that the user begins where the
    user is to be answered. An answer of several turns that the assistant begins is none."""
    users = {"".join(m["content"].split()) for m in chosen if m["role"] == "user"}
    if any("".join(m["content"].split()) in users for m in asked if m["role"] == "user"):
        return True
    first = next((m["role"] for m in chosen if m["role"] != "system"), "")
    return first == "user" and asked[-1:] != [] and asked[-1]["role"] != "assistant"


def one_turn(value: Any) -> dict[str, Any] | None:
    """The one turn that a value is, an object or JSON text of one, where a list of turns could stand; else None."""
    value = parsed(value)
    return value if isinstance(value, dict) and value and turns_of(value) is None else None


def unanswered(row: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """A conversation up to its last answer, which is what is asked; other rows as they are."""
    if layout.name not in ("sharegpt", "messages"):
        return row
    column = layout.roles["messages"]
    return row | {column: before_answer(turns_of(row.get(column)) or [], column, *_keys(layout))}


def answer_column(layout: Layout) -> str:
    """The column that holds the answer; "" where the answer is in the turns of a conversation."""
    if layout.conversational:
        return ""
    return layout.roles[_ANSWERS[layout.name]]


def as_title(column: str) -> str:
    """A column's name as it stands before what it holds."""
    words = column.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
