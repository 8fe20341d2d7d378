"""CSV, JSON, JSON Lines and plain text, from an open text stream to rows; an error names its line."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from core.data.json_words import Twice, once, several, twice, words
from core.data.lists import empty_in, lists_in, wanted
from core.data.tables import MOST_COLUMNS, Table, collect
from core.errors import InputError

FIELD = "data.path"
LONGEST = 100 << 20  # of one row or value: what is longer is a mistake, and would fill the memory
WHOLE = 16 << 20  # characters of JSON that are parsed at once
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAID = re.compile(r"\ufeff?\"?sep=(?P<delimiter>[,;\t|])\"?\r?\n", re.IGNORECASE)  # Excel's own first line


def fail(sentence: str) -> NoReturn:
    """Raise the error of a file that is wrong."""
    raise InputError(sentence, FIELD)


def spoken(path: Path) -> str:
    """A file's name as a sentence has it: on one line, and such as any terminal can print."""
    return "".join(c if c.isprintable() else "?" for c in path.name)


def shown(names: list[str]) -> str:
    """Names as a sentence has them: the first few, each on one line and not too long."""
    short = [" ".join(name.split()) for name in names[:6]]
    return ", ".join(name if len(name) <= 40 else name[:37] + "..." for name in short) + (
        ", ..." if len(names) > 6 else ""
    )


def read_csv(text: io.TextIOWrapper, name: str, delimiter: str) -> Table:
    """CSV with any of DELIMITERS (found where it is not given); the first line names the columns."""
    csv.field_size_limit(LONGEST)
    sample = text.read(1 << 16)
    if not sample.strip():
        fail(f"{name} holds nothing but white space.")
    complete = len(sample) < 1 << 16
    text.seek(0)
    said = _SAID.match(sample)
    if said:
        delimiter, sample = said["delimiter"], sample[said.end() :]
        text.readline()
    elif not delimiter or delimiter not in sample.splitlines()[0]:
        found, sure = find_delimiter(sample, complete)
        delimiter = found if sure or not delimiter else delimiter
    notes = [] if delimiter == "," else [f"Columns are separated by {DELIMITERS[delimiter]}."]
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    records = _csv_records(reader, name, 1 if said else 0)
    _, header = next(records, (0, []))
    if not header:
        fail(f"{name} holds nothing but the line that names its delimiter.")
    header = [column.strip().lstrip("\ufeff") for column in header]
    if header[0] == "" and len(header) > 1 and "index" not in header:
        header[0] = "index"
        notes.append("The first column has no name; it is called 'index' here.")
    check_names(header, name)

    def rows() -> Iterator[dict[str, Any]]:
        for line, record in records:
            if len(record) != len(header):
                fail(
                    f"{name}, line {line}: {len(record)} {'value' if len(record) == 1 else 'values'}, but the header "
                    f"names {len(header)} columns ({shown(header)})."
                )
            yield dict(zip(header, record, strict=True))

    table = collect(rows(), header)
    table.notes = notes
    if not table.data.num_rows:
        fail(f"{name} has a header ({shown(header)}) and no rows.")
    return table


def _csv_records(reader: Any, name: str, before: int) -> Iterator[tuple[int, list[str]]]:
    """Records that are not blank, each with the number of the line on which it begins; `before` lines were read."""
    while True:
        line = reader.line_num + 1 + before
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                fail(f"{name}, line {line}: a quotation mark is opened here and never closed.")
            if "field larger than" in str(error):
                fail(
                    f"{name}, line {line}: a value has more than {LONGEST >> 20} million characters. Is a quotation "
                    "mark opened here and never closed?"
                )
            if "expected after" in str(error):
                fail(
                    f"{name}, line {reader.line_num + before}: text goes on after a closing quotation mark; "
                    "write a mark inside quotes twice."
                )
            fail(f"{name}, line {reader.line_num + before}: {error}.")
        if record and (len(record) > 1 or record[0].strip()):
            yield line, record


