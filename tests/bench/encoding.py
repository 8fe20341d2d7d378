"""A big set to token ids with its loss mask, all cores: ours beside `datasets` and a tokenising function of one's own.

Both start from rows that are open; both make the same ids and labels, which is checked on some rows. 200,000 rows: the
cost of a row does not depend on how many there are.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.config import load
from core.data.bulk import encode_rows
from core.data.sources import open_data
from core.models.tokenizer import load_tokenizer
from core.paths import ROOT
from core.runs.environment import cpus
from tests.bench.big import write_jsonl
from tests.bench.table import Row, in_turn

COUNT = int(os.environ.get("TUNESMITH_BENCH_ROWS", "200000"))


def measure(quick: bool) -> list[Row]:
    """Rows a second on the clock and a processor second, with a worker for each core on both sides."""
    count, times = (2000, 1) if quick else (COUNT, 3)
    config = load(ROOT / "assets" / "configs" / "fields.yaml")
    tokenizer, limit = load_tokenizer(config.model.path), config.data.max_tokens
    made: dict[str, Any] = {}
    spent: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="tunesmith-bench-") as folder:
        path = write_jsonl(Path(folder) / "rows.jsonl", count)
        source, given = open_data(str(path)), _load(path, folder)

        def timed(name: str, work: Callable[[], Any]) -> float:
            made.pop(name, None)  # one result of each in memory at a time
            began, busy = time.perf_counter(), _cpu()
            made[name] = work()
            spent.setdefault(name, []).append(count / (_cpu() - busy))
            return count / (time.perf_counter() - began)

        def mapped(**more: Any) -> Any:
            return given.map(num_proc=cpus(), remove_columns=["note", "fields"], load_from_cache_file=False, **more)

        clock = in_turn(
            lambda: timed("ours", lambda: encode_rows(source.rows, source.layout, config, tokenizer)[0]),
            lambda: timed("rows", lambda: mapped(function=_by_row(tokenizer, limit))),
            lambda: timed("batches", lambda: mapped(function=_by_batch(tokenizer, limit), batched=True)),
            times=times,
        )
        for place in range(0, count, count // 100):
            if not made["ours"][place] == made["rows"][place] == made["batches"][place]:
                raise RuntimeError(f"row {place} is not the same on both sides")
    found = []
    for unit, (ours, *others) in (("/ s", clock), ("/ CPU s", [statistics.median(rates) for rates in spent.values()])):
        for beside, theirs in zip(("datasets.map, row by row", "datasets.map, batched"), others, strict=True):
            what = f"{count:,} rows on {cpus()} cores"
            found.append(Row("encoding", what, ours, beside, theirs, f"rows {unit}", more_is_better=True))
    return found


def _cpu() -> float:
    """Processor seconds of this process and of the workers that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _load(path: Path, folder: str) -> Any:
    import datasets

    datasets.disable_progress_bars()
    return datasets.load_dataset("json", data_files=str(path), cache_dir=folder, split="train")


def _by_row(tokenizer: Any, limit: int) -> Callable[[dict[str, Any]], dict[str, list[int]]]:
    """What one writes by hand: the prompt's tokens, the answer's tokens, -100 for the prompt, cut to the limit."""

    def tokenise(row: dict[str, Any]) -> dict[str, list[int]]:
        prompt = tokenizer(f"### Note: {row['note']}\n### JSON:")["input_ids"]
        answer = tokenizer(f" {row['fields']}{tokenizer.eos_token}", add_special_tokens=False)["input_ids"]
        labels = [-100] * len(prompt) + answer
        return {"input_ids": (prompt + answer)[:limit], "labels": labels[:limit]}

    return tokenise


def _by_batch(tokenizer: Any, limit: int) -> Callable[[dict[str, Any]], dict[str, list[list[int]]]]:
    """The same, a thousand rows in a call."""

    def tokenise(rows: dict[str, Any]) -> dict[str, list[list[int]]]:
        prompts = tokenizer([f"### Note: {note}\n### JSON:" for note in rows["note"]])["input_ids"]
        answers = [f" {fields}{tokenizer.eos_token}" for fields in rows["fields"]]
        endings = tokenizer(answers, add_special_tokens=False)["input_ids"]
        pairs = list(zip(prompts, endings, strict=True))
        return {
            "input_ids": [(a + b)[:limit] for a, b in pairs],
            "labels": [([-100] * len(a) + b)[:limit] for a, b in pairs],
        }

    return tokenise
