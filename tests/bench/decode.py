"""How fast a package writes: fp32, int8 and int4 in onnxruntime-genai beside PyTorch, eager and compiled, by size.

Greedy, one row at a time, one thread, a key-value cache on all sides, the same prompts and as many new tokens.
Compiled is `torch.compile` of one step with a cache of fixed size; compiling takes minutes, and is not counted.
The models of 30 and 150 M are the demo, grown (tests/bench/grown.py).

    TUNESMITH_BENCH_COMPILED=4 python -m tests.bench --only decode     # compile none that is larger
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.export.graphs import builder
from core.export.options import Options
from core.models.load import load_base
from core.models.tokenizer import end_ids, load_tokenizer, pad_id
from core.paths import ROOT
from tests.bench import grown
from tests.bench.table import Row, in_turn

COMPILED = int(os.environ.get("TUNESMITH_BENCH_COMPILED", "150"))  # millions of parameters
ROWS = ROOT / "assets" / "data" / "fields" / "heldout.jsonl"
Step = Callable[[list[int], int], float]  # a prompt and how many tokens to write -> processor seconds


def measure(quick: bool) -> list[Row]:
    """Tokens per processor second; of quick sizes one row, without compiling."""
    found = []
    with tempfile.TemporaryDirectory(prefix="tunesmith-bench-") as folder:
        for millions in (4,) if quick else (4, 30, 150):
            found += _size(millions, Path(folder), quick)
    return found


def _size(millions: int, folder: Path, quick: bool) -> list[Row]:
    import torch

    torch.set_num_threads(1)
    base = grown.model(millions, folder)
    tokenizer = load_tokenizer(str(base))
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    prompts = [tokenizer(f"### Note: {row['note']}\n### JSON:")["input_ids"] for row in rows[: 2 if quick else 4]]
    new = 8 if quick else 48 if millions < 100 else 16
    whole = folder / f"whole-{millions}"  # in float32, as every export has it
    model = load_base(str(base), None, torch.float32).eval()
    model.save_pretrained(whole)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (whole / name).write_bytes((base / name).read_bytes())
    ends, pad = sorted(end_ids(tokenizer, whole)), pad_id(tokenizer)
    steps: dict[str, Step] = {}
    for precision in ("int8",) if quick else ("fp32", "int8", "int4"):
        out = folder / f"{millions}-{precision}"
        out.mkdir()
        builder.build(whole, "cpu", Options("cpu", precision), out, end_ids=ends, pad_id=pad)
        steps[precision] = _onnx(out)
    steps["PyTorch eager, fp32"] = _eager(model)
    if not quick and millions <= COMPILED:
        try:
            steps["PyTorch compiled, fp32"] = _compiled(model)
            steps["PyTorch compiled, fp32"](prompts[0], 2)  # compiles
        except Exception as error:  # no compiler of C++ on this machine, for one
            print(f"decode: not compiled ({type(error).__name__}: {str(error)[:200]})", file=sys.stderr)
            del steps["PyTorch compiled, fp32"]

    def rate(step: Step) -> Callable[[], float]:
        return lambda: new * len(prompts) / sum(step(ids, new) for ids in prompts)

    rates = [rate(step) for step in steps.values()]
    for one in rates:
        one()
    speeds = dict(zip(steps, in_turn(*rates, times=1 if quick else 3), strict=True))
    beside = [name for name in speeds if name.startswith("PyTorch")]
    return [
        Row("decode", f"{millions} M, {name}: tokens", speeds[name], other, speeds[other], "/ CPU s", True)
        for name in speeds
        if name not in beside
        for other in beside
    ]


def _onnx(package: Path) -> Step:
    import onnxruntime_genai as og

    config = og.Config(str(package))
    config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": 1}}}}))
    model = og.Model(config)

    def run(ids: list[int], new: int) -> float:
        began = time.process_time()
        parameters = og.GeneratorParams(model)
        parameters.set_search_options(do_sample=False, min_length=len(ids) + new, max_length=len(ids) + new)
        generator = og.Generator(model, parameters)
        generator.append_tokens(ids)
        while not generator.is_done():
            generator.generate_next_token()
        return time.process_time() - began

    return run


def _eager(model: Any) -> Step:
    import torch

    def run(ids: list[int], new: int) -> float:
        batch, began = torch.tensor([ids]), time.process_time()
        model.generate(
            batch, attention_mask=torch.ones_like(batch), do_sample=False, min_new_tokens=new, max_new_tokens=new
        )
        return time.process_time() - began

    return run


def _compiled(model: Any) -> Step:
    """A greedy loop around one compiled step; the prompt goes through the same cache, not compiled."""
    import torch
    from transformers import StaticCache

    step = torch.compile(model.forward, dynamic=False, fullgraph=True)

    @torch.no_grad()
    def run(ids: list[int], new: int) -> float:
        began = time.process_time()
        cache = StaticCache(config=model.config, max_cache_len=256)
        places = torch.arange(len(ids))
        out = model(torch.tensor([ids]), past_key_values=cache, position_ids=places[None], use_cache=True)
        token = out.logits[:, -1:].argmax(-1)
        for at in range(len(ids), len(ids) + new - 1):
            place = torch.tensor([[at]])
            out = step(token, past_key_values=cache, position_ids=place, use_cache=True)
            token = out.logits[:, -1:].argmax(-1)
        return time.process_time() - began

    return run
