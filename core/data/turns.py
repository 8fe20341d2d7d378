"""Conversations, however they are spelt, as chat messages: their roles, words, reasoning and tool calls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from core.data.blocks import Content, content_of
from core.data.blocks import unused as unused_of_block
from core.data.calls import KNOWN, calls_of, calls_under, tools_of
from core.data.marks import MARKS, is_muted, odd_marks
from core.data.media import held_by
from core.data.reasoning import KEY, READ, reasoning_of
from core.data.values import as_text, decoded, is_empty, parsed
from core.errors import InputError

__all__ = [
    "Message", "as_text", "before_answer", "conversation", "dialogue", "is_answer", "is_blank", "last_answer",
    "learned", "role_of", "said", "tools_of", "turns_of", "unused_keys",
]  # fmt: skip

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
CALLS = ("function_call", "tool_call", "tool_calls")  # speakers whose words are calls, as JSON; keys that hold calls
Message = dict[str, Any]
_SPEAKER = re.compile(r"\n\n(Human|Assistant):")
_MORE_CALLS = ("toolCalls", "functionCall", "tool_call")
ALL_CALLS = ("tool_calls", "function_call", *_MORE_CALLS)  # keys of a turn
_TOOL_KEYS = ("name", "tool_call_id")


def role_of(name: Any) -> str | None:
    """The role of a speaker by any of its names: user, assistant, system or tool; None where it is not known."""
    return ROLES.get(as_text(name).strip().casefold().replace(" ", "_"))


def turns_of(value: Any) -> list[Any] | None:
    """The turns that a value holds: a list, JSON text of one, or an object of equally long lists; None: no list."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = decoded(value)
        except ValueError:
            return None
    if isinstance(value, dict) and value and all(isinstance(v, list) for v in value.values()):
        if len({len(v) for v in value.values()}) == 1:  # how Parquet files of older data sets keep lists of objects
            return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    return value if isinstance(value, list) else None


def conversation(value: Any, column: str, role: str, content: str) -> list[Message]:
    """A conversation as chat messages.

    Each has "role" (system, user, assistant, tool) and "content", a text. An assistant's that calls tools has
    "tool_calls": see `calls.calls_of`; one with reasoning of its own has "reasoning_content"; one that is not to be
    learned has "weight": 0. A tool's may have "name" and "tool_call_id". A turn is a message, but for one of the user
    that holds results of tools: each of these is one.

    Args:
        value: of the row: see `turns_of`.
        column: its name, for errors.
        role, content: keys of a turn: who speaks, and the words.

    Raises:
        InputError: no conversation, a role that is not known, a turn that holds something else than text, or a call
            that cannot be read.
    """
    turns = turns_of(value)
    if not turns:
        raise InputError(f"{column!r} holds no list of turns.", FIELD)
    made: list[Message] = []
    if content == "parts":  # Gemini's: who is not named is the user
        turns = [{role: "user"} | turn if isinstance(turn, dict) else turn for turn in turns]
    for number, turn in enumerate(turns, 1):
        speaker = _speaker(turn, number, role)
        try:
            made += _messages(turn, speaker, as_text(turn[role]).strip().casefold(), content)
        except InputError as error:
            raise InputError(f"turn {number}: {error}", error.field) from None
    return made


def _speaker(turn: Any, number: int, role: str) -> str:
    if not isinstance(turn, dict) or role not in turn:
        raise InputError(f"turn {number} has no {role!r}.", FIELD)
    speaker = role_of(turn[role])
    if speaker is None:
        raise InputError(
            f"turn {number} is by {as_text(turn[role])!r}, a role that is not known: {', '.join(ROLES)}.", FIELD
        )
    return speaker


def _messages(turn: dict[str, Any], speaker: str, name: str, key: str) -> list[Message]:
    """A turn as the messages that it is: one, and more only where the user hands over results of tools."""
    if medium := held_by({k: v for k, v in turn.items() if k != key}):
        raise InputError(f"it holds {medium!r}: only text can be trained on.", FIELD)
    held = content_of(turn.get(key), data=speaker == "tool")
    message: Message = {"role": speaker, "content": held.words}
    if speaker == "assistant":
        return [_answer(turn, message, held, name)]
    results = [
        {"role": "tool", "content": words} | ({"tool_call_id": asked} if asked else {}) for words, asked in held.results
    ]
    if speaker == "tool":
        if results and not message["content"]:
            message = results[-1] | {"content": "\n".join(r["content"] for r in results)}
        return [message | {k: turn[k] for k in _TOOL_KEYS if isinstance(turn.get(k), str)}]
    return [*results, *([message] if held.texts or not results else [])]


