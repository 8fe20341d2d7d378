"""Command lines as people paste them: words, quotes, continued lines and variables; text to read, never to run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from core.errors import InputError

_PROMPT = re.compile(r"^\s*(?:\(\S+\)\s*)?(?:[$%!>]\s+|!)(?=olive\b|python\b)")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_GOES_ON = re.compile(r"[\\`^][ \t]*\n")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
_WHY = {
    ";": "separates commands",
    "|": "hands what a command prints to another",
    "&": "runs a command in the background",
    "<": "reads a file into a command",
    ">": "writes what a command prints into a file",
    "`": "runs another command",
    "$(": "runs another command",
}


@dataclass
class Word:
    """A word of a command line; `unknown` names the variables in it whose value the text does not say."""

    text: str = ""
    unknown: list[str] = field(default_factory=list)


@dataclass
class Line:
    """A command: its words, and whether it follows another by `&&`."""

    words: list[Word] = field(default_factory=list)
    chained: bool = False

    @property
    def texts(self) -> list[str]:
        """The words as text."""
        return [word.text for word in self.words]


def commands(text: str) -> list[Line]:
    """The commands of a text, in their order; comments are left out, variables take what the text itself gives them.

    Nothing is run and no variable of this process is read. Bash's rules for quotes; a line goes on after a backslash,
    PowerShell's backtick or the caret of Windows.

    Raises:
        InputError: a quote that is never closed, or shell that does more than name a command and its options.
    """
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text = "\n".join(_PROMPT.sub("", line) for line in text.split("\n"))
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.lines: list[Line] = []
        self.line = Line()
        self.word: Word | None = None
        self.known: dict[str, str] = {}

    def read(self) -> list[Line]:
        while self.at < len(self.text):
            self._step(self.text[self.at])
        self._end_line()
        return self.lines

    def _step(self, c: str) -> None:
        rest = self.text[self.at : self.at + 2]
        if goes_on := _GOES_ON.match(self.text, self.at):
            self.at = goes_on.end()
        elif c == "\\":
            self._add(self.text[self.at + 1 : self.at + 2])
            self.at += 2
        elif c == "'":
            self._add(self._quoted("'"))
        elif c == '"':
            self._double()
        elif c == "#" and self.word is None:
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
        elif c == "\n":
            self.at += 1
            self._end_line()
        elif c.isspace():
            self.at += 1
            self._end_word()
        elif rest.startswith("&&"):
            self.at += 2
            self._end_line()
            self.line.chained = True
        elif c in ";|&<>`" or rest.startswith("$("):
            mark = "$(" if c == "$" else c
            raise InputError(
                f"The command line has a {mark}, which {_WHY[mark]}: nothing of it is run, only Olive's "
                "own commands are read. Leave that part out, or put the mark between quotes if it belongs to a value."
            )
        elif c == "$":
            self._variable()
        else:
            self._add(c)
            self.at += 1

    def _add(self, text: str) -> Word:
        self.word = self.word or Word()
        self.word.text += text
        return self.word

    def _quoted(self, mark: str) -> str:
        end = self.text.find(mark, self.at + 1)
        if end < 0:
            begun = self.text[self.at : self.at + 30].replace("\n", " ")
            raise InputError(f"The quote that begins at {begun!r} is never closed: close it with {mark}.")
        found, self.at = self.text[self.at + 1 : end], end + 1
        return found

    def _double(self) -> None:
        """Between double quotes a backslash quotes only \\, \", $ and the backtick; variables are still variables."""
        begun = self.at
        self._add("")
        self.at += 1
        while self.at < len(self.text):
            c, after = self.text[self.at], self.text[self.at + 1 : self.at + 2]
            if c == '"':
                self.at += 1
                return
            if c == "\\" and after in ("\\", '"', "$", "`", "\n"):
                self._add("" if after == "\n" else after)
                self.at += 2
            elif c == "$" and _VARIABLE.match(self.text, self.at):
                self._variable()
            else:
                self._add(c)
                self.at += 1
        begin = self.text[begun : begun + 30].replace("\n", " ")
        raise InputError(f'The quote that begins at {begin!r} is never closed: close it with ".')

    def _variable(self) -> None:
        found = _VARIABLE.match(self.text, self.at)
        if found is None:
            self._add("$")
            self.at += 1
            return
        self.at = found.end()
        name = found[1] or found[2]
        if name in self.known:
            self._add(self.known[name])
        else:
            self._add(found[0]).unknown.append(found[0])

    def _end_word(self) -> None:
        if self.word is not None:
            self.line.words.append(self.word)
        self.word = None

    def _end_line(self) -> None:
        self._end_word()
        words = self.line.words
        if words and words[0].text == "export":
            words = words[1:]
        given = [_ASSIGNMENT.fullmatch(word.text) for word in words]
        while given and (first := given[0]):  # NAME=value, alone or before a command
            if not words[0].unknown:
                self.known[first[1]] = first[2]
            given, words = given[1:], words[1:]
        if words:
            self.lines.append(Line(words, self.line.chained))
        self.line = Line(chained=self.line.chained and not words)
