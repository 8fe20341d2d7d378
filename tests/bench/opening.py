"""A big JSONL file to its first page of rows, beside datasets.load_dataset: cold, again, and what memory it takes.

Each opening is a process of its own with an empty cache; a small file was opened before the clock starts. `again` is a
second process, which opens the file from what the first has kept.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from core.paths import ROOT
from tests.bench.big import write_jsonl
from tests.bench.table import Row
from tests.peak import peak_bytes

COUNT = int(os.environ.get("TUNESMITH_BENCH_ROWS", "1000000"))
PAGE = 256
SMALL = str(ROOT / "assets" / "data" / "fields" / "train.jsonl")  # opened first: the libraries are there then
KEYS = ("seconds", "processor", "memory")


def measure(quick: bool) -> list[Row]:
    """Wall and processor seconds to the first page, the same again, and the peak of resident memory."""
    count, times = (5000, 1) if quick else (COUNT, 3)
    found = []
    with tempfile.TemporaryDirectory(prefix="tunesmith-bench-") as folder:
        for kind, write in (("text", write_jsonl), ("conversations", write_talks)):
            path = write(Path(folder) / f"{kind}.jsonl", count)
            figures: dict[str, list[dict[str, float]]] = {}
            for number in range(times):
                for who in ("ours", "theirs"):
                    cache = str(Path(folder) / f"{kind}-{number}-{who}")
                    for turn in ("cold", "again"):
                        figures.setdefault(f"{who} {turn}", []).append(_process(who, path, cache))
            middle = {name: {k: statistics.median(f[k] for f in some) for k in KEYS} for name, some in figures.items()}
            for turn, key, unit, word in (
                ("cold", "seconds", "s", ""), ("cold", "processor", "s", ", processor time"),
                ("cold", "memory", "MB", ", peak memory"), ("again", "seconds", "s", ", again"),
            ):  # fmt: skip
                what = f"{count:,} rows of {kind} ({path.stat().st_size / 1e6:,.0f} MB){word}"
                ours, theirs = middle[f"ours {turn}"][key], middle[f"theirs {turn}"][key]
                found.append(Row("opening", what, ours, "datasets.load_dataset", theirs, unit))
    return found


def write_talks(path: Path, count: int) -> Path:
    """Write `count` rows {"id", "messages"} with two turns each, all different."""
    notes = [json.loads(line) for line in (ROOT / "assets/data/fields/train.jsonl").open(encoding="utf-8")]
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            row = notes[number * 7919 % len(notes)]
            turns = [
                {"role": "user", "content": f"{row['note']} ({number})"},
                {"role": "assistant", "content": str(row["fields"])},
            ]
            file.write(json.dumps({"id": f"row {number}", "messages": turns}, ensure_ascii=False) + "\n")
    return path


def _process(who: str, path: Path, cache: str) -> dict[str, float]:
    code = f"from tests.bench import opening; opening.one({who!r}, {str(path)!r}, {cache!r})"
    env = os.environ | {"TUNESMITH_CACHE": cache}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def one(who: str, path: str, cache: str) -> None:
    """Open the file once and print what it took."""
    work = _ours(path) if who == "ours" else _theirs(path, cache)
    began, busy = time.perf_counter(), time.process_time()
    work()
    figures = {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - busy,
        "memory": peak_bytes() / 2**20,
    }
    print(json.dumps(figures))


def _ours(path: str) -> Callable[[], object]:
    from core.data.sources import open_data

    list(open_data(SMALL).rows[:PAGE])
    return lambda: list(open_data(path).rows[:PAGE])


def _theirs(path: str, cache: str) -> Callable[[], object]:
    import datasets

    datasets.disable_progress_bars()
    datasets.load_dataset("json", data_files=SMALL, cache_dir=f"{cache}-small", split="train")[:PAGE]
    return lambda: datasets.load_dataset("json", data_files=path, cache_dir=cache, split="train")[:PAGE]
