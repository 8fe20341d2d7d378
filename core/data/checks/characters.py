"""Letters read in a wrong encoding, and characters that nobody sees: how both are found and mended in a text."""

from __future__ import annotations

import re

LOST = "\ufffd"  # what a decoder writes in place of a byte that it cannot read
# C0 and C1 controls but tab and line ends, and format characters that have no width.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_UNSEEN_BYTES = bytes({*range(32), 127} - {*b"\t\n\r"})
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# What ftfy's own, much slower test of a text finds has one of these in it.
_PERHAPS_GARBLED = re.compile(r"[^\x00-\x7f]{2}|[\x80-\x9fŒœÂÃ]")
_LINE_ENDS = "\x0b\x0c\x85"
_DIRECTION = (
    "\u061c\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069"  # of use in right-to-left text; 202d, 202e not
)
_FLAG = "\U0001f3f4"


def unseen(text: str) -> bool:
    """Whether a text holds what `strip_control` takes out; quick where it is ASCII."""
    return (
        count_unseen(text) > 0 if text.isascii() else _UNSEEN.search(text) is not None and strip_control(text) != text
    )


def count_unseen(text: str) -> int:
    """How many control characters an ASCII text holds."""
    raw = text.encode()
    return len(raw) - len(raw.translate(None, _UNSEEN_BYTES))


def strip_control(text: str) -> str:
    """The text without control characters and without characters of no width; page breaks become line ends.

    What writing needs stays: joiners inside of emoji and of Arabic, Persian and Indic words, spaces of no width between
    Thai, Lao, Burmese and Khmer words, marks of direction in right-to-left text, and tags in flags.
    """
    if not _UNSEEN.search(text):
        return text
    to_left = _RIGHT_TO_LEFT.search(text) is not None
    return _UNSEEN.sub(lambda match: _kept(match, to_left), text)


def _kept(match: re.Match[str], to_left: bool) -> str:
    """What stays of an unseen character, in a text that is written to the left or is not."""
    char, text, at = match.group(), match.string, match.start()
    if char in _LINE_ENDS:
        return "\n"
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if char in "\u200c\u200d" and (_joins(before) or (char == "\u200d" and _emoji(before) and _emoji(after))):
        return char
    if char == "\u200b" and (_unspaced(before) or _unspaced(after)):
        return char
    if to_left and char in _DIRECTION:
        return char
    return char if "\U000e0020" <= char and _FLAG in text[max(0, at - 7) : at] else ""


def _joins(char: str) -> bool:
    """Whether a letter is of a script in which joiners are part of the spelling."""
    return "\u0600" <= char <= "\u109f" or "\u1780" <= char <= "\u18af" or "\ufb50" <= char <= "\ufefc"


def _emoji(char: str) -> bool:
    return "\U0001f000" <= char <= "\U0001faff" or "\u2190" <= char <= "\u2bff" or char == "\ufe0f"


def _unspaced(char: str) -> bool:
    """Whether a letter is of a script that writes no spaces between words."""
    return "\u0e00" <= char <= "\u109f" or "\u1780" <= char <= "\u17ff"


def visibly(text: str) -> str:
    """The place of a text that holds such a character, with its number in its place: "pass[U+200B]word"."""
    match = _UNSEEN.search(text)
    at = match.start() if match else 0
    return _UNSEEN.sub(lambda m: f"[U+{ord(m.group()):04X}]", text[max(0, at - 30) : at + 30])


def fix_encoding(text: str) -> str:
    """The text with mojibake such as "Ã©" turned into the letters that were meant, where that is certain."""
    if text.isascii() or not _PERHAPS_GARBLED.search(text):
        return text
    import ftfy

    return str(ftfy.fix_encoding(text))


def change(text: str, mended: str) -> str:
    """Where a text was mended, before and after: "cafÃ© -> café"."""
    at = next((i for i, (a, b) in enumerate(zip(text, mended, strict=False)) if a != b), min(len(text), len(mended)))
    start = max(text.rfind(" ", 0, at) + 1, at - 20)
    tail = next((i for i in range(at, min(len(text), at + 20)) if text[i].isspace()), min(len(text), at + 20))
    ending = text[tail:]
    stop = len(mended) - len(ending) if ending and mended.endswith(ending) else min(len(mended), at + 20)
    return f"{text[start:tail]} → {mended[start:stop]}"
