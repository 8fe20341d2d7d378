"""Rows that hold no words to read: token ids, Python's own notation, segments with a mask. Refused, with the remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from core.data.column_names import TAGS, TALKS, TOKENISED, TOKENS, TOOLS
from core.data.formats import Layout
from core.data.recognise import Look, folded
from core.data.unfold import are_segments
from core.data.values import parsed
from core.errors import InputError

FIELD = "data.path"
IDS = ("input_ids", "token_ids", "inputs_ids", "prompt_ids", "labels_ids", "decoder_input_ids", "completion_ids")
_LIST_OF_NUMBERS = re.compile(r"\s*[\[(]?\s*-?\d+(?:[\s,]+-?\d+)+\s*[\])]?\s*")
# What str() makes of objects, of lists of texts, and of arrays of either, which have no commas.
_OBJECTS = re.compile(r"\s*(?:\[|array\(\[)?\s*\{\s*(?:'[^'\n]*'|\"[^\"\n]*\")\s*:")
_MORE = re.compile(  # and of lists of tuples, of sets, and of ordered dicts
    r"\s*(?:\[\s*\(\s*(?:'[^'\n]*'|\"[^\"\n]*\")\s*,|\{\s*'[^'\n]*'\s*[,}]|(?:OrderedDict|defaultdict)\(|"
    r"\[\s*OrderedDict\()"
)
_TEXTS = re.compile(r"\s*(?:\[|array\(\[|\(|\{)\s*(?:'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")\s*[,\])}\s]")
_SHARE = 0.9  # of a column's values
_FEW = 0.1  # of a column's values, below which those in Python's notation are left to the doctor


def check_readable(layout: Layout, columns: Sequence[str], sample: Sequence[dict[str, Any]]) -> None:
    """Refuse rows that would be read as words and are none.

    Args:
        layout: as recognised or set. columns: of the rows. sample: some of them.

    Raises:
        InputError: field "data.path"; token ids, Python's notation of lists and objects, or segments with a mask, in a
            column that the layout reads.
    """
    look = Look(columns, list(sample))
    _segments(look)
    read = [c for c in dict.fromkeys(layout.roles.values()) if c in columns]
    for column in read:
        values = [v for row in look.rows if (v := row.get(column)) not in (None, "", [])]
        if not values:
            continue
        if _most(values, _are_ids) and (folded(column) in IDS or all(_of_ids(look, c) for c in read)):
            column = look.named(IDS) or column
            values = [v for row in look.rows if (v := row.get(column)) not in (None, "", [])] or values
            made = {c for c in columns if folded(c) in (*IDS, *TOKENISED) or _of_ids(look, c)}
            others = [c for c in columns if c not in read and c not in made and look.length(c) > 0]
            hint = f"choose the column of the text ({', '.join(map(repr, others[:4]))})" if others else "give the text"
            raise InputError(
                f"{column!r} holds token ids, such as {_short(values[0])}, and no text. They are of some tokenizer, "
                f"which need not be this model's, and are not learned as numbers: {hint}, and it is tokenised here.",
                FIELD,
            )
        if _most(values, _twice_json):
            raise InputError(
                f"{column!r} holds JSON text within JSON text, such as {_short(values[0])}: it was written twice. Put "
                "json.loads around the column once, and save it again.",
                FIELD,
            )
        if _python(column, values, layout):
            raise InputError(
                f"{column!r} holds lists or objects in Python's notation, such as {_short(_odd(values))}, which is "
                "what DataFrame.to_csv and str() make of them, and no JSON. Save the rows as JSON Lines or Parquet "
                "(df.to_json('rows.jsonl', orient='records', lines=True)), or put json.dumps around the column.",
                FIELD,
            )


def lists_as_text(values: Sequence[Any]) -> bool:
    """Whether nearly all of these are texts of lists as Python writes them."""
    return _most(values, lambda v: _texts(v) and v.lstrip()[:1] in "[a")


def _python(column: str, values: Sequence[Any], layout: Layout) -> bool:
    """Whether a column holds Python's notation of objects; or of lists of words, where its name asks for lists.

    Lists of words in a column of another name may be what is to be learned.
    """
    listed = folded(column) in (*TALKS, *TOKENS, *TAGS, *TOOLS) or layout.name == "tokens_tags"
    objects = sum(map(python_objects, values))
    if objects >= max(1, _FEW * len(values)) and _most(values, lambda v: python_objects(v) or _is_nested(v)):
        return True
    return listed and _most(values, lambda v: python_objects(v) or _texts(v))


def _odd(values: Sequence[Any]) -> Any:
    """The first of these in Python's notation."""
    return next((v for v in values if python_objects(v) or _texts(v)), values[0])


def python_objects(value: Any) -> bool:
    """A text that is an object, a set, or a list of objects or tuples, in Python's notation."""
    if not isinstance(value, str) or not (_OBJECTS.match(value) or _MORE.match(value)):
        return False
    return _ends(value) and not _is_json(value)


def _texts(value: Any) -> bool:
    """A text that is a list of texts in Python's notation."""
    return isinstance(value, str) and bool(_TEXTS.match(value)) and _ends(value) and not _is_json(value)


def _ends(value: str) -> bool:
    """Whether a text ends as a list or an object does."""
    text = re.sub(r",?\s*dtype=\w+\s*\)$", ")", value.strip())
    return text[-1:] in ("]", "}", ")")


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _is_nested(value: Any) -> bool:
    """A list or an object, or JSON text of one."""
    return isinstance(parsed(value), list | dict)


def _twice_json(value: Any) -> bool:
    """JSON text of JSON text of a list or an object."""
    if not isinstance(value, str) or not re.match(r'\s*"\s*[\[{]', value):
        return False
    try:
        return _is_nested(json.loads(value))
    except (ValueError, RecursionError):
        return False


def _most(values: Sequence[Any], is_one: Callable[[Any], bool]) -> bool:
    return bool(values) and sum(is_one(v) for v in values) >= _SHARE * len(values)


def _are_ids(value: Any) -> bool:
    """Whether this is a list of whole numbers, or a text of one."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(v, int) and not isinstance(v, bool) for v in value)
    return isinstance(value, str) and bool(_LIST_OF_NUMBERS.fullmatch(value))


def _of_ids(look: Look, column: str) -> bool:
    return _most([v for row in look.rows if (v := row.get(column)) not in (None, "", [])], _are_ids)


def _segments(look: Look) -> None:
    """Refuse segments of text that say each whether it is learned: axolotl's input_output."""
    for column in look.columns:
        values = [v for row in look.rows if isinstance(v := row.get(column), list) and v]
        if not _most(values, lambda v, column=column: are_segments(column, v)):  # type: ignore[misc]
            continue
        raise InputError(
            f"{column!r} holds segments of finished text that say each whether it is learned (label), with special "
            "tokens written out, and no question and answer: a template would be put around them. Give the rows as "
            "turns (messages), in which a turn that is not to be learned has weight 0, or as prompt and completion.",
            FIELD,
        )


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 48 else text[:47] + "…"
