"""Rows become a table, in memory or on the disk, with the same values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data import store, tables
from core.data.rows import Rows
from core.data.tables import Collector, collect
from core.errors import InputError
from core.paths import cache_dir


@pytest.fixture(params=["memory", "disk"])
def place(request, monkeypatch, tmp_path):
    """Small batches; on the disk from the second on."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tables, "BATCH_ROWS", 2)
    monkeypatch.setattr(tables, "STEP", 2)
    if request.param == "disk":
        monkeypatch.setattr(tables, "SPILL_BYTES", 1)
    return request.param


CHANGING = [
    {"a": "text"}, {"a": "two"}, {"a": "three", "late": 1}, {"a": {"deep": [1]}, "late": "x"}, {"b": None},
    {"a": 7}, {"later": "\ud83d", "a": "\ud83d"}, {"late": 10**30}, {"a": float("inf")}, {},
]  # fmt: skip


def test_columns_that_turn_to_json_or_come_late_keep_their_values(place):
    table = collect(CHANGING)
    assert (table.spill is not None) == (place == "disk")
    assert table.columns == ["a", "late", "b", "later"] == table.data.column_names
    assert table.json == {"a", "late"}
    whole = [{k: "\ufffd" if v == "\ud83d" else v for k, v in row.items()} for row in CHANGING]
    assert list(Rows(table.data, table.json)) == [{n: row.get(n) for n in table.columns} for row in whole]


VALUE = st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=5) | st.integers() | st.lists(
    st.booleans(), max_size=2
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUE), min_size=1, max_size=12))
def test_disk_and_memory_hold_the_same(rows):
    found = []
    for limit in (1, 1 << 30):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tables, "BATCH_ROWS", 2)
            patch.setattr(tables, "STEP", 1)
            patch.setattr(tables, "SPILL_BYTES", limit)
            table = collect(rows)
        found.append((table.columns, table.json, list(Rows(table.data, table.json))))
    names = list(dict.fromkeys(n for row in rows for n in row))
    assert found[0] == found[1]
    assert found[0][0] == names and (not names or found[0][2] == [{n: row.get(n) for n in names} for row in rows])


def test_rows_of_both_ways_keep_their_order(place):
    import pyarrow as pa

    collector = Collector()
    collector.add([{"a": "1"}], 1)
    collector.add_columns(
        {"a": pa.array(["2", "3"], pa.large_string()), "n": pa.array(["4", None], pa.large_string())}, ["n"]
    )
    collector.add([{"a": "5", "n": "x"}], 1, plain=True)
    table = collector.finish()
    assert list(Rows(table.data, table.json)) == [
        {"a": "1", "n": None}, {"a": "2", "n": 4}, {"a": "3", "n": None}, {"a": "5", "n": "x"},
    ]  # fmt: skip


def test_too_many_columns_are_refused():
    with pytest.raises(InputError, match="more than 2,000 columns"):
        collect([{str(i): "x" for i in range(2001)}])


def test_what_is_not_kept_is_removed(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path))
    monkeypatch.setattr(tables, "SPILL_BYTES", 1)
    table = collect({"a": str(i)} for i in range(10))
    assert [p.name.startswith(store.WRITING) for p in cache_dir().iterdir()] == [True]
    data = table.data
    del table
    assert not list(cache_dir().iterdir())
    assert json.loads(json.dumps(data.column("a").to_pylist())) == [str(i) for i in range(10)]
