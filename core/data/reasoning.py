"""Reasoning in front of an answer: the keys that hold it, the tags around it in a text, and an answer without it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.data.values import is_empty

KEY = "reasoning_content"  # of a message of ours
KEYS = (KEY, "reasoning", "thinking", "thought", "thoughts")  # of a turn; a chat template reads one of them
READ = (*KEYS, "reasoning_details")
HIDDEN = ("redacted_thinking", "reasoning.encrypted")  # types of blocks of a model that does not show it
_WORDS = ("text", "content", "value", "thinking", "reasoning", "reasoning_content", "thought", "think", "summary")
_TAG = r"(?P<tag>think|thinking|thought|reasoning)"
_TAGGED = re.compile(rf"\s*<{_TAG}>(?P<reasoning>.*?)</(?P=tag)>\s*", re.DOTALL)
# Behind a prompt that opens the tag; text in which it is opened later is something else.
_CLOSED = re.compile(r"(?P<reasoning>(?:(?!<think(?:ing)?>).)*?)</think(?:ing)?>\s*", re.DOTALL)
_CHANNELS = re.compile(
    r"\s*(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>(?P<reasoning>.*?)<\|end\|>\s*"
    r"(?:<\|start\|>assistant)?<\|channel\|>final<\|message\|>",
    re.DOTALL,
)
_CHANNEL_END = re.compile(r"(?:<\|return\|>|<\|end\|>)\s*$")
_OPEN = re.compile(rf"<{_TAG}>\s*$")
_AT_END = re.compile(rf"<{_TAG}>\s*(?:</(?P=tag)>\s*)?$")
_EMPTY = re.compile(rf"\s*<{_TAG}>(?P<inside>\s*)</(?P=tag)>")


def reasoning_of(turn: Mapping[str, Any]) -> tuple[str, str]:
    """The reasoning that a turn has under a key of its own, as (key, text); ("", "") where it has none.

    It is a text, a block or an object with one, or a list of these. What cannot be read as a whole is none.
    """
    for key in READ:
        words = _words(turn.get(key))
        if words:
            return key, "\n".join(words)
    return "", ""


def _words(value: Any) -> list[str] | None:
    """The texts of reasoning; None where something in it is not known."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, list):
        found = [_words(inner) for inner in value]
        return None if None in found else [text for words in found for text in words or ()]
    if not isinstance(value, dict):
        return None if value is not None else []
    if value.get("type") in HIDDEN:
        return []
    held = next((value[key] for key in _WORDS if not is_empty(value.get(key))), None)
    return _words(held) if held is not None or is_empty(value) else None


def split(text: str) -> tuple[str, str] | None:
    """A text that begins with reasoning between tags, as (reasoning, what follows); None where it does not."""
    if "</" not in text and "<|channel|>" not in text:
        return None
    if found := _CHANNELS.match(text):
        return found["reasoning"].strip(), _CHANNEL_END.sub("", text[found.end() :])
    found = _TAGGED.match(text) or _CLOSED.match(text)
    return (found["reasoning"].strip(), text[found.end() :]) if found else None


def answer_of(text: str) -> str:
    """What is answered in what a model wrote: without the reasoning in front; "" where that never came to its end."""
    if found := split(text):
        return found[1].strip()
    return "" if re.match(rf"\s*<{_TAG}>", text) else text.strip()


def opened(prompt: str) -> re.Match[str] | None:
    """The tag at the end of a generation prompt that opens the reasoning."""
    return _OPEN.search(prompt)


def block_at_end(prompt: str) -> re.Match[str] | None:
    """The tag at the end of a generation prompt that opens the reasoning, closed again or not."""
    return _AT_END.search(prompt)


def closed(text: str) -> re.Match[str] | None:
    """The tag with which a text begins, behind a prompt that opens the reasoning, where it has none."""
    return re.match(rf"\s*</{_TAG}>", text)


def empty_block(text: str) -> re.Match[str] | None:
    """The empty block of reasoning with which a text begins."""
    return _EMPTY.match(text)


def without_empty_block(text: str) -> str:
    """An answer without the block that says there is no reasoning, or its end behind a prompt that opens one."""
    found = (empty_block(text) or closed(text)) if "</" in text else None
    return text[found.end() :] if found else text
