"""Batches of the doctor hold few letters, however long the rows are."""

import json
import random
import subprocess
import sys

import pytest

from core.data.checks import batch
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("length", "sizes"), [(10, [batch.SIZE, batch.SIZE, 1000]), (200_000, [11, 11, 8]), (9_000_000, [1, 1])]
)
def test_rows_that_are_long_make_short_batches(length, sizes):
    stream = iter([{"a": "x" * length}] * sum(sizes))
    assert [len(batch._some(stream)) for _ in sizes] == sizes and not batch._some(stream)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_long_rows_are_reported_on_in_bounded_memory(tmp_path):
    chance, file = random.Random(1), tmp_path / "rows.jsonl"
    words = [f"word{i}" for i in range(3000)]
    with file.open("w") as out:
        for i in range(10_000):
            out.write(json.dumps({"question": str(i), "answer": " ".join(chance.choices(words, k=1200))}) + "\n")
    code = (
        "import sys\nfrom tests.peak import peak_bytes\nfrom core.config import build\n"
        "from core.data.dataset import open_examples\n"
        "from core.data.report import findings\n"
        "def report(path):\n"
        "    config = build({'data': {'path': path, 'template': '{question} [[{answer}]]'}})\n"
        "    findings(open_examples(config), config, None)\n"
        "    return peak_bytes() >> 20\n"
        "print(report(sys.argv[1]))\n"
    )
    line = [sys.executable, "-c", code, file]
    assert (
        int(subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout) < 800
    )  # 1,300 with batches of rows
