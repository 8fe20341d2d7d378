"""A text with some of its words changed, as people change them; what is no plain word stays, as does white space."""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import InputError

SHORT, LONG = 3, 64  # words of fewer letters get no typing errors; what is longer is no word
_SPACE, _BREAK = re.compile(r"(\s+)"), re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_PROTECTED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\{[^{}\n]*\}|<[^<>\n]*>|\[[^\[\]\n]*\]", re.DOTALL)
_BEFORE, _AFTER, _INNER = "\"'“”‘’„«»‹›¿¡(–—…", "\"'“”‘’«»‹›.,;:!?)–—…", "'’-"
_UNSPACED = re.compile(  # Thai, Lao, Tibetan, Burmese, Khmer, kana and ideographs: a stretch of them is no word
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff]"
)
_CAMEL = re.compile(r"[a-z][A-Z]")


class Chance:
    """Numbers drawn from a seed, the same on every machine and in every version: splitmix64 (Steele et al. 2014)."""

    def __init__(self, seed: bytes) -> None:
        self._state = int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest(), "big")

    def number(self) -> int:
        """The next number of 64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        return z ^ (z >> 31)

    def below(self, count: int) -> int:
        """A number from 0 up to but not including `count`."""
        return (self.number() * count) >> 64

    def times(self, share: float, count: float) -> int:
        """How many of `count` a share is: rounded up or down by chance, so that it is right on the average."""
        return int(share * count + self.number() / 2**64)

    def drawn(self, items: Sequence[int]) -> Iterator[int]:
        """The items in a random order; what is not asked for is not drawn."""
        left = list(items)
        for i in range(len(left) - 1, -1, -1):
            j = self.below(i + 1)
            left[i], left[j] = left[j], left[i]
            yield left[i]


@dataclass(frozen=True)
class Changes:
    """What is done to a text, each to a share of its words from 0 to 1; `synonyms`: see `read_synonyms`."""

    swap: float = 0.0
    delete: float = 0.0
    synonym: float = 0.0
    case: float = 0.0
    typo: float = 0.0
    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether anything is done at all."""
        return any((self.swap, self.delete, self.synonym, self.case, self.typo))


def change(text: str, changes: Changes, chance: Chance, kept: frozenset[str] = frozenset()) -> str:
    """The text with some of its words changed, at least one; the text itself where no word can be.

    Numbers, placeholders, addresses, code, and scripts that write no spaces stay as they are. Words keep the
    punctuation around them. A word that is left out takes one space with it; all other white space stays.

    Args:
        text: of any length.
        changes: what is done, and to how many words.
        chance: decides which words, and how.
        kept: words, casefolded, that stay too.
    """
    steps = [name for name in _STEPS if getattr(changes, name)]
    made = _Text(text, kept)
    count = len(made.free())
    for name in steps if count else ():
        of = len(made.free(changes.synonyms)) if name == "synonym" else count / 2 if name == "swap" else count
        if times := chance.times(getattr(changes, name), of):
            _STEPS[name](made, times, chance, changes)
    if (joined := made.joined()) != text:
        return joined
    for i in chance.drawn(range(len(steps))) if count else ():
        made = _Text(text, kept)
        _STEPS[steps[i]](made, 1, chance, changes)
        if (joined := made.joined()) != text:
            return joined
    return text


class _Text:
    """Words and the white space around them: gaps[i] stands before words[i], and the last gap at the end.

    A word is [before, core, after]; what must not be changed is all in `before`.
    """

    def __init__(self, text: str, kept: frozenset[str]) -> None:
        self.words, self.gaps = list[list[str]](), [""]
        spans = [match.span() for match in _PROTECTED.finditer(text)][::-1]
        at = 0
        for i, piece in enumerate(_SPACE.split(text)):
            end = at + len(piece)
            while spans and spans[-1][1] <= at:
                spans.pop()
            if i % 2:
                self.gaps[-1] += piece
            elif piece:
                held = len(piece) > LONG or (spans and spans[-1][0] < end)
                before, core, after = (piece, "", "") if held else plain(piece)
                if core and core.casefold() in kept:
                    before, core, after = piece, "", ""
                self.words.append([before, core, after])
                self.gaps.append("")
            at = end

    def joined(self) -> str:
        """The text again."""
        parts = [self.gaps[0]]
        for word, gap in zip(self.words, self.gaps[1:], strict=True):
            parts += [*word, gap]
        return "".join(parts)

    def free(self, known: Mapping[str, Sequence[str]] | None = None) -> list[int]:
        """The words that may be changed; those that a list knows."""
        return [i for i, (_, core, _) in enumerate(self.words) if core and (known is None or core.casefold() in known)]


@functools.lru_cache(maxsize=1 << 16)
def plain(piece: str) -> tuple[str, str, str]:
    """(before, core, after) of what stands between two spaces: a word with its punctuation; core "" where it is none.

    A word is letters, with hyphens and apostrophes inside. Anything with a digit or another sign in it, such as a
    number, an address or code, is none.
    """
    core = piece.lstrip(_BEFORE)
    before = piece[: len(piece) - len(core)]
    core = core.rstrip(_AFTER)
    after = piece[len(before) + len(core) :]
    if core.isascii() and core.isalpha() and not _CAMEL.search(core):
        return before, core, after
    worded = core and core[0].isalpha() and core[-1] not in _INNER
    letters = all(c.isalpha() or c in _INNER or unicodedata.category(c)[0] == "M" for c in core)
    if worded and letters and not _CAMEL.search(core) and not _UNSPACED.search(core):
        return before, core, after
    return piece, "", ""


