"""The encoding of a text file: by its mark, as UTF-8 where all of it is, and else by the letters that it would hold."""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections.abc import Callable
from typing import IO

from core.data.parsers import fail

Opener = Callable[[], IO[bytes]]
CHUNK = 1 << 20
SAMPLE = 1 << 17  # bytes of lines with other letters than ASCII that are looked at
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
UNMARKED = {
    "utf-32-le": "UTF-32", "utf-32-be": "UTF-32", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16",
}  # fmt: skip
LABELS = {
    "cp1252": "Windows-1252", "latin-1": "Latin-1", "cp1250": "Windows-1250", "cp1251": "Windows-1251",
    "koi8-r": "KOI8-R", "cp1253": "Windows-1253", "cp1254": "Windows-1254", "cp1255": "Windows-1255",
    "cp1256": "Windows-1256", "cp932": "Shift-JIS",
    "gb18030": "GB18030", "cp949": "EUC-KR", "big5": "Big5", "euc-jp": "EUC-JP",
}  # fmt: skip
# The letters beyond ASCII of languages that share an encoding; their capitals count too. A tie goes to the first.
LATIN = (
    ("cp1252", "äöüß"), ("cp1252", "àâçéèêëîïôùûüÿœæ"), ("cp1252", "áéíñóúüªº"), ("cp1252", "ãáâàçéêíóôõúªº"),
    ("cp1252", "åäöæøéü"), ("cp1252", "àèéìíòóùú"), ("cp1252", "áðéíóúýþæö"), ("cp1252", "éëïöüáóèç"),
    ("cp1250", "ąćęłńóśźż"), ("cp1250", "áčďéěíňóřšťúůýž"), ("cp1250", "áäčďéíĺľňóôŕšťúýž"), ("cp1250", "áéíóöőúüű"),
    ("cp1250", "ăâîşţ"), ("cp1250", "čćđšž"), ("cp1254", "çğıöşüâîû"),
)  # fmt: skip
LATIN_SIGNS = frozenset("\xa0“”„‘’‚–—…•«»‹›€£¥§©®™°±·¿¡×")
# The commonest letters of scripts of their own: about two thirds of what stands in any text.
SCRIPTS = {
    "cp1251": "оеаинтсрвлкмді", "koi8-r": "оеаинтсрвлкмд", "cp1253": "αοιεστνηάρπκμ", "cp1255": "יוהלאמתרשבנ",
    "cp1256": "الينمتورهبعد",
}  # fmt: skip
SCRIPT_SHARE = 0.4


def find_encoding(opener: Opener, name: str) -> tuple[str, list[str]]:
    """The encoding of a text file, and notes. Reads all of it once, a megabyte at a time.

    Raises:
        InputError: field "data.path"; it is no text, or text in two encodings.
    """
    with opener() as stream:
        head = stream.read(4096)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            if not _decodes(opener, encoding, name):
                fail(f"{name} begins as {encoding.upper()} but cannot be decoded as such: the file may be damaged.")
            return encoding, [] if "8" in encoding else [f"The file is {encoding.upper()}."]
    if (encoding := _unmarked(head)) and _decodes(opener, encoding, name):
        return encoding, [f"The file is {UNMARKED[encoding]} without a mark at its beginning."]
    control = sum(b < 32 and b not in b"\t\n\r\f\x1b" for b in head)
    if control > 0.02 * len(head) and (0 in head or control > 0.1 * len(head)):
        fail(
            f"{name} is a binary file, not text: CSV, JSON, JSON Lines, Parquet, workbooks and plain text can be read."
        )
    decoder, line, good = codecs.getincrementaldecoder("utf-8")(), 1, 0
    with opener() as stream:
        while chunk := stream.read(CHUNK):
            if 0 in chunk:
                line += chunk[: chunk.index(0)].count(b"\n")
                fail(f"{name}, line {line}: there is a NUL byte, which no text has. The file may be damaged.")
            try:
                good += len(chunk) - len(decoder.decode(chunk))  # bytes after the first of a letter
            except UnicodeDecodeError as error:
                line += chunk[: max(0, error.start - len(decoder.getstate()[0]))].count(b"\n")
                _check_mixed(chunk, good, name, line)
                return _eight_bit(opener, line)
            line += chunk.count(b"\n")
    if decoder.getstate()[0]:  # it ends within a letter
        if good > 3:
            fail(f"{name}, line {line}: the file ends within a letter: it may have been cut.")
        return _eight_bit(opener, line)
    return "utf-8", []


