"""Files of examples, read into Arrow by our own readers: nothing is guessed away, and an error names its line."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

import pyarrow as pa

from core.errors import InputError, nearest
from core.paths import portable

FIELD = "data.path"
BATCH = 5000
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
KINDS = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".pq": "parquet", ".txt": "text", ".text": "text", ".md": "text",
}  # fmt: skip
# The first bytes of files that are no table of examples, and what to say of them.
ARCHIVE = "an archive: unpack it and give the file of examples inside"
MAGIC = {
    b"PK\x03\x04": ARCHIVE, b"PK\x05\x06": ARCHIVE, b"7z\xbc\xaf\x27\x1c": ARCHIVE, b"Rar!": ARCHIVE,
    b"BZh": "packed with bzip2: unpack it first", b"\xfd7zXZ": "packed with xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "packed with zstd: unpack it first", b"%PDF": "a PDF: copy its text into a table first",
    b"SQLite format 3": "an SQLite database: export the table as CSV", b"ARROW1": "an Arrow file: save it as Parquet",
    b"\xd0\xcf\x11\xe0": "an old Office document: save it as CSV", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture",
    b"GGUF": "a model's weights, not examples",
}  # fmt: skip


@dataclass
class Table:
    """The rows of a file.

    Attributes:
        data: an Arrow table; a column of text is a string column, any other holds JSON text (see `json`).
        columns: names, in the order of the file.
        json: names of the columns whose strings are JSON: numbers, lists, objects, or mixed types, kept exactly.
        notes: what a person should know of how the file was read.
        digest: sha256 of the file's bytes, in hex.
    """

    data: pa.Table
    columns: list[str]
    json: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    digest: str = ""


def read(path: str | Path) -> Table:
    """Read a file of examples: CSV or TSV, JSON, JSON Lines, Parquet or plain text, each also packed with gzip.

    The kind is taken from the name's ending, or found from the content. Values of CSV stay text as they are written.

    Raises:
        InputError: field "data.path"; one sentence that says what is wrong, with the line where there is one.
    """
    path = Path(path)
    name = path.name
    _check_file(path)
    digest, head = _digest(path)
    packed = head[:2] == b"\x1f\x8b"
    opener: Callable[[], IO[bytes]] = (lambda: gzip.open(path, "rb")) if packed else (lambda: open(path, "rb"))
    try:
        if packed:
            with opener() as stream:
                head = stream.read(1024)
        _check_magic(name, head)
        endings = [s.lower() for s in path.suffixes]
        kind = KINDS.get(
            endings[-2] if len(endings) > 1 and endings[-1] == ".gz" else endings[-1] if endings else "", ""
        )
        if head[:4] == b"PAR1" or kind == "parquet":
            table = _read_parquet(path, packed)
        else:
            encoding, notes = _find_encoding(opener, name)
            with io.TextIOWrapper(opener(), encoding=encoding, newline="") as text:
                table = _read_text_kind(kind or _sniff(head, encoding), text, name, endings)
            table.notes = notes + table.notes
    except (gzip.BadGzipFile, EOFError):
        _fail(f"{name} is packed with gzip but damaged: it ends too early or was changed.")
    except MemoryError:
        _fail(f"{name} does not fit into memory: give a part of it.")
    except OSError as error:
        _fail(f"{name} cannot be read: {(error.strerror or str(error)).lower()}.")
    if not table.data.num_rows:
        _fail(f"{name} holds no rows.")
    table.digest = digest
    return table


def _fail(sentence: str) -> NoReturn:
    raise InputError(sentence, FIELD)


def _check_file(path: Path) -> None:
    shown = portable(path)
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if p.suffix.lower() in KINDS)
        hint = f" It holds {', '.join(inside[:5])}{', ...' if len(inside) > 5 else ''}." if inside else ""
        _fail(f"{shown!r} is a folder: name one file of examples.{hint}")
    if not path.exists():
        near = nearest(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        hint = f" Did you mean {near!r}?" if near else ""
        where = "" if path.parent.is_dir() else f" There is no folder {portable(path.parent)!r} either."
        _fail(f"There is no file {shown!r}.{hint}{where}")
    if not path.is_file():
        _fail(f"{shown!r} is no ordinary file.")
    try:
        size = path.stat().st_size
        path.open("rb").close()
    except PermissionError:
        _fail(f"{path.name} cannot be opened: you have no right to read it.")
    if size == 0:
        _fail(f"{path.name} is empty: it has no bytes at all.")


def _digest(path: Path) -> tuple[str, bytes]:
    sha, head = hashlib.sha256(), b""
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            head = head or chunk[:1024]
            sha.update(chunk)
    return sha.hexdigest(), head


def _check_magic(name: str, head: bytes) -> None:
    if head[:4] == b"PK\x03\x04" and name.lower().endswith((".xlsx", ".xlsm", ".ods")):
        _fail(f"{name} is a spreadsheet: save the sheet as CSV and give that.")
    if head[257:262] == b"ustar":
        _fail(f"{name} is {ARCHIVE}.")
    for magic, what in MAGIC.items():
        if head.startswith(magic):
            _fail(f"{name} is {what}.")


# Text


def _find_encoding(opener: Callable[[], IO[bytes]], name: str) -> tuple[str, list[str]]:
    """The encoding of a text file, and notes. Reads all of it once, a megabyte at a time."""
    with opener() as stream:
        head = stream.read(4096)
    for bom, encoding in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
                          (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):  # fmt: skip
        if head.startswith(bom):
            _decodes(opener, encoding, name)
            return encoding, [] if "8" in encoding else [f"The file is {encoding.upper()}."]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if len(head) >= 4 and max(even, odd) > 0.4 * len(head) / 2 and min(even, odd) < 0.05 * len(head) / 2:
        encoding = "utf-16-le" if odd > even else "utf-16-be"
        _decodes(opener, encoding, name)
        return encoding, ["The file is UTF-16 without a mark at its beginning."]
    control = sum(b < 32 and b not in b"\t\n\r\f\x1b" for b in head)
    if control > 0.02 * len(head) and (0 in head or control > 0.1 * len(head)):
        _fail(f"{name} is a binary file, not text: CSV, JSON, JSON Lines, Parquet and plain text can be read.")
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
    with opener() as stream:
        while chunk := stream.read(1 << 20):
            if 0 in chunk:
                line += chunk[: chunk.index(0)].count(b"\n")
                _fail(f"{name}, line {line}: there is a NUL byte, which no text has. The file may be damaged.")
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                line += chunk[: error.start].count(b"\n")
                encoding = _eight_bit(opener)
                label = "Windows-1252" if encoding == "cp1252" else "Latin-1"
                return encoding, [f"The file is not UTF-8 (see line {line}); it was read as {label}."]
            line += chunk.count(b"\n")
    return "utf-8", []


def _eight_bit(opener: Callable[[], IO[bytes]]) -> str:
    """Windows-1252, or Latin-1 where a byte has no meaning in it."""
    with opener() as stream:
        while chunk := stream.read(1 << 20):
            if re.search(rb"[\x81\x8d\x8f\x90\x9d]", chunk):
                return "latin-1"
    return "cp1252"


def _decodes(opener: Callable[[], IO[bytes]], encoding: str, name: str) -> None:
    try:
        with io.TextIOWrapper(opener(), encoding=encoding, newline="") as text:
            line = 1
            while chunk := text.read(1 << 20):
                if "\0" in chunk:
                    line += chunk[: chunk.index("\0")].count("\n")
                    _fail(f"{name}, line {line}: there is a NUL character, which no text has. The file may be damaged.")
                line += chunk.count("\n")
    except UnicodeError:
        _fail(f"{name} begins as {encoding.upper()} but cannot be decoded as such: the file may be damaged.")


def _sniff(head: bytes, encoding: str) -> str:
    """The kind of a text file whose name does not tell."""
    text = head.decode(encoding, "ignore").lstrip("\ufeff \t\r\n")
    if text.startswith(("{", "[")):
        return "jsonl" if text.startswith("{") else "json"
    return "csv" if _delimiter(text, complete=len(head) < 1024)[1] else "text"


def _read_text_kind(kind: str, text: io.TextIOWrapper, name: str, endings: list[str]) -> Table:
    match kind:
        case "csv":
            return _read_csv(text, name, "\t" if ".tsv" in endings or ".tab" in endings else "")
        case "json":
            return _read_json(text, name)
        case "jsonl":
            return _read_jsonl(text, name)
        case _:
            return _read_plain(text, name)


def _read_csv(text: io.TextIOWrapper, name: str, delimiter: str) -> Table:
    csv.field_size_limit(sys.maxsize if sys.maxsize < 2**31 else 2**31 - 1)
    sample = text.read(1 << 16)
    if not sample.strip():
        _fail(f"{name} holds nothing but white space.")
    complete = len(sample) < 1 << 16
    text.seek(0)
    if not delimiter or delimiter not in sample.splitlines()[0]:
        delimiter = _delimiter(sample, complete)[0]
    notes = [] if delimiter == "," else [f"Columns are separated by {DELIMITERS[delimiter]}."]
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    records = _csv_records(reader, name)
    _, header = next(records)
    header = [column.strip().lstrip("\ufeff") for column in header]
    if header[0] == "" and len(header) > 1 and "index" not in header:
        header[0] = "index"
        notes.append("The first column has no name; it is called 'index' here.")
    _check_names(header, name)

    def rows() -> Iterator[dict[str, Any]]:
        for line, record in records:
            if len(record) != len(header):
                _fail(
                    f"{name}, line {line}: {len(record)} {'value' if len(record) == 1 else 'values'}, but the header "
                    f"names {len(header)} columns ({', '.join(header[:6])}{', ...' if len(header) > 6 else ''})."
                )
            yield dict(zip(header, record, strict=True))

    table = _collect(rows(), header)
    table.notes = notes
    if not table.data.num_rows:
        _fail(f"{name} has a header ({', '.join(header[:6])}) and no rows.")
    return table


def _csv_records(reader: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    """Records that are not blank, each with the number of the line on which it begins."""
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                _fail(f"{name}, line {line}: a quotation mark is opened here and never closed.")
            if "expected after" in str(error):
                _fail(
                    f"{name}, line {reader.line_num}: text goes on after a closing quotation mark; write a mark inside quotes twice."
                )
            _fail(f"{name}, line {reader.line_num}: {error}.")
        if record and (len(record) > 1 or record[0].strip()):
            yield line, record


def _delimiter(sample: str, complete: bool) -> tuple[str, bool]:
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


def _check_names(names: list[str], name: str) -> None:
    empty = next((i for i, n in enumerate(names, 1) if not n), None)
    if empty is not None:
        _fail(f"{name}: column {empty} of {len(names)} has no name in the first line. Name it, or remove the column.")
    twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
    if twice is not None:
        _fail(f"{name}: two columns are named {twice!r}. Rename one of them.")


# JSON


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = f"{where}, line {error.lineno}" if "\n" in text.rstrip() else where
        _fail(f"{line}: this is not JSON: {_json_words(error)} (character {error.colno}).")
    except RecursionError:
        _fail(f"{where}: lists or objects are nested too deeply to be read.")
    except ValueError:
        _fail(
            f"{where}: there is a number of more than {sys.get_int_max_str_digits():,} digits; write it as text, in quotes."
        )


def _json_words(error: json.JSONDecodeError) -> str:
    found = error.doc[error.pos : error.pos + 1]
    if not found:
        return "it ends too early"
    words = {
        "Expecting value": f"a value is missing before {found!r}",
        "Expecting ',' delimiter": f"a comma is missing before {found!r}",
        "Expecting ':' delimiter": f"a colon is missing before {found!r}",
        "Expecting property name enclosed in double quotes": "a name in double quotes is missing",
        "Illegal trailing comma before end of object": "there is a comma too many before }",
        "Illegal trailing comma before end of array": "there is a comma too many before ]",
        "Extra data": f"something follows the end of the object: {found!r}",
        "Invalid control character at": "there is a raw line break or control character inside a text; write \\n",
    }
    if error.msg.startswith("Unterminated string"):
        return "a text is opened with a quotation mark and never closed"
    return words.get(error.msg, error.msg[:1].lower() + error.msg[1:])


def _read_json(text: io.TextIOWrapper, name: str) -> Table:
    content = text.read()
    if not content.strip():
        _fail(f"{name} holds nothing but white space.")
    lines = content.strip().splitlines()
    if len(lines) > 1 and lines[0].lstrip().startswith("{") and _is_json(lines[0]):
        text.seek(0)
        table = _read_jsonl(text, name)
        table.notes.append("The file holds one JSON object a line; it was read as JSON Lines.")
        return table
    value, notes = _parse(content, name), list[str]()
    if isinstance(value, dict):
        lists = [k for k, v in value.items() if isinstance(v, list) and v and all(isinstance(i, dict) for i in v)]
        if len(lists) == 1:
            notes.append(f"The rows are those under {lists[0]!r}.")
            value = value[lists[0]]
        elif lists:
            _fail(f"{name} holds several lists of objects ({', '.join(lists)}): keep the one with the examples.")
        else:
            _fail(f"{name} holds one object without a list of rows: an array of objects is needed, [{{...}}, {{...}}].")
    if not isinstance(value, list):
        _fail(f"{name} holds {_what(value)}: an array of objects is needed, [{{...}}, {{...}}].")
    if not value:
        _fail(f"{name} holds an empty array: there are no rows.")
    for number, item in enumerate(value, 1):
        if not isinstance(item, dict):
            _fail(f"{name}: item {number} of the array is {_what(item)}, not an object with named values.")
    table = _collect(value)
    table.notes = notes
    return table


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _what(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "just " + json.dumps(value)
    return {str: "a text", int: "a number", float: "a number", list: "a list", dict: "an object"}[type(value)]


def _read_jsonl(text: io.TextIOWrapper, name: str) -> Table:
    first = ""
    while not first and (line := text.readline()):
        first = line.strip()
    text.seek(0)
    if not first:
        _fail(f"{name} holds nothing but white space.")
    if first.startswith("[") and not _is_list_line(first):
        table = _read_json(text, name)
        table.notes.append("The file holds one JSON array; it was read as JSON.")
        return table

    def rows() -> Iterator[dict[str, Any]]:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            value = _parse(line.strip(), f"{name}, line {number}")
            if not isinstance(value, dict):
                _fail(f"{name}, line {number}: this is {_what(value)}, not an object with named values.")
            yield value

    return _collect(rows())


def _is_list_line(line: str) -> bool:
    """Whether a first line is a whole list that holds no objects: a broken JSON Lines file rather than an array."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return not (value and all(isinstance(i, dict) for i in value))


