"""What is wrong with a text that is nearly JSON, in words; and names that stand twice in an object."""

from __future__ import annotations

import json
import re
from typing import Any

_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]', re.DOTALL)
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
# Words of other languages, and how JSON has them.
_FOREIGN = {"True": "true", "False": "false", "None": "null", "undefined": "null", "nil": "null", "nan": "null"}


def words(error: json.JSONDecodeError) -> str:
    """What is wrong, and the remedy, where JSON's own reader stopped."""
    rest = error.doc[error.pos :]
    found, word = rest[:1], _WORD.match(rest)
    named = word[0] if word else ""
    if not found:
        return "it ends too early"
    if rest.startswith(("//", "/*", "#")):
        return "there is a comment, which JSON does not have; remove it"
    if found == "'":
        return "there are single quotes, as Python writes them; write the rows with json.dump"
    if found in "“”„‟«»‘’":
        return f"there is the quotation mark {found}, as word processors make it; write straight ones"
    if found in "}]" and error.doc[: error.pos].rstrip().endswith(","):
        return f"there is a comma too many before {found}"
    if error.msg == "Expecting value" and named in _FOREIGN:
        return f"there is {named}, which JSON writes as {_FOREIGN[named]}"
    if error.msg.startswith("Unterminated string"):
        return "a text is opened with a quotation mark and never closed"
    if error.msg.startswith("Expecting property name"):
        return f"the name {named} needs double quotes" if named else "a name in double quotes is missing"
    said = {
        "Expecting value": f"a value is missing before {found!r}",
        "Expecting ',' delimiter": f"a comma is missing before {found!r}",
        "Expecting ':' delimiter": f"a colon is missing before {found!r}",
        "Illegal trailing comma before end of object": "there is a comma too many before }",
        "Illegal trailing comma before end of array": "there is a comma too many before ]",
        "Extra data": f"something follows the end of the object: {found!r}",
        "Invalid control character at": "there is a raw line break or control character inside a text; write \\n",
        "Invalid \\escape": "a backslash stands before a letter that it does not go with; write it twice",
        "Invalid \\uXXXX escape": "after \\u there must be four digits from 0 to f; write a backslash twice",
    }
    return said.get(error.msg.removesuffix(": "), error.msg[:1].lower() + error.msg[1:])


class Twice(Exception):  # noqa: N818 - it is caught at once and never shown
    """A name stands twice in one object."""


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For json.loads(object_pairs_hook=once): the object, or Twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Twice
    return made


def twice(text: str) -> tuple[str, int] | None:
    """The first name of JSON text that stands twice in its object, and its line, from 1; None where there is none."""
    names: list[set[str] | None] = []  # of the objects that are open; None for a list
    last = ""
    for part in _PARTS.finditer(text):
        match part[0]:
            case "{":
                names.append(set())
            case "[":
                names.append(None)
            case "}" | "]":
                if names:
                    names.pop()
            case ":" if names and names[-1] is not None and last:
                name = json.loads(last, strict=False)
                if name in names[-1]:
                    return name, text.count("\n", 0, part.start()) + 1
                names[-1].add(name)
        last = part[0] if part[0].startswith('"') else ""
    return None


def several(text: str) -> list[Any] | None:
    """The objects of a text that holds nothing but objects one after the other; None for anything else.

    A comma between them does no harm. A name that stands twice in one of them makes it None, too.
    """
    decoder, place, found = json.JSONDecoder(object_pairs_hook=once), 0, []
    between = re.compile(r"[\s,\x1e]*")
    while (place := between.match(text, place).end()) < len(text):  # type: ignore[union-attr]
        if text[place] != "{":
            return None
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError, Twice):
            return None
        found.append(value)
    return found
