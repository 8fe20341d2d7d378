"""Rows of other tools' layouts get columns that the known layouts read: answers, choices, two languages, turns."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.data.choices import LETTERS, TOLD, UNSURE, counted, marked, one_hot, options, right_mark, rivals, told_by
from core.data.column_names import (
    ASKED_ABOUT,
    LANGUAGES,
    PAIRS,
    PREFERRED,
    PROMPTS,
    RIGHT_CHOICE,
    TALKS,
    TEXTS,
    WHOLE,
    WITH_CHOICES,
)
from core.data.derived import derived
from core.data.files import listed
from core.data.formats import earlier_turns, one_turn
from core.data.recognise import Look, folded, keys_of
from core.data.rows import Rows
from core.data.tables import Table, collect
from core.data.turns import as_text, role_of, turns_of
from core.data.values import parsed
from core.errors import InputError

Row = dict[str, Any]
QUESTIONS = ("question", "question_stem", "stem", "query", "prompt", "problem", "goal", "ctx", "sentence", "premise",
             "startphrase", "instruction", "input", "context", "text")  # fmt: skip
CHOICES = ("choices", "options", "endings", "candidates", "alternatives", "answer_choices", "answer_options",
           "candidate_answers", "possible_answers", "mc_options", "optionen", "auswahl")  # fmt: skip
KEYS = ("answerkey", "answer_key", "answer_idx", "answer_index", "answer_id", "answer_letter", "correct_answer_index",
        "correct_answer_idx", "correct_answer_key", "correct_index", "correct_idx", "correct_option", "correct_choice",
        "right_answer", "correct_answer", "correct", "gold", "gold_index", "gold_label", "cop", "label", "answer",
        "target", "solution", "key")  # fmt: skip
ANSWERS = ("answers", "answer", "gold_answers", "answers_spans", "answer_spans")
INSIDE = ("text", "answer", "value", "answer_text", "spans", "span", "texts", "input_text")  # of an object of answers
TRANSLATIONS = ("translation", "translations", "sentence_pair")
_NUMBERED = re.compile(r"(?:option|choice|ending|answer|sol|op|opt|choice_text|option_text|alternative)_?([0-9]|[a-j])")


@dataclass(frozen=True)
class Shape:
    """Columns that follow from others, row by row.

    Attributes:
        made: their names. of: those that they follow from.
        make: a row -> the values of the new columns, in their order; None where a row has none.
        note: a sentence for a person.
        replaces: whether the columns of `of` go, because the new ones hold all of them.
    """

    made: tuple[str, ...]
    of: tuple[str, ...]
    make: Callable[[Row], Sequence[Any]]
    note: str
    replaces: bool = False


def reshape(table: Table, sample: Sequence[Row]) -> Table:
    """The table with the columns that its rows are read by, where they are in another tool's layout; else as it is.

    Multiple choice: the question with its choices, and the letter of the right one. Answers in lists or objects, as
    SQuAD's: the first one. `translation`: a column a language. A question in turns beside its answer: the conversation.

    Args:
        sample: some of its rows.
    """
    look = Look(table.columns, list(sample))
    if (shape := _opened(look)) is not None:
        table = _with(table, shape)
        inner = [dict(zip(shape.made, shape.make(row) or [None] * len(shape.made), strict=True)) for row in sample]
        look = Look(table.columns, [row | more for row, more in zip(sample, inner, strict=True)])
    choices = functools.partial(_choices, table=table)
    for find in (choices, _answers, _translation, _talk, _pairs):
        if (shape := find(look)) is not None:
            return _with(table, shape)
    return table


def _with(table: Table, shape: Shape) -> Table:
    def rows() -> Iterator[Row]:
        empty = (None,) * len(shape.made)
        for row in Rows(table.data.select(list(shape.of)), table.json & set(shape.of)):
            yield dict(zip(shape.made, shape.make(row) or empty, strict=True))

    what = f"{shape.note} {shape.of}"
    more = derived(what, table.digest, lambda: collect(rows(), list(shape.made)))
    data, columns = table.data, list(table.columns)
    for name in shape.made:
        data = data.append_column(name, more.data.column(name))
    if shape.replaces:
        data, columns = data.drop_columns(list(shape.of)), [c for c in columns if c not in shape.of]
    as_json = (table.json | more.json) & set(data.column_names)
    made = {**table.made, **({} if shape.replaces else dict.fromkeys(shape.made, shape.of))}
    notes = [*table.notes, shape.note]
    return replace(table, data=data, columns=[*columns, *shape.made], json=as_json, notes=notes, made=made)


def _free(name: str, columns: Sequence[str]) -> str:
    """A name for a new column."""
    while name in columns:
        name += "_"
    return name


def _most(values: Sequence[Any], is_one: Callable[[Any], Any]) -> bool:
    """Whether this holds for most values that are there, and there are some."""
    there = [value for value in values if value not in (None, "", [], {})]
    return bool(there) and 2 * sum(bool(is_one(value)) for value in there) > len(there)


# Multiple choice


def _opened(look: Look) -> Shape | None:
    """A question and its choices that stand in one object, as ARC's, and choices of which a list of 0 and 1 says which
    is right, as TruthfulQA's."""
    for column in look.columns:
        for get, names in ((_stem, ("question_stem", "choices")), (one_hot, ("choices", "answerKey"))):
            if _most(_of(look, column), get) and (get is one_hot or folded(column) in QUESTIONS):
                others = [c for c in look.columns if get is one_hot or c != column]
                made = tuple(_free(name, others) for name in names)
                make = functools.partial(_inner, column=column, get=get)
                note = f"{column!r} holds {listed([repr(name) for name in made])}."
                return Shape(made, (column,), make, note, replaces=get is _stem)
    return None