def _answer(turn: dict[str, Any], message: Message, held: Content, name: str) -> Message:
    """A message of the assistant, with its calls, its reasoning and whether it is learned."""
    calls = calls_under(_call_keys(turn), turn, held.calls)
    if not calls and name in CALLS and message["content"].lstrip()[:1] in ("[", "{"):
        calls, message["content"] = calls_of(message["content"]), ""
    if calls:
        message["tool_calls"] = calls
    thought, more = as_text(reasoning_of(turn)[1]), "\n".join(held.reasoning)
    if reasoning := thought if more.strip() in thought else more if thought in more else f"{thought}\n{more}":
        message[KEY] = reasoning
    muted = set(held.muted)
    if len(muted) > 1:
        raise InputError(
            "some of its blocks are marked as not to be learned and others not; only whole turns can be left out.",
            FIELD,
        )
    if is_muted(turn) or muted == {True}:
        message["weight"] = 0
    return message


def _call_keys(turn: dict[str, Any]) -> tuple[str, ...]:
    """The keys of a turn that hold its calls."""
    return ("tool_calls", "function_call", *(k for k in _MORE_CALLS if isinstance(parsed(turn.get(k)), dict | list)))


def said(message: Message) -> str:
    """All that a message says, as text: its words, then its tool calls, a JSON object {"name", "arguments"} a line."""
    calls = [as_text(call["function"]) for call in message.get("tool_calls", [])]
    return "\n".join([*([message["content"]] if message["content"].strip() or not calls else []), *calls])


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


def is_blank(message: Message) -> bool:
    """Whether a message says nothing: no words, no reasoning, no calls."""
    return not said(message).strip() and not message.get(KEY, "").strip()


def learned(messages: Sequence[Message]) -> list[int]:
    """The places of the assistant's turns that are to be learned: no empty one, unless all of them are."""
    asked = [i for i, m in enumerate(messages) if is_answer(m)]
    return [i for i in asked if not is_blank(messages[i])] or asked


def last_answer(messages: Sequence[Message]) -> int | None:
    """The place of the assistant's last turn that is to be learned, or None."""
    return max(learned(messages), default=None)


def before_answer(turns: Sequence[Any], column: str, role: str, content: str) -> list[Any]:
    """The turns in front of the one that is the last answer; all of them where there is none. See `conversation`."""
    if not turns:
        return []
    messages = conversation(list(turns), column, role, content)
    last = last_answer(messages)
    if last is None:
        return list(turns)
    count = sum(m["role"] == "assistant" for m in messages[:last])
    answers = [i for i, turn in enumerate(turns) if role_of(turn.get(role)) == "assistant"]
    return list(turns[: answers[count]])


def unused_keys(value: Any, role: str, content: str) -> dict[str, Any]:
    """What turns, their blocks and their calls hold and nobody reads: the path of the key -> a value of it.

    A path is such as "name", "content.cache_control" or "tool_calls.index". Keys without a value (null, an empty text,
    list or object) are none; a conversation that cannot be read has none.

    Args:
        value, role, content: see `conversation`.
    """
    found: dict[str, Any] = {}
    for turn in turns_of(value) or []:
        if isinstance(turn, dict):
            for path, held in _unused(turn, role, content):
                found.setdefault(path, held)
    return found


def _unused(turn: dict[str, Any], role: str, content: str) -> Iterator[tuple[str, Any]]:
    speaker = role_of(turn.get(role))
    known = {role, content, *(key for key in turn if key.casefold() in MARKS)}
    if speaker == "assistant":
        thought, words = reasoning_of(turn)
        known |= {*_call_keys(turn), thought}
        known |= {k for k in READ if thought and reasoning_of({k: turn.get(k)})[1].strip() == words.strip()}
        yield from _of_blocks(turn.get(thought), thought)
        yield from odd_marks(turn).items()
    elif speaker == "tool":
        known |= {k for k in _TOOL_KEYS if isinstance(turn.get(k), str)}
    for key, held in turn.items():
        if key not in known and not is_empty(held):
            yield key, held
    if speaker != "tool":
        yield from _of_blocks(turn.get(content), content)
    if speaker == "assistant":
        for name in _call_keys(turn):
            calls = parsed(turn.get(name))
            for call in calls if isinstance(calls, list) else [calls]:
                inner = parsed(call.get("function")) if isinstance(call, dict) else None
                for each in (call, inner):
                    for key, held in each.items() if isinstance(each, dict) else ():
                        if key not in KNOWN and not is_empty(held):
                            yield f"{name}.{key}", held


def _of_blocks(blocks: Any, name: str) -> Iterator[tuple[str, Any]]:
    for block in blocks if isinstance(blocks, list) else ():
        for key, held in unused_of_block(block) if isinstance(block, dict) else ():
            yield f"{name}.{key}", held
