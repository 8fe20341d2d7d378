"""Images, audio and video in rows, however they are spelt: such rows are refused, since only text can be trained on."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from core.data.values import as_text, is_empty, parsed
from core.errors import InputError

_KINDS = ("image", "img", "picture", "photo", "video", "audio", "sound", "file", "document", "pdf")
BLOCKS = frozenset(
    form for kind in _KINDS for form in (kind, f"{kind}_url", f"input_{kind}", f"{kind}_file", f"output_{kind}")
)
# Keys of a turn or a block, and columns beside words that have a marker.
KEYS = frozenset(
    form
    for kind in _KINDS[:7]
    for form in (
        kind, f"{kind}s", f"{kind}_url", f"{kind}_urls", f"{kind}_path", f"{kind}_paths", f"{kind}_file",
        f"{kind}_files", f"input_{kind}", f"{kind}_bytes", f"{kind}_base64",
    )
) | {"pixel_values", "input_features"}  # fmt: skip
# Names of columns that hold what a marker in the words beside them stands for, and may else hold something else.
_COLUMNS = re.compile(
    r"(?:image|img|picture|photo|video|audio|sound|frame|screenshot|pixel)s?(?:_?\d+|_list|_data|_ids?|_names?)?"
    r"|(?:media|frame|screenshot)s?(?:_(?:path|url|file|list)s?)?",
    re.IGNORECASE,
)
MARKERS = re.compile(
    r"<(?:image|img|video|audio|picture|speech|sound)s?(?:_?\d+)?/?>|<image_soft_token>|<start_of_image>|<imagehere>"
    r"|<(?:image|video|audio)_(?:placeholder|pad|token)>|\[img\]|\[image\]"
    r"|<\|(?:image|video|audio|vision)(?:_?[a-z]*)*(?:_?\d+)?\|>",
    re.IGNORECASE,
)


def held_by(holder: Mapping[str, Any]) -> str | None:
    """The key or column of some that holds an image, audio or video; None where none does."""
    return next((name for name, value in holder.items() if is_key(name) and not is_empty(parsed(value))), None)


@functools.lru_cache(maxsize=1024)
def is_key(name: str) -> bool:
    """Whether a key of a turn or a column is named like one that holds an image, audio or video."""
    return name.strip().casefold() in KEYS


def refuse(row: Mapping[str, Any]) -> None:
    """Refuse a row that has a marker in its words for what a column beside them holds.

    A text that merely mentions <image> is none.

    Raises:
        InputError: it is such a row.
    """
    column = held_by(row) or next(
        (name for name, value in row.items() if _COLUMNS.fullmatch(name.strip()) and not is_empty(parsed(value))), None
    )
    if column is None:
        return
    found = _marker(value for name, value in row.items() if name != column)
    if found:
        raise InputError(
            f"the words hold {found}, and the column {column!r} what stands there: only text can be trained on.",
            "data.path",
        )


def _marker(values: Iterable[Any]) -> str:
    for value in values:
        if not is_empty(value) and (found := MARKERS.search(as_text(value))):
            return found.group()
    return ""