def _inner(row: Row, column: str, get: Callable[[Any], list[Any]]) -> list[Any]:
    return get(row.get(column))


def _stem(value: Any) -> list[Any]:
    value = parsed(value)
    if not isinstance(value, dict):
        return []
    asked = next((value[k] for k in QUESTIONS if isinstance(value.get(k), str)), None)
    offer = next((value[k] for k in CHOICES if options(value.get(k))), None)
    return [asked, offer] if asked is not None and offer is not None else []


def _choices(look: Look, table: Table) -> Shape | None:
    """The question with its choices, and the label of the right one."""
    column = next(
        (look.names[n] for n in CHOICES if n in look.names and _most(_of(look, look.names[n]), options)), None
    )
    columns = [column] if column else _numbered(look)
    if not columns or look.both(PREFERRED):
        return None
    rest = Look([c for c in look.columns if c not in columns], look.rows)
    asked = next((rest.names[n] for n in QUESTIONS if n in rest.names and _worded(look, rest.names[n])), None)
    read = functools.partial(_offered, columns=tuple(columns))
    for name in KEYS:
        key = rest.names.get(name)
        if asked is None or key is None or key == asked:
            continue
        found = [(read(row), row.get(key)) for row in look.rows if row.get(key) not in (None, "", -1, "-1")]
        by = told_by(found[:LOOKED_AT], column is not None and _most(_of(look, column), _numbers))
        others = rivals(found, by) if by not in (None, "mark") else []
        if by in ("0", "1"):  # rows may be sorted, so each value counts
            values = [row[key] for row in Rows(table.data.select([key]), table.json & {key})]
            by, sure = counted(by, values, max(len(offer) for offer, _ in found))
            others = [way for way in others if way not in ("0", "1") or not sure]
        if by is None or (all(len(c) == 1 for c in columns) and by not in ("mark", "text")):
            continue  # a, b and c beside a label may be anything
        made = (_free(WITH_CHOICES, look.columns), _free(RIGHT_CHOICE, look.columns))
        make = functools.partial(_asked, asked=asked, key=key, columns=tuple(columns), by=by)
        what = repr(column) if column else listed([repr(c) for c in columns])
        note = (
            f"{made[0]!r} is {asked!r} with the choices of {what} below it, and {made[1]!r} the mark of the right one, "
            f"by {key!r}, which {TOLD[by]}."
        )
        if others:
            note += f" That {UNSURE}: it fits all rows as well that {key!r} {' or '.join(TOLD[way] for way in others)}."
        return Shape(made, (asked, key, *columns), make, note)
    return None


LOOKED_AT = 50  # rows by which a key of right choices is told


def _worded(look: Look, column: str) -> bool:
    return _most(_of(look, column), lambda value: isinstance(value, str))


