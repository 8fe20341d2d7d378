"""The proof: a fresh process loads the package and answers real rows; its answers are compared with PyTorch's.

    python -m core.export.verify PACKAGE < request.json > answer.json

The fresh process runs the package's own run.py: what is compared is what is shipped, prompt, tokenizer and all.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.export.targets import Target
from core.paths import ROOT

Status = Literal["verified", "verified with loss", "failed", "not verified here"]
FULL = ("fp32", "fp16")
# A package in full or half precision whose answers differ on more than a tenth of the rows has something wrong in it:
# rounding alone flips a near tie now and then. Quantised weights may differ anywhere; there the task's metric decides,
# and a package that keeps less than a tenth of it is broken, not lossy.
LEAST_MATCH = 0.9
LEAST_METRIC = 0.1
NEAR_TIE = 0.01  # of the span of PyTorch's logits: less than that between two tokens is a toss-up


@dataclass(frozen=True)
class Metric:
    """The task's own figure for both sides, on the same rows."""

    name: str
    pytorch: float
    onnx: float


@dataclass(frozen=True)
class Comparison:
    """ONNX against PyTorch on the same prompts, greedy.

    Attributes:
        rows: how many were answered by both.
        greedy_match: share of rows whose token ids are all the same, end token included.
        token_match: share of PyTorch's answer tokens that ONNX gave too, up to the first that differs in each row.
        max_logit_difference: largest absolute difference of a logit, both fed the prompt and PyTorch's own answer
            (teacher-forced), over all answer positions of `logit_rows` rows and the whole vocabulary.
        logit_range: largest minus smallest of PyTorch's logits there, to judge that difference by.
        largest_logit: the largest |logit| of PyTorch there.
        differing: for the first rows that differ {"row", "token" (place in the answer), "margin"}: by how many logits
            PyTorch preferred its token to ONNX's there; None where that row's logits were not kept.
        tokens_per_second: of the package, one row at a time, on the rows that PyTorch was timed on.
        load_seconds: from the files to a model that answers.
    """

    rows: int
    greedy_match: float
    token_match: float
    max_logit_difference: float
    logit_range: float
    largest_logit: float
    logit_rows: int
    differing: list[dict[str, Any]]
    tokens_per_second: float
    load_seconds: float
    answers: list[list[int]]


def compare(
    bundle: Path,
    prompts: Sequence[list[int]],
    answers: Sequence[list[int]],
    logits: Sequence[Path],
    *,
    max_new_tokens: int,
    rows: Sequence[dict[str, Any]] = (),
    timed: int = 8,
) -> Comparison:
    """Ask a fresh process the prompts, and compare.

    Args:
        answers, logits: PyTorch's, see `core.export.reference`.
        rows: the raw rows behind the prompts; then run.py must make the very same prompt ids of them.

    Raises:
        RuntimeError: the package does not load, crashed, or renders other prompts than training did; in one sentence.
    """
    found = _fresh(
        bundle,
        {
            "prompts": list(prompts),
            "answers": list(answers),
            "logits": [str(path) for path in logits],
            "rows": list(rows),
            "max_new_tokens": max_new_tokens,
            "timed": timed,
        },
    )
    return _figures(found, answers)


def check_prompts(bundle: Path, prompts: Sequence[list[int]], rows: Sequence[dict[str, Any]]) -> None:
    """Whether run.py makes the very same prompts, in a fresh process, without the model. Raises as `compare`."""
    _fresh(bundle, {"prompts": list(prompts), "rows": list(rows)})


