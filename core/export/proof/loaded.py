"""A fresh process that loads an export in another format than ONNX with the libraries that it is made for, and asks it.

python -m core.export.proof.loaded FOLDER < request.json > answer.json
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.paths import ROOT


def ask(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """What a fresh process finds, see `_writer` and `_reader`; with "load_seconds".

    Args:
        folder: the export. request: "format" (a key of core.export.formats.FORMATS), "head", and for an adapter "base"
            and "revision"; "texts" [[text, whether a beginning token is put in front, ids]] that the tokenizer must cut
            so; the rest is of the kind of model.

    Raises:
        RuntimeError: it does not load or crashed; in one sentence.
    """
    done = subprocess.run(
        [sys.executable, "-m", "core.export.proof.loaded", str(folder)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"},
    )
    sys.stderr.write(done.stderr)
    if done.returncode or not done.stdout.strip():
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["no word of why"]
        how = f"it was killed by signal {-done.returncode}" if done.returncode < 0 else last[0]
        raise RuntimeError(f"What was written does not load: {how}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _open(folder: Path, request: dict[str, Any]) -> tuple[Any, Any]:
    from core.export import weights
    from core.models.heads import HEADS

    if request["format"] == "safetensors":
        return weights.open_merged(folder, HEADS[request["head"]])
    if request["format"] == "adapter":
        return weights.open_adapter(folder, request["base"], request["revision"])
    from core.export.gguf.read import open_gguf

    return open_gguf(next(folder.glob("*.gguf")))


def _writer(model: Any, tokenizer: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Greedy answers to the prompts, and how far the logits along PyTorch's answers are off.

    Returns: "answers" (end token included), "gap" (largest difference of a logit), "mean_gap", "span" (of PyTorch's
    logits), "margins" (row -> by how many logits PyTorch preferred its token where the two part), "logit_rows".
    """
    from core.export.proof.reference import along
    from core.tasks.predict import write

    answers: list[list[int]] = []
    for prompt in request["prompts"]:
        answers.append([])
        ends, most = set(request["ends"]), request["max_new_tokens"]
        write(model, tokenizer, [prompt], max_new_tokens=most, ends=ends, on_token=answers[-1].append)
    sums, count, gap, low, high = 0.0, 0, 0.0, math.inf, -math.inf
    margins: dict[int, float] = {}
    for place, path in sorted((int(row), path) for row, path in request["logits"].items()):
        theirs, wanted = np.load(path), request["answers"][place]
        ours = along(model, request["prompts"][place], wanted).numpy()
        off = np.abs(ours - theirs)
        gap = max(gap, float(off.max())) if np.isfinite(off).all() else math.nan
        if not math.isfinite(gap):
            break
        sums, count = sums + float(off.sum(dtype=np.float64)), count + off.size
        low, high = min(low, float(theirs.min())), max(high, float(theirs.max()))
        at = next((i for i, (a, b) in enumerate(zip(wanted, answers[place], strict=False)) if a != b), None)
        if at is not None:
            margins[place] = float(theirs[at, wanted[at]] - theirs[at, answers[place][at]])
    return {
        "answers": answers,
        "gap": gap,
        "mean_gap": sums / count if count else None,
        "span": high - low,
        "margins": margins,
        "logit_rows": len(request["logits"]),
    }


def _reader(model: Any, tokenizer: Any, request: dict[str, Any]) -> dict[str, Any]:
    """How far the outputs for encoded rows are off: "same" (rows with the same answer), "gap", "mean_gap", "span"."""
    from core import config as configs
    from core.models.heads import HEADS
    from core.tasks.objective import objective_for

    head = HEADS[request["head"]]
    objective = objective_for(configs.loads(request["config"]), tokenizer, head, request["labels"])
    same, sums, count, gap, low, high = 0, 0.0, 0, 0.0, math.inf, -math.inf
    for row, path in zip(request["examples"], request["outputs"], strict=True):
        theirs, ours = np.load(path), outputs(objective, model, row)
        off = np.abs(ours - theirs)
        gap = max(gap, float(off.max())) if np.isfinite(off).all() else math.nan
        if not math.isfinite(gap):
            break
        same += alike(theirs, ours, head.name)
        sums, count = sums + float(off.sum(dtype=np.float64)), count + off.size
        low, high = min(low, float(theirs.min())), max(high, float(theirs.max()))
    return {"same": same, "gap": gap, "mean_gap": sums / count if count else None, "span": high - low}


def outputs(objective: Any, model: Any, row: dict[str, Any]) -> np.ndarray:
    """What a model says of an encoded row, float32: see core.tasks.objective.Objective.outputs."""
    import torch

    with torch.inference_mode():
        found: np.ndarray = objective.outputs(model, [row]).numpy()
    return found


LEAST_COSINE = 0.999  # two vectors of a text that are nearer than this rank its neighbours alike


def alike(theirs: np.ndarray, ours: np.ndarray, head: str) -> bool:
    """Whether two outputs are one answer: the same label, the same tag at each token, or vectors that point alike."""
    if head == "feature_extraction":
        cosine = (theirs * ours).sum(-1) / (np.linalg.norm(theirs, axis=-1) * np.linalg.norm(ours, axis=-1))
        return bool((cosine >= LEAST_COSINE).all())
    if theirs.shape[-1] == 1:  # a single output is a number
        return bool(np.allclose(theirs, ours, rtol=1e-2, atol=1e-2))
    return bool((theirs.argmax(-1) == ours.argmax(-1)).all())


def cut(tokenizer: Any, text: str, begins: bool) -> list[int]:
    """The ids of a text, special tokens in it read as such; begins: with what the tokenizer puts in front."""
    ids: list[int] = tokenizer.encode(text, add_special_tokens=begins)
    return ids


def _answer(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    began = time.perf_counter()
    model, tokenizer = _open(folder, request)
    loaded = time.perf_counter() - began
    texts: Sequence[tuple[str, bool, list[int]]] = request["texts"]
    found = {
        "load_seconds": loaded,
        "other_texts": [i for i, (text, begins, ids) in enumerate(texts) if cut(tokenizer, text, begins) != ids],
        "chat_template": tokenizer.chat_template,
        "tokens": {name: getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")},
    }
    return found | (_writer if "prompts" in request else _reader)(model, tokenizer, request)


if __name__ == "__main__":
    print(json.dumps(_answer(Path(sys.argv[1]), json.load(sys.stdin))), flush=True)
