"""JSON Lines by either way give what json.loads gives, line by line."""

import json
import random

import pytest

from core.data import jsonlines
from core.data.readers import read
from core.data.rows import Rows
from core.data.tables import Collector
from core.errors import InputError


def rows_of(path):
    table = read(path)
    return list(Rows(table.data, table.json))


def exact(value):
    """A value with its types: 1, 1.0 and true are three things."""
    return repr(value)


FLAT = [{"q": "a", "n": 1, "ok": True}, {"q": "ü\u2028\n", "n": -0, "ok": False}, {"q": None, "n": 2**62, "ok": None}]


def test_flat_rows_go_at_once(monkeypatch, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in FLAT), encoding="utf-8")
    monkeypatch.setattr(jsonlines, "_by_lines", None)
    assert exact(rows_of(file)) == exact(FLAT)


def taken(lines):
    return jsonlines._at_once(lines, []) is not None


def test_columns_must_stay_of_their_kind():
    collector = Collector()
    collector.add([{"a": "x", "n": 1}], 1)
    assert jsonlines._fits(({"a": None, "n": None, "new": None}, ["n"]), collector)
    assert not jsonlines._fits(({"a": None}, ["a"]), collector)
    assert not jsonlines._fits(({"n": None}, []), collector)


@pytest.mark.parametrize(
    "lines",
    [
        b'{"a": "x"}{"a": "y"}\n', b'{"a": "x"\n}\n', b'{"a": "x", "a": "y"}\n', b'{"a": "\xff"}\n',
        b'{"a": "\\ud83d"}\n',
        b'{"a": "x"}\n{"a": 1}\n', b'{"a": 1}\n{"a": 1.0}\n', b'{"a": 1}\n{"a": "1"}\n', b'{"a": "x"}\n{"b": "x"}\n',
        b'{"a": [1]}\n', b'{"a": 1e5}\n', b'{"a": NaN}\n', b'{"a": "x"}\n\n', b' {"a": "x"}\n', b'{"a": "x"} \n',
        b"{}\n",
        b"[1]\n", b'{"a": "x"}\n[1]\n', b'{"a": 123456789012345678901234567890}\n', b'{"a": "x"}{"a":\n"y"}\n',
        b'\xef\xbb\xbf{"a": "x"}\n', b"{'a': 'x'}\n", b'{"a": "x\ty"}\n', b'{"a": "x",}\n',
    ],
)  # fmt: skip
def test_what_is_not_one_flat_object_a_line_does_not_go_at_once(lines):
    assert not taken(lines)


ODD = [
    '{"a": 123456789012345678901234567890}', '{"a": -9223372036854775809}', '{"a": 18446744073709551616, "b": [1]}',
    '{"a": NaN}', '{"a": -Infinity, "b": {"c": 1e999}}', '{"a": "\\ud83d\\ude00", "b": "\\u0000"}',
    '{"a": 1.0}', '{"a": -0}', '{"a": -0.0}', '{"a": 1E400}', '{"a": "x"}', '{}', '  {"a": true}\t',
    '', ' ', '\x0c{"a": 1}',
    '{"a": [123456789012345678901234567890]}', '{"a": "1234567890123456789012345678901234567890"}',
    '{"a": 0.1234567890123456789}',
]  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_odd_lines_are_read_as_json_reads_them(tmp_path, monkeypatch, end, encoding):
    monkeypatch.setattr(jsonlines, "BLOCK", 61)
    monkeypatch.setattr(jsonlines, "STEP", 3)
    lines = ODD * 3
    random.Random(5).shuffle(lines)
    file = tmp_path / "rows.jsonl"
    file.write_bytes(end.join(lines).encode(encoding))
    missing = {"NaN": None, "-Infinity": float("-inf")}
    want = [json.loads(line.strip(), parse_constant=missing.get) for line in lines if line.strip()]
    assert exact(rows_of(file)) == exact([{n: row.get(n) for n in rows_of(file)[0]} for row in want])


@pytest.mark.parametrize("size", [10, 64, 1 << 20])
def test_an_error_names_its_line_wherever_the_blocks_end(tmp_path, monkeypatch, size):
    monkeypatch.setattr(jsonlines, "BLOCK", size)
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"a": "x"}\n' * 70 + b"\n" + b'{"a": "y"}\r\n' * 30 + b'{"a": y}\n' + b'{"a": "x"}\n' * 5)
    with pytest.raises(InputError, match="line 102: this is not JSON: a value is missing before 'y'"):
        read(file)


def test_a_line_that_is_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonlines, "LONGEST", 1 << 20)
    monkeypatch.setattr(jsonlines, "BLOCK", 1 << 16)
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": "x"}\n{"a": "' + "x" * (2 << 20) + '"}\n')
    with pytest.raises(InputError, match="line 2: this line has more than 1 MB"):
        read(file)


def test_numbers_that_orjson_would_round_are_seen():
    for start in range(12):
        assert jsonlines.may_hold_long_numbers(b"x" * start + b"1234567890123456789" + b"y" * 30)
    assert not jsonlines.may_hold_long_numbers(b'{"n": 123456789012, "q": "text"}' * 50)
