"""Files of examples, read into Arrow by our own readers: nothing is guessed away, and an error names its line."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from core.data import conll, store
from core.data.disguises import check_bytes, check_text
from core.data.encodings import find_encoding
from core.data.jsonlines import read_jsonl
from core.data.parsers import check_lines, check_names, fail, find_delimiter, read_csv, read_json, read_plain, spoken
from core.data.sheets import ENDINGS, is_workbook, read_workbook
from core.data.tables import BATCH_BYTES, SPILL_BYTES, Table
from core.data.unpacked import unpacked
from core.errors import InputError, nearest
from core.paths import is_public, portable

VERSION = 4  # of how files are read: what another one kept is read anew
CHUNK = 8 << 20
_PLAIN = re.compile(rb"(?!\xef\xbb\xbf|\xff\xfe|\xfe\xff)[\t\n\r -~\x80-\xff]*")  # no mark of an encoding, no NUL
KINDS = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".pq": "parquet", ".txt": "text", ".text": "text", ".md": "text",
    **dict.fromkeys(ENDINGS, "sheet"), **dict.fromkeys(conll.ENDINGS, "conll"),
}  # fmt: skip


def read(path: str | Path, sheet: str | None = None, part: str | None = None) -> Table:
    """Read a file of examples: CSV or TSV, JSON, JSON Lines, Parquet, a workbook, CoNLL or plain text, also in gzip.

    The kind is taken from the name's ending, or found from the content. Values of CSV stay text as they are written.

    Args:
        sheet: the one to read of a workbook; None for the first that holds rows.
        part: the list of rows to read of a JSON object that holds several, such as train and val, or its split; None
            for that to train on.

    Raises:
        InputError: field "data.path", "data.name" for a sheet, or "data.split" for a part; one sentence that says what
            is wrong, with the line where there is one.
    """
    path = Path(path)
    name = spoken(path)
    _check_file(path)
    key = store.key_of(path, VERSION, sheet, part)
    if (found := store.find(key)) is not None:
        return found
    with ThreadPoolExecutor(1) as beside:
        digest = beside.submit(_digest, path)
        table = _read(path, name, sheet, part)
        table.digest = digest.result()
    if sheet is not None:
        table.digest = hashlib.sha256(f"{table.digest}:{sheet}".encode()).hexdigest()
    if len(table.lists) > 1:
        table.digest = hashlib.sha256(f"{table.digest}:{part}".encode()).hexdigest()
    if store.key_of(path, VERSION, sheet, part) != key:
        fail(f"{name} was changed while it was being read: try again.")
    return store.keep(key, table)


def _read(path: Path, name: str, sheet: str | None, part: str | None) -> Table:
    with path.open("rb") as file:
        head = file.read(1024)
    packed = head[:2] == b"\x1f\x8b"

    def opener() -> IO[bytes]:
        return unpacked(path) if packed else path.open("rb")

    try:
        if packed:
            with opener() as stream:
                head = stream.read(1024)
        with opener() as stream:
            workbook = is_workbook(head, stream, name)
        if sheet is not None and not workbook:
            raise InputError(f"{name} is no workbook, so it has no sheet {sheet!r}.", "data.name")
        if not workbook:
            check_bytes(name, head)
        endings = [s.lower() for s in path.suffixes]
        kind = KINDS.get(
            endings[-2] if len(endings) > 1 and endings[-1] == ".gz" else endings[-1] if endings else "", ""
        )
        if workbook:
            table = read_workbook(path, sheet)
        elif head[:4] == b"PAR1" or kind == "parquet":
            table = _read_parquet(path, packed)
        else:
            table = _read_text(opener, kind.removeprefix("sheet"), head, name, endings, part)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        fail(f"{name} is packed with gzip but damaged: it ends too early or was changed.")
    except RecursionError:
        fail(f"{name}: lists or objects are nested too deeply to be read.")
    except MemoryError:
        fail(f"{name} does not fit into memory: give a part of it.")
    except OSError as error:
        fail(f"{name} cannot be read: {(error.strerror or str(error)).lower()}.")
    if not table.data.num_rows:
        fail(f"{name} holds no rows.")
    return table


def _read_text(
    opener: Callable[[], IO[bytes]], kind: str, head: bytes, name: str, endings: list[str], part: str | None
) -> Table:
    def decoded(encoding: str) -> Table:
        with io.TextIOWrapper(opener(), encoding=encoding, newline="") as text:
            return _read_text_kind(kind or _sniff(head, encoding), text, name, endings, part)

    if kind == "jsonl" and _PLAIN.fullmatch(head):
        with contextlib.suppress(UnicodeError):  # this reader sees by itself whether all is UTF-8
            return decoded("utf-8")
    encoding, notes = find_encoding(opener, name)
    table = decoded(encoding)
    table.notes = notes + table.notes
    return table


def _check_file(path: Path) -> None:
    shown = portable(path)
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if p.suffix.lower() in KINDS)
        hint = f" It holds {', '.join(inside[:5])}{', ...' if len(inside) > 5 else ''}." if inside else ""
        fail(f"{shown!r} is a folder: name one file of examples.{hint}")
    if not path.exists():
        told = path.parent.is_dir() and not is_public()  # names of other people's files are not for strangers
        near = nearest(path.name, [p.name for p in path.parent.iterdir()]) if told else ""
        hint = f" Did you mean {near!r}?" if near else ""
        where = "" if path.parent.is_dir() else f" There is no folder {portable(path.parent)!r} either."
        fail(f"There is no file {shown!r}.{hint}{where}")
    if not path.is_file():
        fail(f"{shown!r} is no ordinary file.")
    try:
        size = path.stat().st_size
        path.open("rb").close()
    except PermissionError:
        fail(f"{spoken(path)} cannot be opened: you have no right to read it.")
    if size == 0:
        fail(f"{spoken(path)} is empty: it has no bytes at all.")


def _digest(path: Path) -> str:
    sha = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            sha.update(chunk)
    return sha.hexdigest()


def _sniff(head: bytes, encoding: str) -> str:
    """The kind of a text file whose name does not tell."""
    text = head.decode(encoding, "ignore").lstrip("\ufeff\x1e \t\r\n")
    if text.startswith(("{", "[")):
        return "jsonl" if text.startswith("{") else "json"
    return "csv" if find_delimiter(text, complete=len(head) < 1024)[1] else "text"


def _read_text_kind(kind: str, text: io.TextIOWrapper, name: str, endings: list[str], part: str | None) -> Table:
    sample = text.read(1 << 16)
    text.seek(0)
    check_text(name, sample, plain="text" in map(KINDS.get, endings))
    if kind == "jsonl":
        kind = check_lines(name, sample)
    if kind == "text" or (kind == "csv" and "\t" in sample):
        kind = "conll" if conll.is_conll(sample, len(sample) < 1 << 16) else kind
    match kind:
        case "conll":
            return conll.read_conll(text, name, ".conllu" in endings)
        case "csv":
            return read_csv(text, name, "\t" if ".tsv" in endings or ".tab" in endings else "")
        case "json":
            return read_json(text, name, part)
        case "jsonl":
            return read_jsonl(text, name)
        case _:
            return read_plain(text, name)


def _read_parquet(path: Path, packed: bool) -> Table:
    import pyarrow.parquet as pq

    name = spoken(path)
    if packed:
        fail(f"{name} is packed with gzip on top of Parquet: unpack it first.")
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
            names = file.schema_arrow.names
            check_names(names, name)
            if names and size > SPILL_BYTES:
                return _spilled(file, size)
        data = pq.read_table(path, memory_map=True)
    except pa.ArrowNotImplementedError as error:
        fail(f"{name} uses a part of Parquet that cannot be read here: {str(error).splitlines()[0].rstrip('.')}.")
    except (pa.ArrowException, OSError):
        with path.open("rb") as file:
            whole = file.read(4) == b"PAR1"
        fail(f"{name} is a damaged Parquet file." if whole else f"{name} is named as a Parquet file and is none.")
    if not data.num_columns:
        fail(f"{name} has no columns.")
    return Table(data, list(data.column_names))


def _spilled(file: Any, size: int) -> Table:
    """A large Parquet file, batch by batch: it is packed, so it cannot be mapped as it is."""
    spill = store.Spill()
    for batch in file.iter_batches(max(1, file.metadata.num_rows * BATCH_BYTES // size)):
        arrays = [a.dictionary_decode() if pa.types.is_dictionary(a.type) else a for a in batch.columns]
        spill.write(pa.RecordBatch.from_arrays(arrays, batch.schema.names))
    return Table(spill.table(), list(file.schema_arrow.names), spill=spill)
