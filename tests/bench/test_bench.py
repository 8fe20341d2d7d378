"""The benchmark works: small sizes, and no word about speed, which no test holds."""

import json
import subprocess
import sys

import pytest

from tests.bench.table import Row, in_turn, show
from tests.conftest import ROOT


def test_ratio_says_how_many_times_better():
    assert Row("t", "time", 2.0, "x", 6.0, "s").ratio == 3
    assert Row("t", "speed", 6.0, "x", 2.0, "/s", more_is_better=True).ratio == 3


def test_works_take_turns_and_the_median_counts():
    seen = []
    figures = iter([1.0, 10.0, 9.0, 30.0, 2.0, 20.0])

    def work(name):
        seen.append(name)
        return next(figures)

    assert in_turn(lambda: work("a"), lambda: work("b"), times=3) == [2.0, 20.0]
    assert "".join(seen) == "ababab"


def test_the_table_is_markdown():
    lines = show([Row("t", "a", 1234.5, "b", 0.00123, "s")]).splitlines()
    assert len(lines) == 3 and {line.count("|") for line in lines} == {7}
    assert "1,234 s" in lines[2] and "0.00123 s" in lines[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_measures_and_prints_json_alone():
    line = [
        sys.executable,
        "-m",
        "tests.bench",
        "--quick",
        "--json",
        "--only",
        "tick",
        "listing",
        "preview",
        "opening",
        "doctor",
        "encoding",
        "training",
        "methods",
    ]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert {row["topic"] for row in rows} == {
        "tick",
        "runs",
        "preview",
        "opening",
        "doctor",
        "encoding",
        "training",
        "methods",
    }
    assert all(row["ours"] > 0 and row["theirs"] > 0 and row["ratio"] > 0 for row in rows)
