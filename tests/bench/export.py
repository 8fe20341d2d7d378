"""What an export costs, whole and proven, and how fast its package answers: by precision, on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from core.paths import ROOT
from tests.bench.table import Row, in_turn

MODEL, ROWS = ROOT / "assets" / "demo-model", ROOT / "assets" / "data" / "fields" / "heldout.jsonl"
NEW_TOKENS = 48


def measure(quick: bool) -> list[Row]:
    """Processor seconds of `python -m core export` against the builder alone; tokens per second against PyTorch."""
    found, speeds = [], []
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("int8",) if quick else ("fp32", "int8", "int4"):
            package, clock = Path(folder) / precision, list[float]()

            def ours(precision: str = precision, package: Path = package, clock: list[float] = clock) -> float:
                began = time.monotonic()
                spent = _export(precision, package, 2 if quick else 16)
                clock.append(time.monotonic() - began)
                return spent

            def theirs(precision: str = precision) -> float:
                return _builder(precision)

            whole, alone = in_turn(ours, theirs, times=1 if quick else 3)
            size = sum(f.stat().st_size for f in package.rglob("*") if f.is_file()) / 1e6
            what = f"{precision}: built and proven ({size:.1f} MB, {sorted(clock)[len(clock) // 2]:.0f} s on the clock)"
            found.append(Row("export", what, whole, "the builder alone", alone, "CPU s"))
            speeds.append(_answers(precision, package, 2 if quick else 12))
    return found + speeds


def _spent(line: list[str], **kwargs: Any) -> tuple[float, str]:
    """Processor seconds of a command and all that it started, and its standard output."""
    before = os.times()
    done = subprocess.run(line, capture_output=True, text=True, **kwargs)
    after = os.times()
    if done.returncode:
        raise RuntimeError(f"{' '.join(line)}\n{done.stderr}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used, done.stdout


def _export(precision: str, package: Path, rows: int) -> float:
    line = [sys.executable, "-m", "core", "export", str(MODEL), "--device", "cpu", "--precision", precision]
    line += ["--data", str(ROWS), "--rows", str(rows), "--out", str(package), "--json"]
    spent, out = _spent(line, cwd=ROOT)
    if json.loads(out)["status"] not in ("verified", "verified with loss"):
        raise RuntimeError(out)
    return spent


def _builder(precision: str) -> float:
    """The builder of onnxruntime-genai in a fresh process, with nothing loaded and nothing compared afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", str(MODEL), "-o", f"{folder}/out"]
        return _spent([*line, "-p", precision, "-e", "cpu", "-c", f"{folder}/cache"], cwd=folder)[0]


def _answers(precision: str, package: Path, count: int) -> Row:
    """Tokens per processor second, one row at a time, greedy, the same prompts and as many tokens on both sides."""
    import onnxruntime_genai as og
    import torch

    from core.models.load import load_base
    from core.models.tokenizer import load_tokenizer

    torch.set_num_threads(1)
    tokenizer, model = load_tokenizer(str(MODEL)), load_base(str(MODEL), None, torch.float32).eval()
    lines = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()[:count]]
    prompts = [tokenizer(f"### Note: {row['note']}\n### JSON:")["input_ids"] for row in lines]
    config = og.Config(str(package))
    config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": 1}}}}))
    onnx = og.Model(config)

    def ours() -> float:
        began = time.process_time()
        for ids in prompts:
            parameters = og.GeneratorParams(onnx)
            length = len(ids) + NEW_TOKENS
            parameters.set_search_options(do_sample=False, min_length=length, max_length=length)
            generator = og.Generator(onnx, parameters)
            generator.append_tokens(ids)
            while not generator.is_done():
                generator.generate_next_token()
        return NEW_TOKENS * len(prompts) / (time.process_time() - began)

    def theirs() -> float:
        began = time.process_time()
        for ids in prompts:
            batch = torch.tensor([ids])
            model.generate(
                batch, attention_mask=torch.ones_like(batch), do_sample=False,
                min_new_tokens=NEW_TOKENS, max_new_tokens=NEW_TOKENS,
            )  # fmt: skip
        return NEW_TOKENS * len(prompts) / (time.process_time() - began)

    ours(), theirs()
    fast, slow = in_turn(ours, theirs, times=2 if count < 5 else 5)
    return Row("answers", f"{precision}: tokens", fast, "PyTorch eager, fp32", slow, "/ CPU s", more_is_better=True)