def _numbers(value: Any) -> bool:
    value = parsed(value)
    return isinstance(value, list) and all(isinstance(item, int | float) for item in value)


def _of(look: Look, column: str) -> list[Any]:
    return [row.get(column) for row in look.rows]


def _numbered(look: Look) -> list[str]:
    """Columns that hold a choice each: A, B, C and D; option_a, option_b; ending0, ending1."""
    for names in (LETTERS[:10], LETTERS[:10].lower()):
        letters = [c for c in names if c in look.columns]
        if len(letters) > 1 and letters == list(names[: len(letters)]):
            return letters
    found: dict[str, list[str]] = {}
    for column in look.columns:
        if match := _NUMBERED.fullmatch(folded(column)):
            found.setdefault(folded(column)[: match.start(1)], []).append(column)
    several = next((sorted(columns, key=folded) for columns in found.values() if len(columns) > 1), [])
    return several if all(_most(_of(look, c), lambda v: isinstance(v, str)) for c in several) else []


def _offered(row: Row, columns: tuple[str, ...]) -> list[tuple[str, str]]:
    """The choices of a row."""
    if len(columns) == 1:
        return options(row.get(columns[0]))
    return marked([row.get(c) for c in columns if as_text(row.get(c)).strip()], None)


def _asked(row: Row, asked: str, key: str, columns: tuple[str, ...], by: str) -> tuple[str | None, str | None]:
    offer = _offered(row, columns)
    if not offer:
        return None, None
    question = "\n".join([as_text(row.get(asked)).rstrip(), *(f"{mark}. {text}" for mark, text in offer)])
    return question, right_mark(offer, row.get(key), by)


# Answers in lists and objects


def _answers(look: Look) -> Shape | None:
    """The first of several answers to a question, as SQuAD keeps them."""
    asked = look.named(("question", "query", "prompt", "input", "problem"))
    column = next(
        (look.names[n] for n in ANSWERS if n in look.names and _most(_of(look, look.names[n]), _answer_like)), None
    )
    if asked is None or column is None or not _worded(look, asked) or look.both(PREFERRED):
        return None
    name = "answer" if "answer" not in look.columns else "first_answer"
    if name == "answer" and "answer" in look.names:
        name = "first_answer"
    made = (_free(name, look.columns),)
    note = f"{made[0]!r} is the first of the answers in {column!r}; rows without one have nothing to learn."
    return Shape(made, (column,), functools.partial(_first_answer, column=column), note)


def _answer_like(value: Any) -> bool:
    """Whether a value is an object of answers, or a list of them."""
    value = parsed(value)
    if isinstance(value, dict):
        return any(folded(key) in INSIDE for key in value)
    return isinstance(value, list) and all(
        isinstance(item, str) or (isinstance(item, dict) and any(folded(k) in INSIDE for k in item)) for item in value
    )


def _first_answer(row: Row, column: str) -> tuple[str | None]:
    return (first_text(row.get(column)),)


def first_text(value: Any) -> str | None:
    """The first text of an answer, however deep; None where there is none."""
    value = parsed(value)
    if isinstance(value, list):
        return next((text for item in value if (text := first_text(item)) is not None), None)
    if isinstance(value, dict):
        value = {folded(key): inner for key, inner in value.items()}
        return next((text for key in INSIDE if key in value and (text := first_text(value[key])) is not None), None)
    text = as_text(value)
    return text if text.strip() else None


# Languages


def _translation(look: Look) -> Shape | None:
    """A column for each language."""
    column = next(
        (look.names[n] for n in TRANSLATIONS if n in look.names and _most(_of(look, look.names[n]), _languages)), None
    )
    if column is None:
        return None
    keys = dict.fromkeys(key for value in _of(look, column) for key in _languages(value))
    others = [c for c in look.columns if c != column]
    made = tuple(key if key not in others else f"{column}_{key}" for key in keys)
    make = functools.partial(_by_language, column=column, keys=tuple(keys))
    note = f"{column!r} holds the same text in several languages: each has a column of its own, {listed(list(made))}."
    return Shape(made, (column,), make, note, replaces=True)


