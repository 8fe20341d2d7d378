"""What a model writes, compared: its greedy tokens, the logits along them, the likelihood of the right answers."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from core.export.proof import fresh

ME = "core.export.proof.written"


@dataclass(frozen=True)
class Comparison:
    """ONNX against PyTorch on the same prompts, greedy.

    Attributes:
        rows: how many were answered by both.
        greedy_match: share of rows whose token ids are all the same, end token included.
        token_match: share of PyTorch's answer tokens that ONNX gave too, up to the first that differs in each row.
        max_logit_difference, mean_logit_difference: absolute difference of a logit, both fed the prompt and PyTorch's
            own answer (teacher-forced), over all answer positions of `logit_rows` rows and the whole vocabulary.
        logit_range: largest minus smallest of PyTorch's logits there, to judge that difference by.
        largest_logit: the largest |logit| of PyTorch there.
        differing: for the first rows that differ {"row", "token" (place in the answer), "margin"}: by how many logits
            PyTorch preferred its token to ONNX's there; None where that row's logits were not kept.
        nll: nats of the wanted answers, summed; None where none are known.
        tokens_per_second: of the package, one row at a time, on the rows that PyTorch was timed on.
        first_token_seconds: from a prompt to its first token there, the median.
        load_seconds: from the files to a model that answers. peak_bytes: the most memory that its process held.
    """

    rows: int
    greedy_match: float
    token_match: float
    max_logit_difference: float
    mean_logit_difference: float
    logit_range: float
    largest_logit: float
    logit_rows: int
    differing: list[dict[str, Any]]
    nll: float | None
    tokens_per_second: float
    first_token_seconds: float
    load_seconds: float
    peak_bytes: int | None
    answers: list[list[int]]


def compare(
    bundle: Path,
    prompts: Sequence[list[int]],
    answers: Sequence[list[int]],
    logits: Mapping[int, Path],
    *,
    max_new_tokens: int,
    rows: Sequence[dict[str, Any]] = (),
    wanted: Sequence[list[int]] | None = None,
    timed: int = 8,
    adapter: str | None = None,
    stand_in: bool = False,
) -> Comparison:
    """Ask a fresh process the prompts, and compare.

    Args:
        answers, logits: PyTorch's, see `core.export.proof.reference`.
        rows: the raw rows behind the prompts; then run.py must make the very same prompt ids of them.
        wanted: the right answers as token ids. adapter, stand_in: see core.export.proof.fresh.

    Raises:
        RuntimeError: the package does not load, crashed, or renders other prompts than training did; in one sentence.
    """
    found = fresh.ask(
        bundle,
        ME,
        {
            "prompts": list(prompts),
            "answers": list(answers),
            "logits": {row: str(path) for row, path in logits.items()},
            "rows": list(rows),
            "wanted": list(wanted or ()),
            "max_new_tokens": max_new_tokens,
            "timed": timed,
            "adapter": adapter,
            "stand_in": stand_in,
        },
    )
    return _figures(found, answers)


def check_prompts(
    bundle: Path, prompts: Sequence[Any], rows: Sequence[dict[str, Any]], adapter: str | None = None
) -> None:
    """Whether run.py makes the very same prompts, in a fresh process, without the model. Raises as `compare`."""
    fresh.ask(bundle, ME, {"prompts": list(prompts), "rows": list(rows), "adapter": adapter})


def _figures(found: dict[str, Any], answers: Sequence[list[int]]) -> Comparison:
    same = [mine == other for mine, other in zip(answers, found["answers"], strict=True)]
    kept = sum(_common(mine, other) for mine, other in zip(answers, found["answers"], strict=True))
    measured = {name: found[name] for name in Comparison.__dataclass_fields__ if name in found}
    return Comparison(
        rows=len(answers),
        greedy_match=sum(same) / len(same),
        token_match=kept / sum(map(len, answers)),
        **measured | {"differing": found["differing"][:10]},
    )


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two answers share from their start."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


def answer(package: Any, request: dict[str, Any]) -> dict[str, Any]:
    """In the fresh process: answer, and compare logits along PyTorch's answers. See core.export.proof.fresh."""
    import numpy as np

    prompts, answers, limit = request["prompts"], request["answers"], request["max_new_tokens"]
    files = {int(row): path for row, path in request["logits"].items()}
    wanted, nats = request["wanted"], dict[int, float]()  # of the right answers
    list(package.generate(prompts[0], 1))  # the first call makes room; it is not timed
    mine: list[list[int]] = []
    timed = made = 0.0
    first: list[float] = []
    worst, total, count, low, high = 0.0, 0.0, 0, math.inf, -math.inf
    margins: dict[int, float] = {}
    for place, prompt in enumerate(prompts):
        start, tokens, steps = time.perf_counter(), list[int](), list[Any]()
        clocked = place < request["timed"]
        see = None if clocked or place not in files else lambda said, s=steps: s.append(np.array(said, np.float32))
        for token in package.generate(prompt, limit, see):
            if not tokens and clocked:
                first.append(time.perf_counter() - start)
            tokens.append(token)
        mine.append(tokens)
        if clocked:
            timed += time.perf_counter() - start
            made += len(tokens)
        if place not in files or not math.isfinite(worst):
            continue
        theirs = np.load(files[place])
        along = steps and tokens == answers[place]  # so what it said is what it says along PyTorch's answer
        ours = np.stack(steps) if along else package.logits(prompt, answers[place])
        gaps = np.abs(ours - theirs)
        gap = float(gaps.max())
        worst = max(worst, gap) if math.isfinite(gap) else gap
        total, count = total + float(gaps.sum(dtype=np.float64)), count + gaps.size
        low, high = min(low, float(theirs.min())), max(high, float(theirs.max()))
        at = _common(answers[place], tokens)
        if at < min(len(answers[place]), len(tokens)):
            margins[place] = float(theirs[at, answers[place][at]] - theirs[at, tokens[at]])
        if wanted and answers[place] == wanted[place]:
            nats[place] = _nats(ours, wanted[place])
    differing = [
        {"row": i, "token": _common(answers[i], mine[i]), "margin": margins.get(i)}
        for i in range(len(prompts))
        if answers[i] != mine[i]
    ]
    for place, right in enumerate(wanted):
        if right and place not in nats:
            nats[place] = _nats(package.logits(prompts[place], right), right)
    return {
        "answers": mine,
        "max_logit_difference": worst,
        "mean_logit_difference": total / max(1, count),
        "logit_range": high - low,
        "largest_logit": max(high, -low),
        "logit_rows": len(request["logits"]),
        "differing": differing,
        "nll": sum(nats.values()) if wanted else None,
        "tokens_per_second": made / max(1e-9, timed),
        "first_token_seconds": median(first) if first else 0.0,
    }


def _nats(logits: Any, right: list[int]) -> float:
    """Nats of an answer, by the logits before each of its tokens."""
    import numpy as np

    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    chosen = logits[np.arange(len(right)), right] - np.log(np.exp(logits).sum(-1))
    return -float(chosen.sum())
