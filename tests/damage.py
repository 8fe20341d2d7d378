"""A run with every file that one may have, made without training, and ways to damage its files."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from core.config import build
from core.runs import checkpoints, store
from core.runs.store import Run

T = 1_764_000_000.0
MODEL = "assets/demo-model"
STATE = {"state": "done", "what": "training", "done": 4, "total": 4, "started": T, "ended": T + 9, "heartbeat": T + 9}
FILES: dict[str, Any] = {
    "state.json": STATE | {"pid": 1234, "created": T},
    "job.json": {"name": "training", "pid": 1234, "created": T, "log_from": 0, "exit": 0},
    "environment.json": {
        "name": "damaged", "python": "3.11.7", "packages": {"torch": "2.9"}, "seed": 42, "base_fingerprint": "ab",
        "data": {"path": "rows.jsonl", "fingerprint": "cd", "longest": 9}, "device": {"type": "cpu"},
        "model": {"path": MODEL, "revision": None, "commit": None},
    },
    "model/adapter_config.json": {
        "base_model_name_or_path": MODEL, "revision": None, "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 8,
    },
    "model/base.json": {
        "path": MODEL, "revision": None, "fingerprint": "ab", "head": "causal_lm", "labels": [], "quantization": None,
    },
    "checkpoints/best-4/best.json": {"step": 4, "validation_loss": 0.5, "metric": "loss", "metric_value": 0.5},
    "evaluation/state.json": STATE,
    "evaluation/result.json": {
        "rows": 2, "metrics": {"accuracy": 0.5, "perplexity": None}, "main_metric": "accuracy",
        "baseline": {"accuracy": 0.0, "perplexity": 9.0}, "baseline_name": "base", "task": "classification",
        "difference": {"accuracy": {"mean": 0.5, "low": 0.1, "high": 0.9, "p": 0.04}},
        "about": {"accuracy": {"label": "Accuracy", "unit": "share", "meaning": "Right.", "higher_is_better": True}},
        "groups": {"kind": {"new": {"rows": 2, "accuracy": 0.5, "baseline": {"accuracy": 0.0}}}},
        "confusion": {"labels": ["a", "b"], "counts": [[1, 0], [1, 0]]}, "baseline_confusion": None,
        "per_label": [{"label": "a", "support": 1, "precision": 0.5, "recall": 1.0, "f1": 0.7}],
        "data": {"name": "rows", "which": "validation", "rows": 2}, "notes": ["2 rows are few."],
    },
    "export/cpu-int8/state.json": STATE,
    "export/cpu-int8/report.json": {
        "device": "cpu", "precision": "int8", "status": "verified", "message": "All the same.", "rows": 2, "same": 1.0,
        "metric": {"name": "accuracy", "pytorch": 0.5, "onnx": 0.5, "difference": {"low": 0.0, "high": 0.1}},
        "tokens_per_second": {"onnx": 90.0, "pytorch": 40.0}, "first_token_seconds": {"onnx": 0.1, "pytorch": 0.2},
        "perplexity": {"onnx": 2.0, "pytorch": 2.1}, "max_logit_difference": 0.1, "logit_range": 9.0,
        "load_seconds": 0.5, "peak_bytes": 10_000, "bytes": 5_000, "made": T, "head": "causal_lm",
        "adapters": [{"name": "tone", "status": "verified"}], "separate_bytes": 9_000,
    },
    "export/cpu-int8/failed.json": {"message": "It was off."},
    "export/cpu-int8/tunesmith.json": {
        "made_by": "Tunesmith", "kind": "writer", "fields": ["phrase"], "optional": [], "template": "{phrase} {tone}",
        "layout": {"name": "text_label", "roles": {"text": "phrase", "label": "tone"}}, "files": {}, "adapters": {},
    },
    "export/cpu-fp32/report.json": {
        "status": "verified", "message": "All the same.", "rows": 2, "same": 1.0, "metric": None,
        "tokens_per_second": None, "bytes": 9_000, "made": T,
    },
    "export/push/state.json": STATE,
    "export/push/result.json": {"url": "https://hub.example/me/tone"},
}  # fmt: skip
LINES: dict[str, list[Any]] = {
    "events.jsonl": [
        {"t": T, "step": 0, "kind": "state", "state": "running", "max_steps": 4},
        {"t": T, "step": 0, "kind": "eval", "validation_loss": 2.0, "metric": "loss", "metric_value": 2.0,
         "higher_is_better": False, "accuracy": 0.1, "max_steps": 4},
        {"t": T, "step": 0, "kind": "sample", "prompt": "p", "want": "w", "answer": "a", "row": 1,
         "answers": [{"row": 1, "answer": "a", "prompt": "p", "want": "w"}]},
        {"t": T + 1, "step": 2, "kind": "log", "loss": 1.5, "tokens_per_second": 900.0, "max_steps": 4},
        {"t": T + 2, "step": 2, "kind": "checkpoint", "path": "checkpoints/step-2"},
        {"t": T + 2, "step": 2, "kind": "resources", "memory_bytes": 9, "memory_total": 99, "cpu_percent": 50.0},
        {"t": T + 2, "step": 2, "kind": "resumed"},
        {"t": T + 3, "step": 4, "kind": "log", "loss": 0.9, "tokens_per_second": 900.0, "max_steps": 4},
        {"t": T + 4, "step": 4, "kind": "eval", "validation_loss": 0.5, "metric": "loss", "metric_value": 0.5,
         "higher_is_better": False, "accuracy": 0.6, "max_steps": 4},
        {"t": T + 5, "step": 4, "kind": "end", "reason": "finished", "best_step": 4, "validation_loss": 0.5,
         "metric": "loss", "metric_value": 0.5},
    ],
    "predictions/heldout.jsonl": [
        {"row": 0, "prompt": "p", "want": "a", "base": "b", "tuned": "a", "base_ok": False, "tuned_ok": True,
         "group": "x"},
        {"row": 1, "prompt": "q", "want": "b", "base": None, "tuned": "a", "base_ok": None, "tuned_ok": False},
    ],
}  # fmt: skip
MANIFEST = "checkpoints/step-2/manifest.json"
CONFIG = "config.yaml"
EVERY = (CONFIG, MANIFEST, *FILES, *LINES)


def whole_run(name: str = "damaged") -> Run:
    """A run in the folder of runs, with every file, all of them as they should be."""
    run = store.create(build({"data": {"path": "assets/data/tone/train.jsonl"}, "task": "classification"}), name)
    for file, value in FILES.items():
        _write(run.dir / file, json.dumps(value | ({"name": name} if file == "environment.json" else {})))
    for file, lines in LINES.items():
        _write(run.dir / file, "".join(json.dumps(line) + "\n" for line in lines))
    _write(run.dir / "checkpoints" / "step-2" / "optimizer.pt", "x")
    checkpoints.write_manifest(run.dir / "checkpoints" / "step-2")
    return run


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# What may stand where something else should.
ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 3, 2**70, -(10**400), 0.5, 1e308, -1e308, float("nan"), float("inf"), "", "x", "done",
    "running", "\ud800", "<b>", "9" * 400, [], [1], ["a"], [[]], {}, {"a": 1}, {"step": "y"}, [{"x": None}],
)  # fmt: skip


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a plain value, the value itself first."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*at, key))


def _changed(value: Any, at: tuple[Any, ...], new: Any, gone: bool) -> Any:
    if not at:
        return new
    value = copy.deepcopy(value)
    inner = value
    for key in at[:-1]:
        inner = inner[key]
    if gone:
        del inner[at[-1]]
    else:
        inner[at[-1]] = new
    return value


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, Callable[[Path], None]]:
    """A file of a whole run, and what is written into it: one or two of its values are others, or are gone."""
    file = draw(st.sampled_from([*FILES, *LINES, MANIFEST]))
    manifest = {"files": {"optimizer.pt": {"bytes": 1, "sha256": "x"}}}
    value = manifest if file == MANIFEST else LINES.get(file) or FILES[file]
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.sampled_from(list(_places(value))))
        value = _changed(value, at, draw(st.sampled_from(ODD)), bool(at) and draw(st.booleans()))
        if not isinstance(value, dict | list):
            break
    lines = value if file in LINES and isinstance(value, list) else [value]
    text = "\n".join(json.dumps(line) for line in lines) + "\n"
    return f"{file}: {text[:2000]}", lambda folder: _write(folder / file, text)


def odd_things() -> dict[str, Callable[[Path], None]]:
    """What may stand under the name of a file: each makes it, where nothing is."""

    def sparse(path: Path) -> None:
        with open(path, "wb") as file:
            file.truncate(2**27)

    return {
        "a folder": lambda path: path.mkdir(),
        "a pipe": lambda path: os.mkfifo(path),
        "a link to itself": lambda path: path.symlink_to(path),
        "a link to nothing": lambda path: path.symlink_to("nowhere"),
        "empty": lambda path: path.write_bytes(b""),
        "far too long": sparse,
        "a program": lambda path: path.write_bytes(bytes(range(256)) * 9),
        "cut off": lambda path: path.write_bytes(b'{"state": "run'),
        "deep": lambda path: path.write_bytes(b"[" * 100_000),
        "deep objects": lambda path: path.write_bytes(b'{"a":' * 100_000),
        "long numbers": lambda path: path.write_bytes(b'{"step": ' + b"9" * 5000 + b', "state": "done"}\n'),
        "a device": lambda path: path.symlink_to("/dev/zero"),
    }