def _languages(value: Any) -> dict[str, Any]:
    value = parsed(value)
    if not isinstance(value, dict) or len(value) < 2:
        return {}
    if set(value) == {"language", "translation"} and all(isinstance(v, list) for v in value.values()):
        value = dict(zip(map(as_text, value["language"]), value["translation"], strict=False))
    known = all(LANGUAGES.fullmatch(key) for key in value)
    return value if known and all(v is None or isinstance(v, str) for v in value.values()) else {}


def _by_language(row: Row, column: str, keys: tuple[str, ...]) -> list[Any]:
    found = _languages(row.get(column))
    return [found.get(key) for key in keys]


# Turns beside an answer


def _talk(look: Look) -> Shape | None:
    """A conversation that is kept in two columns: what is asked, in turns or as a text, and what is answered."""
    if look.both(PREFERRED):
        return None
    for asked, answered in _both(look):
        keys = keys_of(look.turns(asked)) or keys_of(look.turns(answered))
        speaks = [*look.turns(asked), *look.turns(answered)]
        if not keys or not any(role_of(turn.get(keys["role"])) for turn in speaks):
            continue
        if folded(asked) in TALKS and not _most(_of(look, asked), functools.partial(_unanswered, role=keys["role"])):
            continue
        made = (_free(WHOLE, look.columns),)
        make = functools.partial(_joined, asked=asked, answered=answered, role=keys["role"], content=keys["content"])
        note = f"{made[0]!r} are the turns of {asked!r} with {answered!r} behind them; only that is learned."
        return Shape(made, (asked, answered), make, note)
    return None


def _pairs(look: Look) -> Shape | None:
    """A conversation that is kept as pairs of what is asked and answered."""
    column = next((look.names[n] for n in TALKS if n in look.names), None)
    if column is None or keys_of(look.turns(column)) or not _most(_of(look, column), lambda v: _paired(v, column)):
        return None
    made = (_free(WHOLE, look.columns),)
    note = f"{made[0]!r} are the pairs of {column!r} as turns."
    return Shape(made, (column,), functools.partial(_unpaired, column=column), note)


def _paired(value: Any, column: str) -> list[Row]:
    try:
        return earlier_turns(value, column) if not isinstance(value, str) or value.lstrip()[:1] == "[" else []
    except InputError:
        return []


def _unpaired(row: Row, column: str) -> tuple[list[Row] | None]:
    return (_paired(row.get(column), column) or None,)


def _both(look: Look) -> Iterator[tuple[str, str]]:
    """Pairs of columns, the second of which may answer the first."""
    for one, other in PAIRS:
        if one in look.names and other in look.names:
            yield look.names[one], look.names[other]
    pair = look.both(PAIRS)
    if pair and all(_most(_of(look, column), lambda value: isinstance(value, str)) for column in pair):
        return  # a question and its answer as texts, whatever turns stand beside
    answers = dict.fromkeys(other for _, other in PAIRS)
    for talk in (*TALKS, *PROMPTS):
        for answer in answers:
            if talk in look.names and answer in look.names and answer not in TEXTS and answer not in ASKED_ABOUT:
                yield look.names[talk], look.names[answer]


def _unanswered(value: Any, role: str) -> bool:
    """Whether a conversation ends with somebody else than the assistant."""
    turns = turns_of(value) or [None]
    return isinstance(turns[-1], dict) and role_of(turns[-1].get(role)) != "assistant"


def _joined(row: Row, asked: str, answered: str, role: str, content: str) -> tuple[list[Row] | None]:
    before = _turns(row.get(asked), "user", role, content)
    after = _turns(row.get(answered), "assistant", role, content)
    if before is None or after is None:
        return (None,)
    given = [turn | {"weight": 0} if role_of(turn.get(role)) == "assistant" else turn for turn in before]
    return ([*given, *after],)


def _turns(value: Any, speaker: str, role: str, content: str) -> list[Row] | None:
    """The turns in a value; a text is one of the speaker's. None where there are none to be read."""
    if (turn := one_turn(value)) is not None and role in turn:
        return [turn]
    turns = turns_of(value)
    if turns is not None:
        return turns if all(isinstance(turn, dict) for turn in turns) else None
    text = as_text(value)
    if not text.strip():
        return []
    name = speaker if role != "from" else {"user": "human", "assistant": "gpt"}[speaker]
    return [{role: name, content: text}]
