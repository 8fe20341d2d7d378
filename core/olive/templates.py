"""Text templates: Olive's are format strings of Python, ours are text with {column} and marks around the answers."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from string import Formatter

from core.errors import InputError
from core.limited.asks import Asked
from core.paths import resolve

_COLUMN_LIKE = re.compile(r"\w[\w .\-/]*")


@dataclass(frozen=True)
class Rendered:
    """A template in the other's words, its columns in order, and what it cannot say, in a sentence each."""

    text: str
    columns: tuple[str, ...]
    lost: tuple[str, ...] = ()


def unescaped(text: str) -> str:
    """What Olive makes of a template on a command line: `\\n` is the end of a line, and so on.

    Olive decodes it as Python's unicode_escape, which garbles every letter beyond Latin-1; here only the escapes are
    decoded.
    """
    return re.sub(
        r"\\(?:[nrtabfv\\'\"0]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})",
        lambda found: codecs.decode(found[0], "unicode_escape"),
        text,
    )


def ours(template: str, option: str) -> Rendered:
    """Olive's template in our words.

    Raises:
        InputError: it is no format string, or it names no column.
    """
    try:
        parts = [*Formatter().parse(template)]
    except ValueError as error:
        raise InputError(
            f"{option} {template!r} is no template: {str(error).lower()}; write a column as {{column}}, and a brace of "
            "the text twice.",
            "data.template",
        ) from None
    pieces: list[str] = []
    columns: list[str] = []
    lost: list[str] = []
    literal = ""

    def flush() -> None:
        nonlocal literal
        if "[[" in literal or "]]" in literal:
            lost.append("[[ and ]] of the text would mark an answer here, so they have a space between")
            literal = literal.replace("[[", "[ [").replace("]]", "] ]")
        pieces.append(re.sub(r"\{([^{}\n]+)\}", lambda m: _quoted(m[1]), literal))
        literal = ""

    for text, name, spec, conversion in parts:
        literal += text
        if name is None:
            continue
        flush()
        column = re.split(r"[.\[]", name, maxsplit=1)[0]
        if not column:
            raise InputError(f"{option} {template!r} has {{}} with no column in it: write {{column}}.", "data.template")
        if column != name or spec or conversion:
            shown = f"{{{name}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}}}"
            lost.append(f"{shown} asks for a part or a form of the column; {{{column}}} is taken as it is")
        pieces.append(f"{{{column}}}")
        columns.append(column)
    flush()
    if not columns:
        raise InputError(f"{option} {template!r} names no column: write one as {{column}}.", "data.template")
    return Rendered("".join(pieces), tuple(columns), tuple(lost))


def _quoted(name: str) -> str:
    """Braces of the text around what could be a column are doubled; around anything else they stand for themselves."""
    return f"{{{{{name}}}}}" if _COLUMN_LIKE.fullmatch(name) else f"{{{name}}}"


def end_token(path: str | None) -> str:
    """The end token of a model whose folder is on this machine; "" for any other, of which nothing is fetched."""
    try:
        if path is None or not resolve(path).is_dir():
            return ""
        return Asked(path).end_token()
    except (OSError, InputError):  # a path that no file system takes, one that may not be read here, no tokenizer in it
        return ""


_MARKS = re.compile(r"\[\[|\]\](?!\])|\{\{([^{}\n]+)\}\}|\{([^{}\n]+)\}|[{}]")


def olives(template: str) -> Rendered:
    """Our template in Olive's words: braces of the text doubled, marks of answers left out."""
    columns: list[str] = []
    lost: list[str] = []

    def said(found: re.Match[str]) -> str:
        mark, literal, column = found[0], found[1], found[2]
        if mark.startswith(("[[", "]]")):
            if not lost:
                lost.append("[[ and ]] say which text is the answer; Olive trains on all of it")
            return ""
        if column is not None and _COLUMN_LIKE.fullmatch(column):
            columns.append(column)
            return mark
        if literal is not None and _COLUMN_LIKE.fullmatch(literal):
            return mark  # both write the literal {name} so
        return mark.replace("{", "{{").replace("}", "}}")

    return Rendered(_MARKS.sub(said, template), tuple(columns), tuple(lost))