def find_delimiter(sample: str, complete: bool) -> tuple[str, bool]:
    """The delimiter that cuts the first records into the same number of columns, and whether there is one."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        counts: list[int] = []
        try:
            for record in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
                if record:
                    counts.append(len(record))
                if len(counts) >= 60:
                    break
        except csv.Error:
            continue
        counts = counts if complete or len(counts) < 3 else counts[:-1]
        if not counts or counts[0] < 2:
            continue
        score = (sum(c == counts[0] for c in counts) / len(counts), counts[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best, best_score[0] > 0.9


def check_names(names: list[str], name: str) -> None:
    """Refuse columns without a name, two of the same name, and more than a table has."""
    if len(names) > MOST_COLUMNS:
        fail(
            f"{name} has {len(names):,} columns; at most {MOST_COLUMNS:,} can be read. Are rows and columns swapped, "
            "or is the delimiter another one?"
        )
    empty = next((i for i, n in enumerate(names, 1) if not n), None)
    if empty is not None:
        fail(f"{name}: column {empty} of {len(names)} has no name in the first line. Name it, or remove the column.")
    twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
    if twice is not None:
        fail(f"{name}: two columns are named {twice[:60]!r}. Rename one of them.")


# JSON


def parse(text: str, where: str) -> Any:
    """A JSON value, or an error that says where and what is wrong in words."""
    try:
        return json.loads(text, object_pairs_hook=once)
    except Twice:
        _check_twice(text, where)
        raise
    except json.JSONDecodeError as error:
        line = f"{where}, line {error.lineno}" if "\n" in text.rstrip() else where
        told = "" if text[: error.pos].strip() or error.msg != "Expecting value" else text[error.pos : error.pos + 1]
        if told and told not in "'/#“":
            fail(f"{where} is no JSON but plain text or a table; name the file .txt or .csv if it is meant so.")
        fail(f"{line}: this is not JSON: {words(error)} (character {error.colno}).")
    except RecursionError:
        fail(f"{where}: lists or objects are nested too deeply to be read.")
    except ValueError:
        fail(
            f"{where}: there is a number of more than {sys.get_int_max_str_digits():,} digits; "
            "write it as text, in quotes."
        )


def _check_twice(text: str, where: str) -> None:
    if found := twice(text):
        line = f"{where}, line {found[1]}" if "\n" in text.rstrip() else where
        fail(f"{line}: the name {found[0][:60]!r} stands twice in one object. Rename or remove one.")


def read_json(text: io.TextIOWrapper, name: str, part: str | None = None) -> Table:
    """An array of objects, or an object that holds one, or several of which `part` names one: see core.data.lists."""
    content = text.read(WHOLE)
    if not content.strip():
        fail(f"{name} holds nothing but white space.")
    lines = content.strip().splitlines()
    if len(lines) > 1 and lines[0].lstrip().startswith("{") and _is_json(lines[0]):
        check_lines(name, content[: 1 << 16])
        text.seek(0)
        from core.data.jsonlines import read_jsonl  # which reads by this module what is one array

        table = read_jsonl(text, name)
        table.notes.append("The file holds one JSON object a line; it was read as JSON Lines.")
        return table
    if len(content) == WHOLE:
        text.seek(0)
        from core.data.jsonarrays import read_large  # which says what is wrong in this module's words

        _check_twice(content[: 1 << 16], name)
        return read_large(text, name, part)
    notes = list[str]()
    value: Any = several(content) if content.lstrip().startswith("{") else None
    if value is None and content.lstrip().startswith("{"):
        _check_twice(content, name)
    if value is None or len(value) == 1:
        value = parse(content, name)
    else:
        notes.append("The file holds JSON objects one after the other; each is a row.")
    lists: dict[str, list[dict[str, Any]]] = {}
    if isinstance(value, dict):
        lists = lists_in(value)
        if not lists:
            fail(f"{name} holds one object without a list of rows: an array of objects is needed, [{{...}}, {{...}}].")
        found, told = wanted(list(lists), part, name, empty_in(value))
        notes += told
        value = lists[found]
    if not isinstance(value, list):
        fail(f"{name} holds {what(value)}: an array of objects is needed, [{{...}}, {{...}}].")
    if not value:
        fail(f"{name} holds an empty array: there are no rows.")
    for number, item in enumerate(value):
        if not isinstance(item, dict):
            fail(f"{name}: row {number} of the array is {what(item)}, not an object with named values.")
    table = collect(value)
    table.notes, table.lists = notes, tuple(lists)
    return table


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def what(value: Any) -> str:
    """A value of JSON, by its kind."""
    if value is None or isinstance(value, bool):
        return "just " + json.dumps(value)
    return {str: "a text", int: "a number", float: "a number", list: "a list", dict: "an object"}[type(value)]


def is_list_line(line: str) -> bool:
    """Whether a first line is a whole list that holds no objects: a broken JSON Lines file rather than an array."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return not (value and all(isinstance(i, dict) for i in value))


def check_lines(name: str, sample: str) -> str:
    """Look at the first lines of JSON Lines for names that stand twice, which the fast reader does not see.

    Returns:
        "jsonl", or "json" where the first objects go over several lines or stand together on one.
    """
    parts = sample.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = [(number, line.strip()) for number, line in enumerate(parts, 1) if line.strip()]
    if lines and lines[0][1].startswith("{"):
        first = lines[0][1]
        if first[-1] in "{[,:" or len(several(first) or []) > 1:
            return "json"
    for number, line in lines:
        try:
            json.loads(line, object_pairs_hook=once)
        except Twice:
            parse(line, f"{name}, line {number}")
        except (ValueError, RecursionError):
            break  # the reader says it, or the sample ends here
    return "jsonl"


# Plain text


def read_plain(text: io.TextIOWrapper, name: str) -> Table:
    """Paragraphs where blank lines part them, otherwise lines."""
    blank = lines = parts = 0
    for line in text:  # a first time, to see whether blank lines part it
        if not line.strip():
            blank = 1
        else:
            parts += not lines or blank
            lines, blank = lines + 1, 0
    if not lines:
        fail(f"{name} holds nothing but white space.")
    text.seek(0)
    by_paragraph = 1 < parts < lines
    found = _paragraphs(text) if by_paragraph else (line.rstrip("\r\n") for line in text if line.strip())
    table = collect({"text": item} for item in found)
    table.notes = ["Each paragraph is a row." if by_paragraph else "Each line is a row."]
    return table


def _paragraphs(text: io.TextIOWrapper) -> Iterator[str]:
    lines: list[str] = []
    for line in text:
        if line.strip():
            lines.append(line.rstrip("\r\n"))
        elif lines:
            yield "\n".join(lines)
            lines.clear()
    if lines:
        yield "\n".join(lines)