# What is done to the words of a text: up to so many times


def _synonym(text: _Text, times: int, chance: Chance, changes: Changes) -> None:
    for i in itertools.islice(chance.drawn(text.free(changes.synonyms)), times):
        word = text.words[i]
        others = changes.synonyms[word[1].casefold()]
        word[1] = as_cased(others[chance.below(len(others))], word[1])


def as_cased(word: str, like: str) -> str:
    """A word with the capitals of another: LARGE for BIG, Large for Big, else as it is."""
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word


def _delete(text: _Text, times: int, chance: Chance, changes: Changes) -> None:
    """Words without punctuation go, each with the space before it, or after it at the start of a line.

    One that is alone on its line stays, and so does the last word of a text.
    """
    words, gaps, end = text.words, text.gaps, len(text.words)
    before, after = list(range(-1, end)), list(range(1, end + 1))  # neighbours that are still there
    gone = set[int]()
    for i in chance.drawn([i for i in text.free() if not words[i][0] and not words[i][2]]):
        if len(gone) >= times:
            break
        left, right = before[i], after[i]
        if left >= 0 and not _BREAK.search(gaps[i]):
            pass  # the gap in front goes with the word
        elif right < end and not _BREAK.search(gaps[right]):
            gaps[right] = gaps[i]
        else:
            continue
        gone.add(i)
        before[right] = left
        if left >= 0:
            after[left] = right
    text.words = [word for i, word in enumerate(words) if i not in gone]
    text.gaps = [gap for i, gap in enumerate(gaps) if i not in gone]


def _swap(text: _Text, times: int, chance: Chance, changes: Changes) -> None:
    """Neighbours of one line with no punctuation between them."""
    words, used, done = text.words, set[int](), 0
    for i in chance.drawn(range(len(words) - 1)):
        if done >= times:
            break
        (_, one, after), (before, two, _) = words[i], words[i + 1]
        together = one and two and not after and not before and not _BREAK.search(text.gaps[i + 1])
        if together and one.casefold() != two.casefold() and not {i, i + 1} & used:
            words[i][1], words[i + 1][1] = two, one
            used |= {i, i + 1}
            done += 1


def _case(text: _Text, times: int, chance: Chance, changes: Changes) -> None:
    forms = ((i, cased) for i in chance.drawn(text.free()) if (cased := _forms(text.words[i][1])))
    for i, cased in itertools.islice(forms, times):
        text.words[i][1] = cased[chance.below(len(cased))]


def _forms(word: str) -> list[str]:
    """The word in small letters, in capitals and with one, without what it is already."""
    return sorted({word.lower(), word.upper(), word[:1].upper() + word[1:].lower()} - {word})


_ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))  # with how far each stands to the right
_KEYS = {c: (x + shift, y) for y, (row, shift) in enumerate(_ROWS) for x, c in enumerate(row)}
NEIGHBOURS = {
    c: "".join(d for d, (a, b) in _KEYS.items() if d != c and abs(a - x) <= 1 and abs(b - y) <= 1)
    for c, (x, y) in _KEYS.items()
}


def _typo(text: _Text, times: int, chance: Chance, changes: Changes) -> None:
    long = [i for i in text.free() if len(text.words[i][1]) >= SHORT and text.words[i][1].isalpha()]
    for i in itertools.islice(chance.drawn(long), times):
        text.words[i][1] = _slip(text.words[i][1], chance)


def _slip(word: str, chance: Chance) -> str:
    """One slip: a key beside the right one, a letter twice, a letter too few, or two letters in the wrong order."""
    at = chance.below(len(word))
    match chance.below(4):
        case 0 if word[at].lower() in NEIGHBOURS:
            near = NEIGHBOURS[word[at].lower()]
            key = near[chance.below(len(near))]
            return word[:at] + (key.upper() if word[at].isupper() else key) + word[at + 1 :]
        case 1:
            return word[:at] + word[at + 1 :]
        case 2 if at + 1 < len(word) and word[at] != word[at + 1]:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case _:
            return word[:at] + word[at] + word[at:]


_STEPS: dict[str, Callable[[_Text, int, Chance, Changes], None]] = {
    "synonym": _synonym,
    "delete": _delete,
    "swap": _swap,
    "typo": _typo,
    "case": _case,
}


# The list of synonyms


@functools.lru_cache(maxsize=16)
def read_synonyms(text: str) -> Mapping[str, tuple[str, ...]]:
    """A list of one word a line with what may stand for it, "big = large, huge", as word -> others, the word
    casefolded.

    Raises:
        InputError: field "augmentation.synonyms"; the sentence names the line.
    """
    found: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        word, mark, rest = (part.strip() for part in line.partition("="))
        others = [other.strip() for other in rest.split(",") if other.strip()]
        if not mark:
            reason = "has no equals sign"
        elif not word:
            reason = "has no word before the equals sign"
        elif plain(word) != ("", word, ""):
            reason = f"begins with {word[:40]!r}, which is not one plain word"
        elif not others:
            reason = f"has nothing to put in place of {word!r}"
        elif word.casefold() in (other.casefold() for other in others):
            reason = f"puts {word!r} in its own place"
        else:
            found[word.casefold()] = (*found.get(word.casefold(), ()), *others)
            continue
        raise InputError(
            f"Line {number} of the list of synonyms {reason}: write a word and what may stand for it, such as "
            "big = large, huge.",
            "augmentation.synonyms",
        )
    return found
