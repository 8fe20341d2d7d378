"""What a turn holds where it is no plain text: blocks of text, reasoning, calls and results, however they are spelt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from core.data.calls import calls_of
from core.data.marks import MARKS, is_muted
from core.data.media import BLOCKS, held_by
from core.data.reasoning import HIDDEN
from core.data.values import as_text, is_empty
from core.errors import InputError

FIELD = "data.path"
TEXTS = ("text", "value", "content", "output_text", "input_text", "refusal")  # keys of a block that hold its text
_UNTYPED = frozenset((*TEXTS, "type", "id", *MARKS))  # of an object that is a block, whatever its type
_PARTED = frozenset(("parts", "content_type", "type", "role", "id"))
_TEXTUAL = ("text", "input_text", "output_text", "refusal")  # types of a block
_REASONING = ("thinking", "reasoning", "reasoning_content", "thought", "think")
_CALLS = ("tool_call", "tool_calls", "tool_use", "function_call", "function")
_RESULTS = ("tool_result", "tool_response", "function_call_output", "function_response")

_OF_CALL = ("tool_use_id", "tool_call_id", "call_id")
_GEMINI = {  # whose parts have no type
    "media": ("inlineData", "inline_data", "fileData", "file_data"),
    "call": ("functionCall", "function_call"),
    "result": ("functionResponse", "function_response"),
}


@dataclass
class Content:
    """What a turn holds.

    Attributes:
        texts: its words, a block each. reasoning: likewise. calls: see `calls.calls_of`.
        results: of tools: (words, id of the call or None).
        muted: of each block that is text, reasoning or a call, whether it is marked as not to be learned.
    """

    texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    results: list[tuple[str, str | None]] = field(default_factory=list)
    muted: list[bool] = field(default_factory=list)

    @property
    def words(self) -> str:
        """Its words in one text."""
        return "\n".join(self.texts)


def content_of(value: Any, data: bool = False) -> Content:
    """What a turn's value holds: text, one block, or a list of blocks and texts; other values are text as JSON.

    Args:
        data: whether a list of objects may be a result as JSON rather than blocks, as what a tool says is.

    Raises:
        InputError: a block of something else than text, a call that cannot be read.
    """
    made = Content()
    if not data and isinstance(value, dict) and value.get("parts") and value.keys() <= _PARTED:
        return content_of(value["parts"])
    if not _is_blocks(value, data):
        made.texts.append(as_text(value))
        return made
    for block in value if isinstance(value, list) else [value]:
        if isinstance(block, str):
            made.texts.append(as_text(block))
            made.muted.append(False)
        elif not is_empty(block):
            _read(block, made)
    return made


def _is_blocks(value: Any, data: bool) -> bool:
    if isinstance(value, dict):
        return not data and (_is_typed(value) or (bool(value) and value.keys() <= _UNTYPED and _says(value)))
    if not isinstance(value, list):
        return False
    if data:
        return bool(value) and all(isinstance(b, dict) and _is_typed(b) for b in value)
    return all(isinstance(b, dict | str) or b is None for b in value)


def _says(block: dict[str, Any]) -> bool:
    """Whether an object of these keys holds words, and no number or list that is an answer as JSON."""
    return isinstance(_first(block, TEXTS), str) and any(key in block for key in TEXTS)


def _is_typed(block: dict[str, Any]) -> bool:
    """Whether an object says by its type that it is a block, and no value that happens to be an object."""
    named = as_text(block.get("type")).strip().casefold()
    return named in BLOCKS or any(named in names for names in (_TEXTUAL, _REASONING, HIDDEN, _CALLS, _RESULTS))


def _kind(block: dict[str, Any]) -> str:
    """Of what kind a block is: text, reasoning, hidden, call, result, media or other."""
    named = as_text(block.get("type")).strip().casefold()
    if named in BLOCKS or held_by(block) or any(block.get(key) for key in _GEMINI["media"]):
        return "media"
    if block.get("thought") is True:
        return "reasoning"
    if found := next((kind for kind, keys in _GEMINI.items() if any(block.get(key) for key in keys)), ""):
        return found
    for kind, names in (("reasoning", _REASONING), ("hidden", HIDDEN), ("call", _CALLS), ("result", _RESULTS)):
        if named in names:
            return kind
    if any(key in block for key in TEXTS):
        return "text"
    return "reasoning" if not named and any(key in block for key in _REASONING) else "other"


def _read(block: dict[str, Any], made: Content) -> None:
    kind = _kind(block)
    if kind in ("media", "other"):
        name = block.get("type") or held_by(block)
        raise InputError(f"it holds a block of type {as_text(name)!r}: only text can be trained on.", FIELD)
    if kind == "hidden":
        return
    if kind == "result":
        block = _first(block, _GEMINI["result"]) or block
        said = content_of(_first(block, ("content", "output", "response", *TEXTS)), data=True)
        asked = _first(block, (*_OF_CALL, "id"))
        made.results.append((said.words, asked if isinstance(asked, str) else None))
        return
    if kind == "call":
        held = _first(block, ("function", "functionCall", *_CALLS, "value", "content"))
        made.calls += calls_of(held if isinstance(held, str | list) else {**block, "function": held})
    elif kind == "reasoning":
        held = {key: value for key, value in block.items() if value is not True}  # "thought": true is a mark
        made.reasoning.append("\n".join(_texts(held, (*_REASONING, *TEXTS, "summary"))))
    else:
        texts = ["\n".join(_texts(block[key], TEXTS)) for key in TEXTS if not is_empty(block.get(key))]
        if len(set(texts)) > 1:
            raise InputError(f"one of its blocks holds two texts that differ: {as_text(block)[:80]}.", FIELD)
        made.texts.append(texts[0] if texts else "")
    made.muted.append(is_muted(block))


def _first(block: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """The value of the first of some keys that has any; None where none has."""
    return next((block[key] for key in keys if not is_empty(block.get(key))), None)


def _texts(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """The text of a block: under the first of the keys that holds any; it may be in objects and lists again."""
    if isinstance(value, dict):
        yield from _texts(_first(value, keys), keys)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, keys)
    elif value is not None:
        yield as_text(value)


def unused(block: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The keys of a block that are not read, each with its value; none of a block that is refused."""
    kind = _kind(block)
    if kind in ("media", "other"):
        return
    known = {"type", "id", *MARKS}
    if kind == "text":
        known.update(TEXTS)
    elif kind == "reasoning":
        known.add("thought")
        known.update((*_REASONING, *TEXTS, "summary"))
    elif kind == "call":
        known.update(
            (*_CALLS, "functionCall", "value", "content", "name", "arguments", "parameters", "args", "input", "call_id")
        )
    elif kind == "result":
        known.update(
            (*TEXTS, *_GEMINI["result"], "response", "output", "tool_use_id", "tool_call_id", "call_id", "name")
        )
    for key, value in block.items():
        if key not in known and not is_empty(value):
            yield key, value
