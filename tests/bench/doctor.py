"""The data doctor's whole report, as the rows become ten times as many, beside `datasets.map` with two checks by hand.

Both start from rows that are open, and both count the repeated rows and the empty answers, which must agree. The
doctor looks for all its other kinds as well, near duplicates by MinHash among them. Lengths are not measured here: they
are taken of a sample, whose cost is always the same. Processor seconds: neither side has more than one process.

    TUNESMITH_BENCH_ROWS=100000 python -m tests.bench --only doctor     # without the million, which takes minutes
"""

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from core.config import build
from core.data.report import findings
from core.data.sources import Source, open_data
from core.data.split import Split
from tests.bench.big import write_jsonl
from tests.bench.table import Row, cpu_seconds, in_turn

COUNT = int(os.environ.get("TUNESMITH_BENCH_ROWS", "1000000"))


def measure(quick: bool) -> list[Row]:
    """Processor seconds of a report of 10,000 rows, of ten times as many, and so on."""
    sizes = (1000, 2000) if quick else [n for n in (10_000, 100_000, 1_000_000) if n <= COUNT] or [COUNT]
    found = []
    _ours(open_data("assets/data/fields/train.jsonl"), {})  # what is loaded once is there before the clock starts
    for count in sizes:
        with tempfile.TemporaryDirectory(prefix="tunesmith-bench-") as folder:
            path = _write(Path(folder) / "rows.jsonl", count)
            source, given, made = open_data(str(path)), _load(path, folder), dict[str, Any]()
            works = [
                partial(cpu_seconds, partial(_ours, source, made)),
                partial(cpu_seconds, partial(_theirs, given, made)),
            ]
            ours, theirs = in_turn(*works, times=1 if quick or count > 100_000 else 3)
            if made["ours"] != made["theirs"]:
                raise RuntimeError(f"{made['ours']} repeated rows and empty answers, and by hand {made['theirs']}")
        found.append(Row("doctor", f"report of {count:,} rows", ours, "datasets.map, two checks", theirs, "CPU s"))
    return found


def _write(path: Path, count: int) -> Path:
    """A file of which 1 % of the rows stand there twice, and 0.1 % have no answer."""
    empty, twice = count // 1000, count // 100
    write_jsonl(path, count - empty - twice)
    with path.open(encoding="utf-8") as file:
        again = list(itertools.islice(file, twice))
    with path.open("a", encoding="utf-8") as file:
        file.writelines(again)
        file.writelines(f'{{"note": "nothing to say of {i}", "fields": " "}}\n' for i in range(empty))
    return path


def _load(path: Path, folder: str) -> Any:
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset("json", data_files=str(path), cache_dir=folder, split="train")


def _ours(source: Source, made: dict[str, Any]) -> None:
    config = build({"data": {"path": source.path, "validation": 0}, "task": "extraction"})
    kinds = {f.kind: f.count for f in findings(source, config, None, Split(list(range(len(source.rows))), []))}
    made["ours"] = (kinds.get("duplicate", 0), kinds.get("empty_answer", 0))


def _theirs(given: Any, made: dict[str, Any]) -> None:
    """What one writes by hand: a key of each row, a flag where there is no answer; then a set of the keys."""

    def check(row: dict[str, Any]) -> dict[str, Any]:
        key = hashlib.blake2b(f"{row['note']}\0{row['fields']}".encode(), digest_size=16).hexdigest()
        return {"key": key, "empty": not (row["fields"] or "").strip()}

    checked = given.map(check, remove_columns=["note", "fields"], load_from_cache_file=False)
    keys = checked["key"][:]
    made["theirs"] = (len(keys) - len(set(keys)), sum(checked["empty"][:]))