# Plain text and Parquet


def _read_plain(text: io.TextIOWrapper, name: str) -> Table:
    """Paragraphs where blank lines part them, otherwise lines."""
    content = text.read().replace("\r\n", "\n").replace("\r", "\n")
    paragraphs = [p.strip("\n") for p in re.split(r"\n[ \t]*\n", content) if p.strip()]
    lines = [line for line in content.split("\n") if line.strip()]
    by_paragraph = 1 < len(paragraphs) < len(lines)
    found = paragraphs if by_paragraph else lines
    if not found:
        _fail(f"{name} holds nothing but white space.")
    table = _collect({"text": item} for item in found)
    table.notes = ["Each paragraph is a row." if by_paragraph else "Each line is a row."]
    return table


def _read_parquet(path: Path, packed: bool) -> Table:
    import pyarrow.parquet as pq

    name = path.name
    if packed:
        _fail(f"{name} is packed with gzip on top of Parquet: unpack it first.")
    try:
        data = pq.read_table(path, memory_map=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        reason = str(error).split("\n")[0].rstrip(".")[:160]
        _fail(f"{name} is no Parquet file that can be read: {reason}.")
    if not data.num_columns:
        _fail(f"{name} has no columns.")
    _check_names(list(data.column_names), name)
    return Table(data, list(data.column_names))


# Rows into Arrow


def _collect(rows: Iterable[dict[str, Any]], columns: list[str] | None = None) -> Table:
    """Rows as an Arrow table, in batches. A column whose values are all text becomes a string column, others JSON."""
    names = dict.fromkeys(columns or [])
    as_json: set[str] = set()
    done: list[dict[str, pa.Array]] = []
    batch: list[dict[str, Any]] = []

    def flush() -> None:
        made = {}
        for name in names:
            values = [row.get(name) for row in batch]
            if name not in as_json and any(v is not None and not isinstance(v, str) for v in values):
                as_json.add(name)
                for chunk in done:
                    if name in chunk:
                        chunk[name] = pa.array([_dump(v) for v in chunk[name].to_pylist()], pa.large_string())
            made[name] = pa.array(map(_dump, values) if name in as_json else map(_whole, values), pa.large_string())
        done.append(made)
        batch.clear()

    for row in rows:
        for name in row:
            if name not in names:
                names[name] = None
        batch.append(row)
        if len(batch) >= BATCH:
            flush()
    if batch:
        flush()
    for chunk in done:
        size = len(next(iter(chunk.values()))) if chunk else 0
        for name in names:
            if name not in chunk:
                chunk[name] = pa.nulls(size, pa.large_string())
    arrays = {name: pa.chunked_array([chunk[name] for chunk in done], pa.large_string()) for name in names}
    return Table(pa.table(arrays), list(names), frozenset(as_json))


def _dump(value: Any) -> str | None:
    return None if value is None else _whole(json.dumps(value, ensure_ascii=False))


def _whole(text: str | None) -> str | None:
    r"""Text that UTF-8 can hold: half of a surrogate pair (JSON's "\ud83d") becomes the replacement character."""
    if text is None:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