def _unmarked(head: bytes) -> str:
    """UTF-16 or UTF-32 without a mark: the one of the four whose text has signs of ASCII and only what letters are."""
    if len(head) < 4 or 0 not in head:
        return ""
    found = []
    for encoding in UNMARKED:
        width = 4 if "32" in encoding else 2
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head[: len(head) // width * width])
        except UnicodeDecodeError:
            continue
        odd = sum(unicodedata.category(c) in ("Cc", "Cn", "Co") and c not in "\t\n\r\f" for c in text)
        plain = sum(c in ' ,;\t\n\r"{' or c.isalnum() and c.isascii() for c in text)
        if not odd and plain:
            found.append((plain / len(text), encoding))
    return max(found)[1] if found else ""


def _check_mixed(chunk: bytes, good: int, name: str, line: int) -> None:
    """Refuse text that is UTF-8 but for a few bytes: read in any one encoding, a part of it would be garbled."""
    text = chunk.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    if good + sum(not c.isascii() for c in text) - bad > 3 * max(bad, 1):
        fail(
            f"{name}, line {line}: a letter is not UTF-8, though the rest of the file is: two files of different "
            "encodings may have been joined. Save it all as UTF-8."
        )


def _eight_bit(opener: Opener, line: int) -> tuple[str, list[str]]:
    """The likeliest of the encodings of LABELS that all of the file can be read in, and the note that says so."""
    sample, latin = bytearray(), False
    with opener() as stream:
        while row := stream.readline(CHUNK):
            if not row.isascii():
                if len(sample) < SAMPLE:
                    first = re.search(rb"[\x80-\xff]", row)
                    sample += row[first.start() if first else 0 :][:SAMPLE]
                latin = latin or bool(re.search(rb"[\x81\x8d\x8f\x90\x9d]", row))
    western = "latin-1" if latin else "cp1252"
    encoding = _likeliest(bytes(sample), western)
    if encoding != western and not _decodes(opener, encoding):
        encoding = western
    hint = "" if encoding == western else "; if the letters are wrong, save it as UTF-8"
    return encoding, [f"The file is not UTF-8 (see line {line}); it was read as {LABELS[encoding]}{hint}."]


def _likeliest(sample: bytes, western: str) -> str:
    """One encoding for these bytes."""
    together = sum(map(len, re.findall(rb"[\x80-\xff]{2,}", sample)))
    share = together / sum(b >= 0x80 for b in sample)  # of such bytes that stand beside another: few in Latin letters
    if share > 0.4 and (encoding := _asian(sample)):
        return encoding
    if share > 0.7:
        shares = {}
        for encoding, common in SCRIPTS.items():
            letters = [c for c in sample.decode(encoding, "replace") if not c.isascii()]
            shares[encoding] = sum((c in common) + 0.8 * (c not in common and c.lower() in common) for c in letters)
            shares[encoding] /= len(letters)
        best = max(shares, key=lambda e: shares[e])
        if shares[best] > SCRIPT_SHARE:
            return best
    scores = {encoding: 0.0 for encoding, _ in LATIN}
    for encoding, usual in LATIN:
        signs = [c for c in sample.decode(encoding, "replace") if not c.isascii()]
        known = sum(c.lower() in usual or c in LATIN_SIGNS for c in signs) / len(signs)
        scores[encoding] = max(scores[encoding], known)
    best = max(scores, key=lambda e: scores[e])
    return western if scores[best] < max(0.8, scores["cp1252"] + 0.02) else best


def _asian(sample: bytes) -> str:
    """The encoding of two bytes a letter that gives common letters nearly throughout; "" for none."""
    texts = {}
    for encoding in ("cp949", "euc-jp", "cp932", "gb18030", "big5"):
        try:
            texts[encoding] = [
                c for c in codecs.getincrementaldecoder(encoding)().decode(sample) if not c.isascii()
            ]  # the sample may end within a letter
        except UnicodeDecodeError:
            continue

    def share(encoding: str, usual: Callable[[str], bool]) -> float:
        letters = [c for c in texts.get(encoding, []) if c.isalpha()]
        return sum(map(usual, letters)) / len(letters) if letters else 0.0

    def common(encoding: str) -> float:
        return share(encoding, lambda c: _is_kana(c) or _first_level(c, encoding))

    scores = {"cp949": share("cp949", lambda c: "가" <= c <= "힣" and c.encode("cp949")[0] >= 0xB0)}
    for encoding in ("euc-jp", "cp932"):
        scores[encoding] = common(encoding) if share(encoding, _is_kana) > 0.15 else 0.0
    for encoding in ("gb18030", "big5"):
        scores[encoding] = common(encoding)
    best = max(scores, key=lambda e: scores[e])  # a tie goes to the first: Korean would also be common Chinese
    return best if scores[best] > 0.85 else ""


def _is_kana(letter: str) -> bool:
    return "\u3041" <= letter <= "\u30ff"


_LEVELS = {"gb18030": (0xB0, 0xD7), "big5": (0xA4, 0xC6), "cp932": (0x88, 0x97), "euc-jp": (0xB0, 0xCF)}


def _first_level(letter: str, encoding: str) -> bool:
    """Whether a character is of the first level of its standard, which holds the common ones."""
    code = letter.encode(encoding, "ignore")
    low, high = _LEVELS[encoding]
    return len(code) == 2 and low <= code[0] <= high and (encoding != "gb18030" or code[1] >= 0xA1)


def _decodes(opener: Opener, encoding: str, name: str = "") -> bool:
    """Whether all of a file can be decoded; where a name is given, a NUL is its error."""
    line = 1
    try:
        with io.TextIOWrapper(opener(), encoding=encoding, newline="") as text:
            while chunk := text.read(CHUNK):
                if name and "\0" in chunk:
                    line += chunk[: chunk.index("\0")].count("\n")
                    fail(f"{name}, line {line}: there is a NUL character, which no text has. The file may be damaged.")
                line += chunk.count("\n")
    except UnicodeError:
        return False
    return True
