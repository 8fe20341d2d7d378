"""A training row before and after augmentation, with the words that changed marked; all text is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from core.data.altered import Marked
from core.errors import InputError
from ui.parts import say


def drawn(words: Sequence[str], pairs: Sequence[tuple[Marked, Marked]], row: int) -> str:
    """What becomes of the rows in words, and one row with its changed copies."""
    said = "".join(f'<p class="small">{escape(sentence)}</p>' for sentence in words)
    if not pairs:
        return said
    items = []
    for number, (before, after) in enumerate(pairs, 1):
        items.append(f"<dt>Copy {number}</dt><dd><p>{_marked(before, 'del')}</p><p>{_marked(after, 'ins')}</p></dd>")
    return f'{said}<p class="eyebrow">Row {row + 1:,}, before and after</p><dl class="copies">{"".join(items)}</dl>'


def _marked(text: Marked, tag: str) -> str:
    """Text with its changed stretches in `tag`."""
    out, at = [], 0
    for start, stop in text.spans:
        out += [escape(text.text[at:start]), f"<{tag}>{escape(text.text[start:stop])}</{tag}>"]
        at = stop
    return "".join([*out, escape(text.text[at:])])


def cannot(error: InputError) -> str:
    """Why there is nothing to show."""
    return say("mute", "Nothing to show yet", escape(str(error)))
