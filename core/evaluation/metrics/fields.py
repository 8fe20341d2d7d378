"""Answers that hold fields: JSON objects, or `key = value` lines. How many fields are right, and whether it parses."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.evaluation.metrics.base import Floats, normal, share

_PAIR = re.compile(r"^\s*([^\s=:{}\[\]\"][^=:{}\[\]\"]*?)\s*(?:=|:(?=\s|$))\s*(.*?)\s*$")


def parse(text: str) -> dict[str, str] | None:
    """The fields of an answer, values as `normal` text; None if it is neither a JSON object nor all key-value pairs.

    JSON is flattened: {"a": {"b": [1, 2]}} has the fields a.b.0 and a.b.1. Pairs are written `key = value` or
    `key: value`, one a line or parted by semicolons.
    """
    return _parse_json(text) if text.lstrip().startswith("{") else _parse_pairs(text)


def is_json(text: str) -> bool:
    """Whether this is written as JSON, so that an answer to it must be, too."""
    return text.lstrip().startswith("{")


def _parse_json(text: str) -> dict[str, str] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return dict(_leaves(value, "")) if isinstance(value, dict) else None


def _leaves(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, (dict, list)) and value:
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, item in inner for leaf in _leaves(item, f"{path}.{key}" if path else str(key))]
    return [(path, _plain(value))]


def _parse_pairs(text: str) -> dict[str, str] | None:
    parts = [part for line in text.splitlines() for part in re.split(r";(?:\s|$)", line) if part.strip()]
    found = [_PAIR.match(part) for part in parts]
    if not found or not all(found):
        return None
    return {normal(match[1]): _plain(match[2]) for match in found if match}


def _plain(value: Any) -> str:
    """A value as it is compared: 9, 9.0 and "9" are one, and so are true and "true"; case counts."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = normal(text)
    if re.fullmatch(r"[+-]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", text):
        number = float(text)
        return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
    return text


def _answer(want: str, got: str) -> dict[str, str] | None:
    """The fields of an answer, in the form that its reference has: JSON is expected where the reference is JSON."""
    return parse(got) if is_json(want) == is_json(got) else None


def field_rows(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """Statistics [rows, 2]: fields that are right, fields that the reference has.

    A field is right when the answer has it with the same value. An answer that does not parse has none right; a
    reference that does not parse counts as one field, which is right when the two texts are equal.
    """
    rows = []
    for want, got in zip(references, predictions, strict=True):
        wanted = parse(want)
        if wanted is None:
            rows.append((float(normal(want) == normal(got)), 1.0))
            continue
        given = _answer(want, got) or {}
        rows.append((float(sum(given.get(key) == value for key, value in wanted.items())), float(len(wanted))))
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), 2)


def valid_rows(references: Sequence[str], predictions: Sequence[str]) -> Floats:
    """1 for each answer that parses in the form of its reference."""
    return share([_answer(want, got) is not None for want, got in zip(references, predictions, strict=True)])
