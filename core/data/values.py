"""A value of a row: as it stands in a text, as what its JSON text says, without the nulls that a table filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Container
from typing import Any

_JSON = json.JSONDecoder(parse_constant=lambda name: None if name == "NaN" else float(name))
_SURROGATE = re.compile("[\ud800-\udfff]")


def whole(text: str) -> str:
    r"""Text that UTF-8 can hold: half of a surrogate pair (JSON's "\ud83d") becomes U+FFFD, two halves a character."""
    if _SURROGATE.search(text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def as_text(value: Any) -> str:
    """A value as it stands in a text: text as it is, nothing for a missing value, JSON for all others.

    Half a character (a lone surrogate, which no tokenizer takes) becomes U+FFFD.
    """
    if value is None:
        return ""
    return whole(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def decoded(text: str) -> Any:
    """What JSON text says, with NaN, a missing value of pandas that JSON does not have, as null.

    Raises:
        ValueError, RecursionError: it is no JSON.
    """
    return _JSON.decode(text)


def parsed(value: Any) -> Any:
    """JSON text of an object or a list as what it says; all else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return decoded(value)
        except (ValueError, RecursionError):
            return value
    return value


def is_empty(value: Any) -> bool:
    """Whether a value says nothing: null, an empty text or list, or an object of nothing but these."""
    if isinstance(value, dict):
        return all(map(is_empty, value.values()))
    if isinstance(value, list):
        return all(map(is_empty, value))
    return value is None or value == ""


def without_nulls(value: Any, keep: Container[str] = ()) -> Any:
    """A value without null members of objects, at any depth, but for keys in `keep`; nulls in lists stay."""
    if isinstance(value, dict):
        return {k: without_nulls(v, keep) for k, v in value.items() if v is not None or k in keep}
    return [without_nulls(v, keep) for v in value] if isinstance(value, list) else value
