"""Large tables are kept once for each state of a file, and a damaged one is made anew."""

import errno
import json
import os
import subprocess
import sys
import time

import pyarrow as pa
import pytest

from core.data import readers, store, tables
from core.data.rows import Rows
from core.errors import InputError
from core.paths import cache_dir
from tests.conftest import ROOT
from tests.factory import write_jsonl

ROWS = [{"q": f"question {i}", "n": i, "more": [i, None]} for i in range(300)]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tables, "SPILL_BYTES", 1)
    return write_jsonl(tmp_path / "rows.jsonl", ROWS)


def rows_of(table):
    return list(Rows(table.data, table.json))


def entries():
    return [p for p in cache_dir().iterdir() if not p.name.startswith(store.WRITING)]


def test_a_large_file_is_read_once(file, monkeypatch):
    first = readers.read(file)
    monkeypatch.setattr(readers, "_read", None)
    again = readers.read(file)
    assert rows_of(first) == rows_of(again) == ROWS
    assert (first.columns, first.json, first.notes, first.digest) == (
        again.columns,
        again.json,
        again.notes,
        again.digest,
    )
    assert not list(cache_dir().glob(store.WRITING + "*"))


def test_a_small_file_writes_nothing(file, monkeypatch):
    monkeypatch.setattr(tables, "SPILL_BYTES", 64 << 20)
    readers.read(file)
    assert not cache_dir().exists()


def test_a_file_that_changed_is_read_anew(file):
    before = readers.read(file)
    write_jsonl(file, ROWS[:5])
    assert rows_of(readers.read(file)) == ROWS[:5]
    assert rows_of(before) == ROWS


def cut_a_part(folder):
    part = next(folder.glob("*.arrow"))
    part.write_bytes(part.read_bytes()[:-40])


def rubbish_of_the_same_size(folder):
    part = next(folder.glob("*.arrow"))
    part.write_bytes(b"x" * part.stat().st_size)


def other_rows(folder):
    facts = json.loads((folder / store.MANIFEST).read_text())
    (folder / store.MANIFEST).write_text(json.dumps(facts | {"rows": 7}))


@pytest.mark.parametrize(
    "damage",
    [
        cut_a_part, rubbish_of_the_same_size, other_rows, lambda f: (f / store.MANIFEST).unlink(),
        lambda f: (f / store.MANIFEST).write_text("{"), lambda f: (f / store.MANIFEST).write_text("[]"),
        lambda f: next(f.glob("*.arrow")).unlink(),
    ],
)  # fmt: skip
def test_a_damaged_entry_is_made_anew(file, damage):
    readers.read(file)
    [folder] = entries()
    damage(folder)
    assert rows_of(readers.read(file)) == ROWS
    assert store.find(folder.name) is not None


def test_two_processes_at_once(file):
    code = (
        "import sys\nfrom core.data import readers, tables\ntables.SPILL_BYTES = 1\n"
        "table = readers.read(sys.argv[1])\nprint(table.data.num_rows, table.digest)\n"
    )
    jobs = [
        subprocess.Popen([sys.executable, "-c", code, file], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert len({job.communicate()[0] for job in jobs}) == 1 and [job.returncode for job in jobs] == [0, 0]
    assert len(entries()) == 1 == len(list(cache_dir().iterdir()))


def test_who_comes_second_takes_what_the_first_has_kept(file):
    key = store.key_of(file, readers.VERSION, None)
    tables_ = [tables.collect(iter(ROWS)) for _ in range(2)]
    kept = [store.keep(key, table) for table in tables_]
    assert rows_of(kept[0]) == rows_of(kept[1]) == ROWS and len(entries()) == 1


def test_a_full_disk_is_one_sentence(file, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pa, "OSFile", full)
    with pytest.raises(InputError, match="The disk is full.*TUNESMITH_CACHE") as error:
        readers.read(file)
    assert error.value.field == "data.path" and "\n" not in str(error.value)
    assert not list(cache_dir().iterdir())


def test_a_cache_that_cannot_be_made_is_one_sentence(file, monkeypatch):
    monkeypatch.setenv("TUNESMITH_CACHE", str(file / "cache"))
    with pytest.raises(InputError, match="cannot be written: not a directory"):
        readers.read(file)


def test_a_file_that_changes_while_it_is_read(file, monkeypatch):
    read = readers._read

    def slow(*args):
        table = read(*args)
        os.utime(file, ns=(1, 1))
        return table

    monkeypatch.setattr(readers, "_read", slow)
    with pytest.raises(InputError, match="was changed while it was being read"):
        readers.read(file)
    assert not list(cache_dir().iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "conversations", "array"])
def test_a_large_file_is_opened_and_gone_through_in_bounded_memory(tmp_path, monkeypatch, kind):
    """230 MB, of which the first and the last page are read, and then all rows. The two gigabytes are in the docs."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    file, count = tmp_path / ("rows.json" if kind == "array" else "rows.jsonl"), 250_000
    text = "x" * 900
    with file.open("w") as out:
        for i in range(count):
            turns = [{"role": "user", "content": f"{i} {text}"}, {"role": "assistant", "content": "yes"}]
            row = {"messages": turns} if kind == "conversations" else {"question": f"{i} {text}", "answer": "yes"}
            mark = ("[" if i == 0 else ",") if kind == "array" else ""
            out.write(f"{mark}{json.dumps(row)}\n")
        out.write("]" if kind == "array" else "")
    code = (
        "import sys\nfrom tests.peak import peak_bytes\nfrom core.data import mapped\n"
        "from core.data.sources import open_data\n"
        "mapped.HELD = 16 << 20\n"
        "open_data('assets/data/tone/train.jsonl')\n"
        "before = peak_bytes()\n"
        "rows = open_data(sys.argv[1]).rows\nlist(rows[:256]), list(rows[-256:])\n"
        "assert sum(1 for row in rows) == len(rows) == int(sys.argv[2])\n"
        "print((peak_bytes() - before) >> 20)\n"
    )
    line = [sys.executable, "-c", code, file, str(count)]
    took = [int(subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout) for _ in range(2)]
    assert file.stat().st_size > 220_000_000 and took[0] < 280 and took[1] < 120, took


def test_what_was_not_used_for_longest_goes_first(file, monkeypatch):
    keys = []
    for i in range(3):
        keys.append(store.key_of(file, i))
        store.keep(keys[-1], tables.collect(iter(ROWS)))
        os.utime(cache_dir() / keys[-1] / store.MANIFEST, (i, i))
    store.find(keys[0])  # used now
    size = sum(p.stat().st_size for p in (cache_dir() / keys[0]).iterdir())
    monkeypatch.setenv("TUNESMITH_CACHE_GB", str(size * 2.5 / 2**30))
    store.tidy()
    assert {p.name for p in entries()} == {keys[0], keys[2]}


def test_what_a_killed_process_left_is_removed_in_time(file):
    old, young = (cache_dir() / f"{store.WRITING}{n}" for n in "ab")
    for folder in (old, young):
        folder.mkdir(parents=True)
    long_ago = time.time() - store.STALE_S - 10
    os.utime(old, (long_ago, long_ago))
    store.tidy()
    assert young.exists() and not old.exists()
