"""Columns that nothing uses: named, with what they look like; those that may change what is learned stand out."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core.config import RunConfig
from core.data.chained import PARENTS
from core.data.checks.batch import Batch
from core.data.checks.case import Case
from core.data.checks.finding import SHOWN, Finding, count_of, shorten
from core.data.column_names import ASKED_ABOUT, HISTORY, JUDGED, JUDGEMENTS, SYSTEMS, TOOLS
from core.data.files import listed
from core.data.formats import answer_column, is_bad, unused_of_history
from core.data.media import is_key
from core.data.recognise import folded, keys_of
from core.data.reshape import CHOICES
from core.data.sources import Source
from core.data.template import Wording, parse
from core.data.turns import role_of, turns_of, unused_keys
from core.errors import InputError

FEW = 12  # different values up to which they are listed
KNOWN = 2000  # different values that are remembered, to see whether each row has its own
APART = 6  # columns that have a finding of their own
DESCRIBED, NAMED = 8, 30  # columns that the quiet finding describes, and those that it names besides
GLANCE = 200  # rows by which a column is described where not all are looked at
WEIGHTS = ("weight", "weights", "loss_weight", "sample_weight", "example_weight", "importance")
SCORED = ("score", "scores", "rating", "ratings", "quality", "reward", "rewards", "rank", "stars", "votes", "upvotes",
          "grade", "points", "helpfulness", "correctness", "coherence", "honesty", "overall_score", "preference_score",
          "quality_score")  # fmt: skip
REASONING = ("reasoning", "reasoning_content", "thinking", "thought", "thoughts", "chain_of_thought", "cot",
             "rationale", "explanation", "think", "cot_content", "reasoning_trace", "reasoning_details",
             "reasoning_steps", "complex_cot", "scratchpad", "thought_process", "thinking_process")  # fmt: skip
CALLS = ("tool_calls", "tool_call", "toolcalls", "toolcall", "function_call", "function_calls", "functioncall",
         "functioncalls", "toolinvocations", "tool_invocations", "tool_uses")  # fmt: skip
_COT = ("_cot", "_reasoning", "_thinking", "_rationale", "_scratchpad")
TAUGHT = ("train_on", "is_train", "skip", "skip_loss", "skip_training", "do_train", "should_train", "include_loss")
HELPFUL = ("helpful", "is_helpful", "useful", "is_useful", "sentiment", "outcome", "result", "reaction")
BLAMES = ("bad", "is_bad", "undesirable", "is_undesirable", "undesired", "rejected", "is_rejected", "flagged",
          "is_flagged", "disliked", "is_disliked", "incorrect", "is_incorrect", "wrong", "is_wrong")  # fmt: skip
KINDS = re.compile(r"(?:is|has)_(?:classification|input|context|code|math|multi_?turn|question|tool_?calls?|system)")
SPLITS = ("split", "subset", "set", "fold", "partition", "phase", "usage")
REJECTED = ("rejected", "rejected_response", "rejected_answer", "rejected_messages", "dispreferred")
IDS = ("input_ids", "token_ids", "attention_mask", "token_type_ids", "special_tokens_mask", "position_ids")
_MEDIA = re.compile(
    r"(?:data:(?:image|audio|video)/|\S+\.(?:png|jpe?g|gif|webp|bmp|tiff?|svg|heic|mp4|avi|mov|mkv|webm|wav|mp3|flac|ogg)$)",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?(?:[T ]\d\d?:.*)?|\d\d?[./]\d\d?[./]\d{2,4}(?: .*)?")
_COUNTED = re.compile(r": [\d,]+ (?:is|are) ")  # in the words on a column that marks rows
_TOGETHER = re.compile(r"(?:conversation|conv|dialog|dialogue|thread|session|chat)_?id")
_COMPARED = re.compile(r"(?:response|answer|output|completion|reply)_?[ab12]")
_ADDRESS = re.compile(r"https?://\S+")
_PYTHON = re.compile(r"\s*(?:\[\s*\{\s*'|\{\s*'[^']*'\s*:|\[\s*')")
_NUMBERED = re.compile(r"(?:.*_)?(?:id|ids|idx|index|uuid|guid|key|hash|no|nr|num|number|row|unnamed_0)(?:_.*)?|.*id")


def used(source: Source, config: RunConfig) -> set[str]:
    """The columns that a config makes use of, and those from which such columns were made."""
    data, roles = config.data, set(source.layout.roles.values())
    template = Wording.of(data).text
    if template is None or config.task == "similarity":
        found = {*roles, answer_column(source.layout)}
    else:
        try:
            found = {part.text for part in parse(template, tuple(source.columns)) if part.column}
        except InputError:  # a template that does not fit is refused where it is used
            found = roles
        found |= {source.layout.roles[role] for role in ("desired", "tokens", "tags") if role in source.layout.roles}
    if source.layout.name == "preference":
        found |= {source.layout.roles[role] for role in ("rejected",) if role in source.layout.roles}
    found |= {name for name in (data.group_by, data.stratify) if name}
    return found | {name for column in found for name in source.made.get(column, ())}


@dataclass
class Seen:
    """What the values of a column look like, as far as they were looked at."""

    name: str
    rows: int = 0
    missing: int = 0
    letters: int = 0  # of its texts
    texts: int = 0
    flags: int = 0
    numbers: int = 0
    media: int = 0
    dates: int = 0
    addresses: int = 0
    python: int = 0
    turns: int = 0
    pairs: int = 0
    lists: int = 0
    objects: int = 0
    ids: int = 0
    least: float = math.inf
    most: float = -math.inf
    values: dict[str, int] = field(default_factory=dict)
    bad: int = 0
    bad_rows: list[int] = field(default_factory=list)
    same: set[str] = field(default_factory=set)
    marks: dict[str, bool] = field(default_factory=dict)  # value -> whether it marks a bad answer
    within: str = ""  # of a key in the turns of a conversation: the column of these

    @property
    def called(self) -> str:
        """Its name, and where it is, for a person."""
        name = repr(shorten(self.name, 40))
        return f"{name} in the turns of {self.within!r}" if self.within else name

    def add(self, number: int, value: Any, row: dict[str, Any]) -> None:
        """Look at the value of the next row."""
        self.rows += 1
        if self.same:
            self.same = {other for other in self.same if row.get(other) == value}
        if value is None or value == "" or value == [] or value == {}:
            self.missing += 1
            return
        if isinstance(value, str):
            self._text(value)
        elif isinstance(value, bool):
            self.flags += 1
        elif isinstance(value, int | float):
            self._number(float(value))
        else:
            self._nested(value)
        if not isinstance(value, dict | list):
            short = value[:80].strip() if isinstance(value, str) else str(value).lower()
            count = self.values.get(short, 0)
            if count or len(self.values) < KNOWN:
                self.values[short] = count + 1
            if len(self.values) <= FEW:
                if (bad := self.marks.get(short)) is None:
                    bad = self.marks[short] = self._is_bad(short)
                if bad:
                    self.bad += 1
                    if len(self.bad_rows) < SHOWN:
                        self.bad_rows.append(number)

    def _is_bad(self, value: str) -> bool:
        return value.casefold() in ("true", "yes", "1", "1.0") if folded(self.name) in BLAMES else is_bad(value)

    def _text(self, value: str) -> None:
        self.texts += 1
        self.letters += len(value)
        stripped = value.strip()
        head = stripped[:1]
        if len(stripped) < 6 and stripped.casefold() in ("true", "false"):
            self.flags += 1
        elif (head.isdigit() or head in "+-.") and len(stripped) < 32:
            try:
                self._number(float(stripped))
            except ValueError:
                self.dates += bool(_DATE.fullmatch(stripped))
        elif head in ("[", "{"):
            if (found := turns_of(stripped)) is not None:
                self._nested(found)
            self.python += bool(_PYTHON.match(stripped))
        if len(stripped) < 400:
            self.media += bool(_MEDIA.match(stripped))
            self.addresses += bool(_ADDRESS.fullmatch(stripped))

    def _number(self, value: float) -> None:
        self.numbers += 1
        self.least, self.most = min(self.least, value), max(self.most, value)

    def _nested(self, value: Any) -> None:
        if isinstance(value, dict):
            self.objects += 1
            self.media += bool({"bytes", "path"} & value.keys())
            return
        self.lists += 1
        some = value[:4]
        self.media += bool(some) and all(isinstance(v, str) and _MEDIA.match(v) for v in some)
        self.media += bool(some) and all(isinstance(v, dict) and {"bytes", "path"} & v.keys() for v in some)
        self.ids += bool(some) and all(isinstance(v, int) and not isinstance(v, bool) for v in some)
        self.pairs += bool(some) and all(isinstance(v, list) and len(v) == 2 for v in some)
        if all(isinstance(v, dict) for v in some) and (keys := keys_of(some)):
            self.turns += any(role_of(v.get(keys["role"])) for v in some)

    @property
    def there(self) -> int:
        """Rows that have a value."""
        return self.rows - self.missing

    def all(self, count: int) -> bool:
        """Whether nearly all values are of one kind, of which there are so many."""
        return self.there > 0 and count >= 0.95 * self.there

    @property
    def each_its_own(self) -> bool:
        """Whether no value occurs twice, as far as they are remembered."""
        return len(self.values) == min(self.there, KNOWN) and self.there > 1

    def look_like(self) -> tuple[str, bool]:
        """(what the values look like, in words; whether they may change what should be learned)."""
        name, few = folded(self.name.rpartition(".")[2] if self.within else self.name), len(self.values) <= FEW
        kinds = {value.casefold().replace(" ", "_") for value in self.values} if few else set()
        if not self.there:
            return "is empty", False
        if self.all(self.media) or (is_key(name) and not self.all(self.numbers)):
            what = "sounds" if "audio" in name or "sound" in name else "videos" if "video" in name else "images"
            return f"holds {what} or their paths: the words are learned without them", True
        if self.all(self.turns):
            return "holds turns of a conversation", True
        if name in HISTORY or (self.all(self.pairs) and self.lists):
            return "holds earlier turns", True
        if name in PARENTS:
            return "names the row that comes before", True
        if self.within and name in TAUGHT:
            return "may say which turns are to be learned: here 'train': false or 'weight': 0 says it", True
        if kinds and all(map(role_of, kinds)):
            return "says who speaks", True
        if _TOGETHER.fullmatch(name) and 1 < len(self.values) < self.there:
            return "says which rows are one conversation: each row is learned alone", True
        if _COMPARED.fullmatch(name) and self.all(self.texts) and not self.all(self.numbers):
            return "holds answers, which are not learned", True
        if self.all(self.flags):
            return self._flag(kinds, name)
        judging = any(kinds and kinds <= pair for pair, _ in JUDGEMENTS) or kinds in ({"0", "1"}, {"0.0", "1.0"})
        if name in (*JUDGED, *HELPFUL, *BLAMES) and judging and len(kinds) > 1:
            good, bad = self._two()
            return f"is {good} or {bad}, which may mark good and bad answers: {self.bad:,} are {bad}", True
        if name in (*JUDGED, *HELPFUL) and few and self.bad and not self.numbers and len(kinds) > 1:
            some = listed([repr(shorten(value, 24)) for value in sorted(self.values, key=lambda v: -self.values[v])])
            are = "is a word" if self.bad == 1 else "are words"
            return f"holds {some}, which may mark good and bad answers: {self.bad:,} {are} for bad ones", True
        if name in CHOICES and (self.lists or self.objects or self.python or self.texts):
            return "holds answers to choose from, which the model does not see", True
        if name in SPLITS and kinds and kinds & {"train", "test", "validation", "valid", "val", "dev"}:
            return f"says which rows are for {listed(sorted(kinds))}; here rows are parted by data.validation", True
        if self.all(self.numbers) and name in WEIGHTS:
            return f"holds {self._numbers()}, which may say how much a row counts: here all count the same", True
        if self.all(self.numbers) and (name in SCORED or name.endswith(("_score", "_rating", "_reward"))):
            if self.least < self.most:
                return f"holds {self._numbers()}, which may say how good the answers are", True
        if (name in REASONING or name.endswith(_COT)) and self.all(self.texts + self.lists + self.objects):
            return "holds reasoning, which is not learned", True
        if name in CALLS and not self.all(self.numbers):
            return "holds calls of tools, which are not learned", True
        if name in SYSTEMS:
            return "holds system prompts", True
        if name in TOOLS:
            return "holds tools that may be called", True
        if name in ASKED_ABOUT and self.letters > 20 * self.there:
            return "holds texts that the questions may be about", True
        return self._plain(name, few), False

    def _flag(self, kinds: set[str], name: str) -> tuple[str, bool]:
        judges = name in (*JUDGED, *HELPFUL, *BLAMES)
        if len(kinds) < 2 and not (judges and self.bad):
            return f"is always {next(iter(kinds), 'the same')}", False
        marks = ", which may mark good and bad answers" if judges else ""
        which = "true" if name in BLAMES else "false"
        if KINDS.fullmatch(name):
            return "is true or false, which says of what kind a row is", False
        return f"is true or false{marks}: {self.bad:,} {'is' if self.bad == 1 else 'are'} {which}", True

    def _two(self) -> tuple[str, str]:
        """The value that is good, and the one that is bad."""
        bad = [value for value in self.values if self._is_bad(value)]
        good = [value for value in self.values if not self._is_bad(value)]
        return shorten(good[0], 20), shorten(bad[0], 20)

    def _numbers(self) -> str:
        return f"numbers from {self.least:g} to {self.most:g}"

    def _plain(self, name: str, few: bool) -> str:
        """What is of no concern."""
        if self.same:
            return f"repeats {min(self.same)!r}"
        if name in REJECTED:
            return "holds rejected answers"
        if name in IDS or self.all(self.ids):
            return "holds token ids" if name in IDS else "holds lists of numbers"
        if len(self.values) == 1 and self.there > 1 and not self.lists and not self.objects:
            return f"is always {shorten(next(iter(self.values)), 30)!r}"
        if self.all(self.dates):
            return "holds dates"
        if self.each_its_own and _NUMBERED.fullmatch(name) and self.letters < 80 * self.there:
            return "numbers the rows" if self.all(self.numbers) else "names the rows"
        if self.all(self.numbers):
            return f"holds {self._numbers()}"
        if self.all(self.addresses):
            return "holds web addresses"
        if self.python and self.all(self.python):
            return "holds lists or objects in Python's notation"
        if self.lists or self.objects:
            return "holds lists" if self.lists >= self.objects else "holds objects"
        if few and self.there >= 2 * len(self.values):
            some = [shorten(value, 24) for value in sorted(self.values, key=lambda v: -self.values[v])]
            return f"holds {listed([repr(v) for v in some[:3]])}" + (" and others" if len(some) > 3 else "")
        return "names the rows" if self.each_its_own and self.letters < 16 * self.there else "holds texts"


class Unused:
    """Looks at the columns that nothing uses."""

    def __init__(self, case: Case) -> None:
        self.case, self.look_at = case, Looking(case.source, case.config)

    def look(self, batch: Batch) -> None:
        """Look at the next rows."""
        for number, row in enumerate(batch.rows, batch.start):
            self.look_at.add(number, row)

    def found(self) -> list[Finding]:
        """What was found: a finding for each column that may change what should be learned, one for all others."""
        told = [(column, *column.look_like()) for column in self.look_at.all]
        telling = [(column, words) for column, words, may in told if may]
        quiet = [(column, words) for column, words, may in told if not may]
        found = [
            Finding(
                "unused", *((column.bad, column.bad_rows) if _COUNTED.search(words) else (column.there, [])),
                f"{column.called} is not used: it {words}.", "warning", WHY,
            )
            for column, words in telling[:APART]
        ]  # fmt: skip
        if more := telling[APART:]:
            words = _many(more)
            count = max(column.there for column, _ in more)
            found.append(Finding("unused", count, [], f"More columns are not used: {words}.", "warning", WHY))
        if quiet:
            keys = any(column.within for column, _ in quiet)
            what = count_of(len(quiet), "column or key", "columns or keys") if keys else count_of(len(quiet), "column")
            what += " is" if len(quiet) == 1 else " are"
            message = f"{what} not used: {_many(quiet)}."
            found.append(Finding("unused", len(self.case.source.rows), [], message, "note", QUIET))
        return found


WHY = "What is not used is not learned. Give the column a part (data.roles) or a place in the template, or leave it so."
QUIET = "Nothing is learned from them."


def _many(columns: Sequence[tuple[Seen, str]]) -> str:
    """Columns with what they look like: the first in words, more by name, and how many there are beyond."""
    said = [f"{column.called} ({words.partition(':')[0]})" for column, words in columns[:DESCRIBED]]
    named = [column.called for column, _ in columns[DESCRIBED : DESCRIBED + NAMED]]
    beyond = len(columns) - DESCRIBED - NAMED
    return listed([*said, *named, *([f"{beyond:,} more"] if beyond > 0 else [])])


class Looking:
    """What is seen of the columns that nothing uses, and of the keys of turns that nobody reads, row by row."""

    def __init__(self, source: Source, config: RunConfig) -> None:
        taken, layout = used(source, config), source.layout
        mine = [column for column in source.columns if column in taken]
        self.columns = [Seen(c, same=set(mine)) for c in source.columns if c not in taken]
        self.talks: list[str] = []
        self.keys: dict[tuple[str, str], Seen] = {}
        self.names = (layout.roles.get("role", ""), layout.roles.get("content", ""))
        if Wording.of(config.data).text is None and all(self.names):
            talks = (layout.roles.get(role) for role in ("messages", "prompt", "chosen"))
            self.talks = [column for column in talks if column in source.columns]
        history = layout.roles.get("history", "")
        self.history = history if Wording.of(config.data).text is None and history in source.columns else ""

    def add(self, number: int, row: dict[str, Any]) -> None:
        """Look at the next row."""
        for column in self.columns:
            column.add(number, row.get(column.name), row)
        for talk in self.talks:
            self._keys(number, talk, unused_keys(row.get(talk), *self.names), row)
        if self.history:
            self._keys(number, self.history, unused_of_history(row.get(self.history)), row)

    def _keys(self, number: int, talk: str, keys: dict[str, Any], row: dict[str, Any]) -> None:
        """Look at what nobody reads in the turns of the next row."""
        for key, value in keys.items():
            if (talk, key) not in self.keys:
                self.keys[talk, key] = Seen(key, within=talk)
            self.keys[talk, key].add(number, value, row)

    @property
    def all(self) -> list[Seen]:
        """Columns in the order of the file, then keys."""
        return [*self.columns, *self.keys.values()]


def glance(source: Source, config: RunConfig) -> list[str]:
    """What is not used, in sentences, by some of the rows: each column that may change what should be learned, and the
    names of the others."""
    looking = Looking(source, config)
    for number, row in enumerate(source.rows.spaced(GLANCE)):
        looking.add(number, row)
    told = [(column, *column.look_like()) for column in looking.all]
    # The counts are those of a sample, so they are not said.
    said = [f"{c.called} is not used: it {words.partition(':')[0]}." for c, words, may in told if may]
    names = [c.called for c, _, may in told if not may]
    if names:
        some = names if len(names) <= DESCRIBED else [*names[: DESCRIBED - 1], f"{len(names) - DESCRIBED + 1:,} more"]
        said.append(f"Not used: {listed(some)}.")
    return said
