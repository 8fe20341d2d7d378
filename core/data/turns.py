"""Conversations, however they are spelt, as chat messages: their roles, words, tool calls, and the tools they name."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from core.errors import InputError

FIELD = "data.path"
ROLES = {
    "user": "user", "human": "user", "prompter": "user", "customer": "user", "client": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant",
    "ai": "assistant", "agent": "assistant",
    "function_call": "assistant", "tool_call": "assistant", "tool_calls": "assistant",
    "system": "system", "developer": "system",
    "tool": "tool", "function": "tool", "observation": "tool", "ipython": "tool", "function_response": "tool",
    "tool_response": "tool", "tool_result": "tool",
}  # fmt: skip
CALLS = ("function_call", "tool_call", "tool_calls")  # speakers whose words are calls, as JSON
Message = dict[str, Any]
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPEAKER = re.compile(r"\n\n(Human|Assistant):")


def as_text(value: Any) -> str:
    """A value as it stands in a text: text as it is, nothing for a missing value, JSON for all others.

    Half a character (a lone surrogate, which no tokenizer takes) becomes the sign for what cannot be read.
    """
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def role_of(name: Any) -> str | None:
    """The role of a speaker by any of its names: user, assistant, system or tool; None where it is not known."""
    return ROLES.get(as_text(name).strip().casefold().replace(" ", "_"))


def turns_of(value: Any) -> list[Any] | None:
    """The turns that a value holds: a list, JSON text of one, or an object of equally long lists; None: no list."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if isinstance(value, dict) and value and all(isinstance(v, list) for v in value.values()):
        if len({len(v) for v in value.values()}) == 1:  # how Parquet files of older data sets keep lists of objects
            return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    return value if isinstance(value, list) else None


def conversation(value: Any, column: str, role: str, content: str) -> list[Message]:
    """A conversation as chat messages, one for each turn.

    Each has "role" (system, user, assistant, tool) and "content", a text. An assistant's that calls tools has
    "tool_calls": [{"type": "function", "function": {"name", "arguments"}, "id"?}, ...], where the arguments are an
    object unless they are no JSON; one that is not to be learned has "weight": 0. A tool's may have "name" and
    "tool_call_id".

    Args:
        value: of the row: see `turns_of`.
        column: its name, for errors.
        role, content: keys of a turn: who speaks, and the words.

    Raises:
        InputError: no conversation, a role that is not known, or a turn that holds something else than text.
    """
    turns = turns_of(value)
    if not turns:
        raise InputError(f"{column!r} holds no list of turns.", FIELD)
    return [_message(turn, number, role, content) for number, turn in enumerate(turns, 1)]


def _message(turn: Any, number: int, role: str, content: str) -> Message:
    if not isinstance(turn, dict) or role not in turn:
        raise InputError(f"turn {number} has no {role!r}.", FIELD)
    speaker = role_of(turn[role])
    if speaker is None:
        raise InputError(
            f"turn {number} is by {as_text(turn[role])!r}, a role that is not known: {', '.join(ROLES)}.", FIELD
        )
    message: Message = {"role": speaker, "content": _words(turn.get(content))}
    if speaker == "assistant":
        calls = _calls(turn.get("tool_calls")) or _calls(turn.get("function_call"))
        if not calls and as_text(turn[role]).strip().casefold() in CALLS and (calls := _calls(message["content"])):
            message["content"] = ""
        if calls:
            message["tool_calls"] = calls
        if turn.get("weight") in (0, "0"):
            message["weight"] = 0
    if speaker == "tool":
        message |= {key: turn[key] for key in ("name", "tool_call_id") if isinstance(turn.get(key), str)}
    return message


def _words(value: Any) -> str:
    """A turn's words: text, or a list of blocks of which the text ones are joined."""
    if isinstance(value, list) and all(isinstance(b, dict) for b in value):
        odd = next((str(b.get("type")) for b in value if "text" not in b), None)
        if odd is not None:
            raise InputError(f"a turn holds a block of type {odd!r}: only text can be trained on.", FIELD)
        return "\n".join(as_text(b["text"]) for b in value)
    return as_text(value)


def _calls(value: Any) -> list[Message]:
    """Tool calls in the shape of OpenAI's, from that shape, from {"name", "arguments"}, or from JSON text of either."""
    found = []
    value = _parsed(value)
    for call in [value] if isinstance(value, dict) else value if isinstance(value, list) else []:
        call = _parsed(call)
        asked = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(asked, dict) or not isinstance(asked.get("name"), str):
            return []
        given: Any = next((asked[k] for k in ("arguments", "parameters", "args") if asked.get(k) is not None), {})
        function = {"name": asked["name"], "arguments": _parsed(given)}
        more = {"id": call["id"]} if isinstance(call.get("id"), str) else {}
        found.append({"type": "function", "function": function, **more})
    return found


def _parsed(value: Any) -> Any:
    """JSON text of an object or a list as what it says; all else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def said(message: Message) -> str:
    """All that a message says, as text: its words, then its tool calls, a JSON object {"name", "arguments"} a line."""
    calls = [as_text(call["function"]) for call in message.get("tool_calls", [])]
    return "\n".join([*([message["content"]] if message["content"].strip() or not calls else []), *calls])


def tools_of(value: Any, column: str) -> list[dict[str, Any]]:
    """The tools that a row names: [{"type": "function", "function": {"name", "description", "parameters"}}, ...].

    Args:
        value: a list of them, one of them, JSON text of either, or nothing. column: its name, for errors.

    Raises:
        InputError: it is something else.
    """
    value = _parsed(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    tools = [_parsed(tool) for tool in (value if isinstance(value, list) else [value])]
    for tool in tools:
        if not isinstance(tool, dict):
            raise InputError(
                f"{column!r} holds {as_text(tool)[:40]!r} where a tool as a JSON object is expected.", FIELD
            )
    return [tool if "function" in tool else {"type": "function", "function": tool} for tool in tools]


def dialogue(text: str) -> list[Message] | None:
    """The turns of a text that has "Human:" and "Assistant:" in front of each; None where it is no such text."""
    if not re.match(r"\s*Human:", text):
        return None
    _, *pieces = _SPEAKER.split("\n\n" + text.lstrip())
    return [
        {"role": "user" if speaker == "Human" else "assistant", "content": words.strip()}
        for speaker, words in zip(pieces[::2], pieces[1::2], strict=True)
    ]


def is_answer(message: Message) -> bool:
    """Whether the assistant speaks, and is to be learned from: OpenAI's format says `"weight": 0` where it is not."""
    return message["role"] == "assistant" and message.get("weight", 1) != 0


def last_answer(messages: Sequence[Message]) -> int | None:
    """The place of the assistant's last turn that is to be learned, or None."""
    return max((i for i, m in enumerate(messages) if is_answer(m)), default=None)
