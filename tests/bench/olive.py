"""From a finished LoRA run to an int4 package on the CPU: ours, which is compared with PyTorch, beside Olive's.

    TUNESMITH_OLIVE=olive-env python -m tests.bench --only olive

TUNESMITH_OLIVE names an environment with Olive, at the versions of docs/olive.md; without it nothing is measured. Both
begin with the same adapter and base, in fresh processes and with empty caches. Olive merges and builds (its passes
MergeAdapterWeights and ModelBuilder); ours also asks PyTorch, loads the package in another process, compares the
answers to the run's own validation rows, writes a card and packs all of it. "From the click" is the same export as the
page starts it, in the process that waits with its libraries imported; Olive has no page and no such process.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from core.config import dumps, load
from core.paths import ROOT
from core.runs import standby
from tests.bench import grown
from tests.bench.table import Row, in_turn
from tests.bench.watched import Taken, waiting, watch

OURS = "import core.export.make, onnxruntime_genai.models.builder, transformers.models.llama.modeling_llama, peft"
THEIRS = "import olive.workflows, onnxruntime_genai.models.builder, transformers.models.llama.modeling_llama, peft"
QUIET = {"CI": "1", "OLIVE_DISABLE_TELEMETRY": "1"}
BESIDE = "Olive, not compared"


def measure(quick: bool) -> list[Row]:
    """Seconds, processor seconds and memory for 4 and 30 million parameters."""
    home = os.environ.get("TUNESMITH_OLIVE")
    if not home or not (Path(home) / "bin" / "olive").is_file():
        print("olive: nothing is measured, for TUNESMITH_OLIVE names no environment with Olive", file=sys.stderr)
        return []
    found = []
    with tempfile.TemporaryDirectory(prefix="tunesmith-bench-") as folder:
        for millions in (4,) if quick else (4, 30):
            found += _size(millions, Path(home).absolute(), Path(folder), 1 if quick else 3)
    return found


def _size(millions: int, home: Path, folder: Path, times: int) -> list[Row]:
    base = grown.model(millions, folder)
    run = _trained(base, folder / f"run-{millions}")
    seen: dict[str, list[Taken]] = {"ours": [], "theirs": []}
    statuses: list[str] = []

    def ours() -> float:
        line = ["export", str(run), "--device", "cpu", "--precision", "int4", "--json"]
        taken = watch([sys.executable, "-m", "core", *line], ROOT)
        statuses.append(json.loads(taken.out)["status"])
        seen["ours"].append(taken)
        return taken.seconds

    def theirs() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            seen["theirs"].append(_olive(home, Path(work), _workflow(base, run / "model", Path(work))))
        return seen["theirs"][-1].seconds

    clock = in_turn(ours, theirs, times=times)
    libraries = [watch([p, "-c", c], ROOT).peak for p, c in ((sys.executable, OURS), (_python(home), THEIRS))]
    weights = sum(file.stat().st_size for file in base.glob("*.safetensors"))
    weights *= 2 if millions == 4 else 1  # the demo is kept in two bytes a weight, and taken in four
    clicks = [_clicked(run, folder / f"clicked-{millions}-{n}") for n in range(times)]
    clicked = [statistics.median(each) for each in zip(*clicks, strict=True)]
    cpu, peak = ([statistics.median(getattr(t, name) for t in seen[s]) for s in seen] for name in ("cpu", "peak"))
    beyond = [(held - alone) / weights for held, alone in zip(peak, libraries, strict=True)]
    what = f"{millions} M, adapter to int4 package ({', '.join(sorted(set(statuses)))})"
    row = partial(Row, "olive")
    return [
        row(what, clock[0], BESIDE, clock[1], "s"),
        row(f"{millions} M: processor time", cpu[0], BESIDE, cpu[1], "CPU s"),
        row(f"{millions} M: from the click in the page", clicked[0], BESIDE, clock[1], "s"),
        row(f"{millions} M: processor time from the click", clicked[1], BESIDE, cpu[1], "CPU s"),
        row(f"{millions} M: peak memory", peak[0] / 1e6, BESIDE, peak[1] / 1e6, "MB"),
        row(f"{millions} M: memory beyond the libraries, by model size", beyond[0], BESIDE, beyond[1], "x"),
    ]


def _clicked(run: Path, out: Path) -> tuple[float, float]:
    """Seconds and processor seconds of an export as the page starts it, by the process that waits."""
    spent = waiting()
    began, before = time.perf_counter(), os.times()
    line = ["export", str(run), "--device", "cpu", "--precision", "int4", "--out", str(out), "--json"]
    process = standby.start(line, standby.environment(), out.with_suffix(".log"), piped=True)
    pipe = process.stdout
    said = pipe.readline() if pipe is not None else b""  # the package is in its place, and the page says so
    seconds = time.perf_counter() - began
    process.communicate()
    after = os.times()
    if process.returncode or not said:
        raise RuntimeError(out.with_suffix(".log").read_text(encoding="utf-8")[-3000:])
    return seconds, sum(after[2:4]) - sum(before[2:4]) - spent


def _trained(base: Path, run: Path) -> Path:
    """A finished LoRA run on the demo set `tone`, short but learned: a model that has learned nothing never ends."""
    few = [  # enough for answers that say something, and that end
        "training.max_steps=60",
        "training.eval_steps=60",
        "training.save_steps=60",
        "method.r=8",
        "method.lora_alpha=16",
    ]
    config = load(ROOT / "assets" / "configs" / "tone.yaml", [f"model.path={base}", *few])
    file = run.with_suffix(".yaml")
    file.write_text(dumps(config), encoding="utf-8")
    watch([sys.executable, "-m", "core", "train", str(file), "--run-dir", str(run), "--json"], ROOT)
    return run


def _workflow(base: Path, adapter: Path, work: Path) -> dict[str, Any]:
    """Merge and build, nothing else."""
    model = {"type": "HfModel", "model_path": str(base), "adapter_path": str(adapter)}
    builder = {"type": "ModelBuilder", "precision": "int4", "int4_block_size": 32, "int4_accuracy_level": 4}
    local = {
        "type": "LocalSystem",
        "accelerators": [{"device": "cpu", "execution_providers": ["CPUExecutionProvider"]}],
    }
    return {
        "input_model": model | {"load_kwargs": {"attn_implementation": "eager"}},
        "passes": {"merge": {"type": "MergeAdapterWeights"}, "build": builder},
        "systems": {"local_system": local},
        "target": "local_system",
        "no_artifacts": True,
        "cache_dir": str(work / "cache"),
        "output_dir": str(work / "out"),
        "log_severity_level": 3,
    }


def _olive(home: Path, work: Path, workflow: dict[str, Any]) -> Taken:
    (work / "workflow.json").write_text(json.dumps(workflow), encoding="utf-8")
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    line = [str(home / "bin" / "olive"), "run", "--config", str(work / "workflow.json")]
    taken = watch(line, work, QUIET | {"PATH": path})
    if not (work / "out" / "model.onnx").is_file():
        raise RuntimeError(f"Olive wrote no model:\n{taken.out[-3000:]}")
    return taken


def _python(home: Path) -> str:
    return str(home / "bin" / "python")
