"""What core/models/memory.py predicts beside what trainings take: peak memory and seconds of an update.

Each training is a process of its own, on one thread; its seconds are those of the processor, which other work on the
machine hardly touches. None of these trainings was among those that the constants were fitted to. The ratio is measured
by predicted: the nearer to 1 the better, on either side.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.table import Row
from tests.peak import peak_bytes

LORA, FULL = {"name": "lora", "r": 16}, {"name": "full"}
# What is trained: family of tests/factory.py (or the demo model), its sizes, method, batch, tokens a row, batches.
CASES: tuple[tuple[str, str, dict[str, Any], dict[str, Any], int, int, int], ...] = (
    ("demo model, LoRA", "", {}, LORA, 12, 160, 1),
    ("llama 13 M, LoRA of q and v", "llama",
     {"hidden_size": 320, "intermediate_size": 896, "num_hidden_layers": 10, "num_attention_heads": 10,
      "num_key_value_heads": 5, "head_dim": 32, "vocab_size": 8000},
     LORA | {"r": 32, "lora_dropout": 0.1, "target_modules": "q_proj,v_proj"}, 6, 240, 1),
    ("qwen3 7 M, full", "qwen3",
     {"hidden_size": 288, "intermediate_size": 768, "num_hidden_layers": 7, "num_attention_heads": 6,
      "num_key_value_heads": 3, "head_dim": 48}, FULL, 12, 96, 1),
    ("gpt2 8 M, LoRA", "gpt2", {"n_embd": 320, "n_layer": 6, "n_head": 5, "n_positions": 1024}, LORA, 3, 400, 1),
    ("gemma3 12 M, full, 2 batches", "gemma3_text",
     {"hidden_size": 256, "intermediate_size": 640, "num_hidden_layers": 6, "num_attention_heads": 4,
      "num_key_value_heads": 2, "head_dim": 64, "vocab_size": 30000}, FULL, 2, 200, 2),
)  # fmt: skip
COUNT = 64


def measure(quick: bool) -> list[Row]:
    """Two rows for each training."""
    from core.config import build
    from core.data.lengths import measure_lengths
    from core.data.sources import open_data
    from core.models.memory import estimate
    from core.models.tokenizer import load_tokenizer
    from core.runs.machine import this_machine
    from tests import factory

    found = []
    for name, family, sizes, method, batch, tokens, batches in CASES[:1] if quick else CASES:
        with tempfile.TemporaryDirectory(prefix="tunesmith-bench-") as folder:
            model = str(factory.tiny_model(family, Path(folder) / "model", **sizes)) if family else "assets/demo-model"
            rows = [{"q": f"{i} " + "the quick brown fox " * 500, "a": "yes"} for i in range(COUNT)]
            path = factory.write_jsonl(Path(folder) / "rows.jsonl", rows)
            steps = 3 if quick else 7
            training = {"max_steps": steps, "logging_steps": steps, "save_steps": steps}
            training |= {"per_device_train_batch_size": batch, "gradient_accumulation_steps": batches}
            values: dict[str, Any] = {"model": {"path": model}, "method": method, "training": training}
            values["data"] = {"path": str(path), "template": "{q}\n{a}", "validation": 0, "max_tokens": tokens}
            config = build(values)
            source, tokenizer = open_data(str(path)), load_tokenizer(model)
            lengths = measure_lengths(source.rows, source.layout, config, tokenizer)
            made = estimate(config, lengths, machine=this_machine())
            real = _trained(values, folder)
        megabytes = made.peak_bytes / 2**20, real["peak"] / 2**20
        found.append(Row("memory", f"{name}: peak, predicted", megabytes[0], "measured", megabytes[1], "MiB"))
        update = made.times["training"] / made.steps
        found.append(Row("memory", f"{name}: an update, predicted", update, "measured", real["update"], "CPU s"))
    return found


def _trained(values: dict[str, Any], folder: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.memory", json.dumps(values)], env=os.environ | {"TUNESMITH_RUNS": folder},
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Train here, and print the peak of this process in bytes and the processor seconds of an update."""

    from transformers import TrainerCallback
    from transformers import trainer as module

    from core.config import build
    from core.runs import store
    from core.runs.eventlog import EventLog
    from core.runs.state import StateFile
    from core.training.loop import fit

    stamps: list[float] = []

    class Clock(TrainerCallback):
        """Processor time at the end of each step."""

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            stamps.append(time.process_time())

    module.DEFAULT_CALLBACKS.append(Clock)
    config = build(json.loads(sys.argv[1]))
    run = store.create(config)
    with StateFile(run.dir / "state.json").working("", graceful=True) as job:
        fit(config, run, job, EventLog(run.dir / "events.jsonl"))
    peak = peak_bytes()
    between = [b - a for a, b in zip(stamps, stamps[1:], strict=False)]
    print(json.dumps({"peak": peak, "update": statistics.median(between)}))


if __name__ == "__main__":
    main()
