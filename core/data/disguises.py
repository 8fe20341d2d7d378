"""Files that are not what their names say: pages, pointers, pickles and the like, each with its sentence."""

from __future__ import annotations

import re

from core.data.parsers import fail

PICKLE = "a pickled Python file, which is never opened here, as it can run any program: save the rows as JSON Lines"
ARCHIVE = "an archive: unpack it and give the file of examples inside"
_PICTURE = "a picture"
# The first bytes of files that are no table of examples, and what to say of them.
MAGIC = {
    b"PK\x03\x04": ARCHIVE, b"PK\x05\x06": ARCHIVE, b"7z\xbc\xaf\x27\x1c": ARCHIVE, b"Rar!": ARCHIVE,
    b"BZh": "packed with bzip2: unpack it first", b"\xfd7zXZ": "packed with xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "packed with zstd: unpack it first", b"\x04\x22\x4d\x18": "packed with lz4: unpack it first",
    b"\x1f\x8b": "packed with gzip twice: unpack it once", b"%PDF": "a PDF: copy its text into a table first",
    b"SQLite format 3": "an SQLite database: export the table as CSV", b"ARROW1": "an Arrow file: save it as Parquet",
    b"FEA1": "a Feather file: save it as Parquet", b"ORC": "an ORC file: save it as Parquet",
    b"Obj\x01": "an Avro file: save it as Parquet", b"\x89HDF": "an HDF5 file: save it as Parquet or CSV",
    b"\x93NUMPY": "an array of NumPy, not a table: save it as CSV", b"$FL2": "an SPSS file: save it as CSV",
    b"<stata_dta>": "a Stata file: save it as CSV", b"{\\rtf": "a document (RTF): save its text as plain text",
    b"\x89PNG": _PICTURE, b"\xff\xd8\xff": _PICTURE, b"GIF8": _PICTURE, b"RIFF": "a sound, film or picture",
    b"ID3": "a sound", b"\x7fELF": "a program", b"GGUF": "a model's weights, not examples",
    **{bytes([0x80, version]): PICKLE for version in (2, 3, 4, 5)},
}  # fmt: skip
_OLD_PICKLE = re.compile(rb"\(?[ld]p\d+\n|c(?:copy_reg|__builtin__|builtins|pandas|numpy)[\w.]*\n")


def check_bytes(name: str, head: bytes) -> None:
    """Refuse a file by its first bytes.

    Raises:
        InputError: field "data.path".
    """
    lower = name.lower().removesuffix(".gz")
    if head.startswith(b"version https://git-lfs"):
        fail(f"{name} is only a pointer of Git LFS: fetch the file itself with git lfs pull, or download it.")
    if head[257:262] == b"ustar":
        fail(f"{name} is {ARCHIVE}.")
    if lower.endswith((".pkl", ".pickle")) or _OLD_PICKLE.match(head):
        fail(f"{name} is {PICKLE}.")
    if lower.endswith((".safetensors", ".onnx", ".pt", ".pth")):
        fail(f"{name} is a model's weights, not examples.")
    for magic, what in MAGIC.items():
        if head.startswith(magic):
            fail(f"{name} is {what}.")
    if head[4:8] == b"ftyp":
        fail(f"{name} is a film or a sound.")


def check_text(name: str, sample: str, plain: bool) -> None:
    """Refuse text that only stands for a table.

    Args:
        plain: whether the file is named as plain text, which is taken as it is written.

    Raises:
        InputError: field "data.path".
    """
    start = sample.lstrip("\ufeff \t\r\n")[:2000]
    if plain or not start.startswith("<"):
        return
    if "urn:schemas-microsoft-com:office:spreadsheet" in start:
        fail(f"{name} is a workbook in XML, as Excel 2003 wrote it: open it there and save it as .xlsx.")
    if re.match(r"<(?:!doctype html|html|head|body|table|meta|div|style)\b", start, re.IGNORECASE) or "<html" in start:
        fail(
            f"{name} is a web page. If it shows a table, open it in a spreadsheet program and save it as .xlsx; "
            "if it came in place of a download, fetch the file itself."
        )
    if re.match(r"<\?xml\b", start):
        fail(f"{name} is XML: turn it into CSV or JSON first.")