def _fresh(bundle: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Ask a fresh process. RuntimeError, in one sentence, where it crashes or makes other prompts."""
    done = subprocess.run(
        [sys.executable, "-m", "core.export.verify", str(bundle)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    sys.stderr.write(done.stderr)
    if done.returncode or not done.stdout.strip():
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or ["no word of why"]
        how = f"it was killed by signal {-done.returncode}" if done.returncode < 0 else last[0]
        raise RuntimeError(f"The package does not run: {how}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if other := found["other_prompts"]:
        raise RuntimeError(
            f"The package's run.py makes other tokens of {len(other)} of {len(request['prompts'])} prompts "
            f"than training did (first: row {other[0]})."
        )
    return found


def _figures(found: dict[str, Any], answers: Sequence[list[int]]) -> Comparison:
    same = [mine == other for mine, other in zip(answers, found["answers"], strict=True)]
    kept = sum(_common(mine, other) for mine, other in zip(answers, found["answers"], strict=True))
    return Comparison(
        rows=len(answers),
        greedy_match=sum(same) / len(same),
        token_match=kept / sum(map(len, answers)),
        max_logit_difference=found["max_logit_difference"],
        logit_range=found["logit_range"],
        largest_logit=found["largest_logit"],
        logit_rows=found["logit_rows"],
        differing=found["differing"][:10],
        tokens_per_second=found["tokens_per_second"],
        load_seconds=found["load_seconds"],
        answers=found["answers"],
    )


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two answers share from their start."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


def judge(found: Comparison, metric: Metric | None, precision: str, weights: int) -> tuple[Status, str]:
    """The status and the sentence that says what it means.

    verified: every answer is PyTorch's, token for token. verified with loss: it ran, some answers differ, and the
    sentence says how many and what that does to the metric. failed: numbers that are none, or answers that have nothing
    to do with PyTorch's.
    """
    same = round(found.greedy_match * found.rows)
    if not math.isfinite(found.max_logit_difference):
        return "failed", "The package computes numbers that are none (NaN or infinite)."
    told = f"{same} of {found.rows} answers are PyTorch's, token for token"
    figure = ""
    if metric is not None:
        name = metric.name.replace("_", " ")
        now, then = f"{metric.onnx:.3f}", f"{metric.pytorch:.3f}"
        figure = f"; {name} {now} with both" if metric.onnx == metric.pytorch else f"; {name} {now} instead of {then}"
    if same == found.rows:
        whole = f"All {same} answers are" if same > 1 else "The one answer is"
        return "verified", f"{whole} PyTorch's, token for token{figure}."
    if precision in FULL and found.greedy_match < LEAST_MATCH:
        return "failed", f"Only {told}{figure}: in {precision} they should agree. Please report this model."
    if metric is not None and metric.pytorch > 0 and metric.onnx < LEAST_METRIC * metric.pytorch:
        return "failed", f"Only {told}{figure}: in {precision} this model is not usable.{_advice(precision, weights)}"
    margins = [d["margin"] for d in found.differing if d["margin"] is not None]
    near = found.differing and len(margins) == found.rows - same and max(margins) < NEAR_TIE * found.logit_range
    tie = f" Where they part, PyTorch was nearly undecided (by {max(margins):.2g} logits at most)." if near else ""
    return "verified with loss", f"{told}{figure}.{tie}{_advice(precision, weights)}"


def _advice(precision: str, weights: int) -> str:
    if precision != "int4" or weights > 500_000_000:
        return ""
    size = f"{weights / 1e6:.1f} million" if weights < 1e8 else f"{weights / 1e6:.0f} million"
    return f" Four bits cost a model of {size} weights a lot: take int8."


def not_here(target: Target) -> tuple[Status, str]:
    """The status and sentence of a package that this machine cannot run."""
    return "not verified here", f"Built, and not run here. {target.verifiable()[1]}"


def load_run_script(bundle: Path) -> Any:
    """The package's own run.py as a module."""
    sys.path.insert(0, str(bundle))  # as `python run.py` does: the prompt code lies beside it
    spec = importlib.util.spec_from_file_location("tunesmith_package_run", bundle / "run.py")
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{bundle.name} has no run.py.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _answer(bundle: Path, request: dict[str, Any]) -> dict[str, Any]:
    """The fresh process: load, answer, compare logits along PyTorch's answers."""
    package, prompts = load_run_script(bundle).Package(bundle), request["prompts"]
    other = [i for i, row in enumerate(request["rows"]) if package.ids(row) != prompts[i]]
    if other or "answers" not in request:
        return {"other_prompts": other}
    import numpy as np
    import onnxruntime_genai as og

    answers, limit = request["answers"], request["max_new_tokens"]
    began = time.perf_counter()
    model = package.model
    loaded = time.perf_counter() - began
    list(package.generate(prompts[0], 1))  # the first call makes room; it is not timed
    mine: list[list[int]] = []
    timed = made = 0.0
    for place, prompt in enumerate(prompts):
        start = time.perf_counter()
        mine.append(list(package.generate(prompt, limit)))
        if place < request["timed"]:
            timed += time.perf_counter() - start
            made += len(mine[-1])
    worst, low, high = 0.0, math.inf, -math.inf
    margins: dict[int, float] = {}
    for place, path in enumerate(request["logits"]):
        theirs = np.load(path)
        params = og.GeneratorParams(model)
        params.set_search_options(max_length=len(prompts[place]) + len(answers[place]) + 1)
        generator = og.Generator(model, params)
        generator.append_tokens(prompts[place] + answers[place][:-1])
        ours = np.asarray(generator.get_output("logits"))[0, -len(theirs) :].astype(np.float32)
        gap = np.abs(ours - theirs).max()
        worst = float(gap) if not np.isfinite(gap) else max(worst, float(gap))
        low, high = min(low, float(theirs.min())), max(high, float(theirs.max()))
        at = _common(answers[place], mine[place])
        if at < min(len(answers[place]), len(mine[place])):
            margins[place] = float(theirs[at, answers[place][at]] - theirs[at, mine[place][at]])
        if not np.isfinite(worst):
            break
    differing = [
        {"row": i, "token": _common(answers[i], mine[i]), "margin": margins.get(i)}
        for i in range(len(prompts))
        if answers[i] != mine[i]
    ]
    return {
        "other_prompts": [],
        "answers": mine,
        "max_logit_difference": worst,
        "logit_range": high - low,
        "largest_logit": max(high, -low),
        "logit_rows": len(request["logits"]),
        "differing": differing,
        "tokens_per_second": made / max(1e-9, timed),
        "load_seconds": loaded,
    }


if __name__ == "__main__":
    print(json.dumps(_answer(Path(sys.argv[1]), json.load(sys.stdin))), flush=True)
