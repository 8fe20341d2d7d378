"""A view of a table reads what it is asked for, in its order, and no more."""

import pickle
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.rows import Rows, gather
from tests.conftest import ROOT


def chunked(sizes):
    numbers = iter(range(sum(sizes)))
    return pa.concat_tables(
        [pa.table({"n": [next(numbers) for _ in range(size)], "t": ["x"] * size}) for size in sizes]
    )


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.data())
def test_gathered_rows_are_those_of_take(sizes, data):
    table = chunked(sizes)
    places = data.draw(st.lists(st.integers(0, sum(sizes) - 1), max_size=20))
    assert gather(table, np.array(places, np.int64)).column("n").to_pylist() == places


@pytest.mark.parametrize("order", [None, [7, 0, 3, 3], [4, 5, 6]])
def test_a_view_goes_to_another_process_whole(order):
    rows = Rows(chunked([3, 2, 4]), order=None if order is None else np.array(order))
    there = pickle.loads(pickle.dumps(rows))
    assert list(there) == list(rows) and [r["n"] for r in there] == (order or list(range(9)))


@pytest.mark.parametrize("count", [0, 1, 7, 200, 1000, 100_001, 123_457])
def test_a_sample_is_spaced_over_all_rows(count):
    rows = Rows(pa.table({"n": range(count)}))
    numbers = [row["n"] for row in rows.spaced(200)]
    assert len(numbers) == min(count, 200) and sorted(set(numbers)) == numbers
    if count > 100_000:
        assert numbers[:11] == [*range(10), numbers[10]] and count * 0.9 < numbers[-1] < count
    elif count:
        assert count * 0.99 - 1 < numbers[-1] + count / 200


def test_scattered_rows_of_a_mapped_file_do_not_bring_it_into_memory(tmp_path):
    """Table.take would: it joins the chunks of each column before it takes from them."""
    schema, file = pa.schema([("t", pa.large_string())]), tmp_path / "rows.arrow"
    batch = pa.record_batch([pa.array(["x" * 1000] * 5000, pa.large_string())], schema=schema)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for _ in range(20):
            writer.write_batch(batch)
    code = (
        "import sys, numpy as np, psutil, pyarrow as pa\n"
        "from core.data.rows import Rows, gather\n"
        "gather(pa.table({'n': pa.chunked_array([[1], [2]])}), np.array([1]))  # brings the libraries\n"
        "rows = Rows(pa.ipc.open_file(pa.memory_map(sys.argv[1])).read_all())\n"
        "before = psutil.Process().memory_info().rss\n"
        "assert len(list(rows.take(np.arange(0, 100000, 2500)[::-1]))) == 40\n"
        "print((psutil.Process().memory_info().rss - before) >> 20)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, file], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 50


def test_to_go_through_a_mapped_file_does_not_bring_it_into_memory(tmp_path):
    schema, file = pa.schema([("t", pa.large_string())]), tmp_path / "rows.arrow"
    batch = pa.record_batch([pa.array(["x" * 1000] * 5000, pa.large_string())], schema=schema)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for _ in range(40):
            writer.write_batch(batch)
    code = (
        "import sys, numpy as np, psutil, pathlib\n"
        "from core.data import mapped\n"
        "from core.data.rows import Rows\n"
        "mapped.HELD = 16 << 20\n"
        "rows, most = Rows(mapped.mapped(pathlib.Path(sys.argv[1]))), 0\n"
        "before = psutil.Process().memory_info().rss\n"
        "for number, row in enumerate(rows):\n"
        "    assert len(row['t']) == 1000\n"
        "    if number % 1000 == 0: most = max(most, psutil.Process().memory_info().rss)\n"
        "print((most - before) >> 20)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, file], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60
