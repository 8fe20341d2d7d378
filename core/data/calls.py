"""Tool calls and tools, however they are spelt, in the shape of OpenAI's."""

from __future__ import annotations

import json
from typing import Any

from core.data.json_words import several, words
from core.data.values import as_text, decoded, is_empty, parsed, without_nulls
from core.errors import InputError

FIELD = "data.path"
ARGUMENTS = ("arguments", "parameters", "args", "input")
KNOWN = ("type", "id", "function", "name", *ARGUMENTS)  # keys of a call that are read
_TYPES = ("OBJECT", "ARRAY", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "NULL")
# Members of a schema for which null is a value.
_NULLABLE = ("default", "const")


def calls_of(value: Any) -> list[dict[str, Any]]:
    """Calls as [{"type": "function", "function": {"name", "arguments"}, "id"?}, ...], the arguments an object.

    Args:
        value: calls in OpenAI's shape, {"name", "arguments"}, or JSON text of either: one, a list of them, or objects
            one after the other; or nothing. What a table filled in with nulls is no call.

    Raises:
        InputError: a call without a name, or with arguments that are no JSON.
    """
    value = parsed(value)
    if isinstance(value, str) and value.strip():
        value = several(value) or value
    return [_call(parsed(call)) for call in (value if isinstance(value, list) else [value]) if not is_empty(call)]


def calls_under(keys: tuple[str, ...], turn: dict[str, Any], held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls of a turn, under any of its keys or in its blocks.

    Args:
        held: those in its blocks.

    Raises:
        InputError: a call that cannot be read, or other calls in one place than in another.
    """
    found = [*(calls_of(turn.get(key)) for key in keys), held]
    most = max(found, key=len)
    asked = [call["function"] for call in most]
    if any(call["function"] not in asked for calls in found for call in calls):
        raise InputError("it holds calls of tools in two places, and they differ: which are meant is not known.", FIELD)
    return most


def _call(call: Any) -> dict[str, Any]:
    if isinstance(call, str):
        try:
            json.loads(call)
        except json.JSONDecodeError as error:
            raise InputError(f"a call of a tool is no JSON: {words(error)}, in {as_text(call)[:80]}.", FIELD) from None
    asked = parsed(call.get("function") or call) if isinstance(call, dict) else None
    if not isinstance(asked, dict) or not isinstance(name := asked.get("name"), str) or not name.strip():
        raise InputError(f"a call of a tool has no name: {as_text(call)[:80]}.", FIELD)
    sets = [parsed(held[k]) for held in (asked, call) for k in ARGUMENTS if isinstance(held, dict) and held.get(k)]
    sets = [given for given in sets if given not in ({}, [], "{}", "[]")]
    given: Any = sets[0] if sets else next((asked[k] for k in ARGUMENTS if asked.get(k) is not None), {})
    if any(other != given for other in sets):
        raise InputError(f"a call of {name!r} has two sets of arguments that differ: {as_text(call)[:80]}.", FIELD)
    more = {"id": call["id"]} if isinstance(call.get("id"), str) else {}
    return {"type": "function", "function": {"name": name, "arguments": _arguments(given, name)}, **more}


def _arguments(given: Any, name: str) -> Any:
    """The arguments of a call: an object, or a list."""
    value = given
    while isinstance(value, str):  # some are JSON text of JSON text
        if not value.strip():
            return {}
        try:
            value = decoded(value)
        except json.JSONDecodeError as error:
            reason = words(error)
            raise InputError(
                f"the arguments of a call of {name!r} are no JSON: {reason}, in {as_text(given)[:80]}.", FIELD
            ) from None
        except (ValueError, RecursionError):
            raise InputError(f"the arguments of a call of {name!r} are no JSON that can be read.", FIELD) from None
    if value is None:
        return {}
    if not isinstance(value, dict | list):
        raise InputError(
            f"the arguments of a call of {name!r} are no object with named values: {as_text(given)[:80]}.", FIELD
        )
    return value or {}


def tools_of(value: Any, column: str) -> list[dict[str, Any]]:
    """The tools that a row names: [{"type": "function", "function": {"name", "description", "parameters"}}, ...].

    Null members of a schema say nothing (a table filled them in), but for "default" and "const".

    Args:
        value: a list of them, one of them, JSON text of either, or nothing. column: its name, for errors.

    Raises:
        InputError: it is something else, or a tool has no name.
    """
    value = parsed(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    tools = [parsed(tool) for tool in (value if isinstance(value, list) else [value]) if tool is not None]
    for tool in tools:
        if not isinstance(tool, dict):
            raise InputError(
                f"{column!r} holds {as_text(tool)[:40]!r} where a tool as a JSON object is expected.", FIELD
            )
    made = [each for tool in tools for each in _declared(without_nulls(tool, _NULLABLE))]
    for tool in made:
        named = tool.get("function", tool)
        if not isinstance(named, dict) or not isinstance(name := named.get("name"), str) or not name.strip():
            raise InputError(f"{column!r} holds a tool without a name: {as_text(tool)[:80]}.", FIELD)
    return [tool if "function" in tool else {"type": "function", "function": tool} for tool in made]


def _declared(tool: dict[str, Any]) -> list[dict[str, Any]]:
    """The tools of an object that is one, or that declares several, as Gemini's do."""
    for key in ("functionDeclarations", "function_declarations"):
        if isinstance(declared := tool.get(key), list):
            return [_lower(each) for each in declared if isinstance(each, dict)]
    return [tool]


def _lower(schema: Any) -> Any:
    """A schema whose types are in small letters, as JSON Schema's are; Gemini's are in capitals."""
    if isinstance(schema, list):
        return [_lower(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        k: v.lower() if k == "type" and isinstance(v, str) and v in _TYPES else _lower(v) for k, v in schema.items()
    }
