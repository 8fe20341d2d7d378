"""A packed file that is a bomb is refused before it has filled anything; a packed file of rows is not."""

import gzip
import json

import pytest

from core.data import parsers, unpacked
from core.data.readers import read
from core.errors import InputError

KINDS = {
    "rows.jsonl.gz": b'{"a": "x"}\n', "rows.csv.gz": b"a,b\n", "rows.txt.gz": b"x\n", "rows.json.gz": b" ",
    "rows.jsonl.GZ": b"\n", "rows": b'{"a": "y"}\n',
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_bomb_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(unpacked, "HARMLESS", 1 << 20)
    file = tmp_path / name
    file.write_bytes(gzip.compress(KINDS[name] * 2_000_000))
    with pytest.raises(InputError, match="unpacks to more than 200 times its size"):
        read(file)


def test_rows_that_repeat_are_no_bomb(tmp_path):
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"a": "x"}\n' * 50_000))
    assert read(file).data.num_rows == 50_000


def test_a_quotation_mark_that_is_never_closed_in_a_large_file(tmp_path, monkeypatch):
    monkeypatch.setattr(parsers, "LONGEST", 1 << 20)
    file = tmp_path / "rows.csv"
    file.write_text('a,b\n1,2\n3,"4\n' + "5,6\n" * 400_000)
    with pytest.raises(InputError, match="line 3: a value has more than 1 million characters. Is a quotation mark"):
        read(file)


def test_json_in_gzip_is_read_as_it_is_without(tmp_path):
    rows = [{"a": i, "b": [i]} for i in range(1000)]
    (tmp_path / "rows.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    assert read(tmp_path / "rows.json.gz").data.equals(read(tmp_path / "rows.json").data)
