"""What a model writes, compared: its greedy tokens, the logits along them, the likelihood of the right answers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
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
    rights = request["wanted"] or [[] for _ in prompts]
    list(package.generate(prompts[0], 1))  # the first call makes room; it is not timed
    clock, gaps, nats = _Clock(), _Gaps(), 0.0
    mine, differing = list[list[int]](), list[dict[str, Any]]()
    for place, (prompt, theirs, right) in enumerate(zip(prompts, answers, rights, strict=True)):
        said = _Said(package, prompt)
        if place < request["timed"]:
            tokens = clock.timed(package.generate(prompt, limit))
        else:
            tokens = said.written(limit, keep=place in files)
        mine.append(tokens)
        margin = None
        if place in files and math.isfinite(gaps.worst):
            logits = np.load(files[place])
            gaps.add(logits, said.along(theirs))
            at = _common(theirs, tokens)
            if at < min(len(theirs), len(tokens)):
                margin = float(logits[at, theirs[at]] - logits[at, tokens[at]])
        if tokens != theirs:
            differing.append({"row": place, "token": _common(theirs, tokens), "margin": margin})
        if right:
            nats += _nats(said.along(right), right)
    return {
        "answers": mine,
        "max_logit_difference": gaps.worst,
        "mean_logit_difference": gaps.total / max(1, gaps.count),
        "logit_range": gaps.high - gaps.low,
        "largest_logit": max(gaps.high, -gaps.low),
        "logit_rows": len(request["logits"]),
        "differing": differing,
        "nll": nats if request["wanted"] else None,
        "tokens_per_second": clock.tokens / max(1e-9, clock.seconds),
        "first_token_seconds": median(clock.first) if clock.first else 0.0,
    }


class _Clock:
    """How fast answers come."""

    def __init__(self) -> None:
        self.tokens, self.seconds, self.first = 0, 0.0, list[float]()

    def timed(self, answer: Iterator[int]) -> list[int]:
        """An answer's tokens, timed."""
        start, tokens = time.perf_counter(), list[int]()
        for token in answer:
            if not tokens:
                self.first.append(time.perf_counter() - start)
            tokens.append(token)
        self.seconds += time.perf_counter() - start
        self.tokens += len(tokens)
        return tokens


class _Said:
    """What the package says behind a prompt: logits along answers, each reckoned once."""

    def __init__(self, package: Any, prompt: list[int]) -> None:
        self._package, self._prompt = package, prompt
        self._known: dict[tuple[int, ...], Any] = {}

    def written(self, limit: int, keep: bool) -> list[int]:
        """The package's own answer; keep: with the logits along it."""
        import numpy as np

        steps = list[Any]()
        see = (lambda said: steps.append(np.array(said, np.float32))) if keep else None
        tokens = list(self._package.generate(self._prompt, limit, see))
        if steps:
            self._known[tuple(tokens)] = np.stack(steps)
        return tokens

    def along(self, answer: list[int]) -> Any:
        """Logits before each token of an answer: float32 (tokens, vocabulary)."""
        key = tuple(answer)
        if key not in self._known:
            self._known[key] = self._package.logits(self._prompt, answer)
        return self._known[key]


class _Gaps:
    """How far the package's logits lie from PyTorch's, and what PyTorch's span."""

    def __init__(self) -> None:
        self.worst, self.total, self.count, self.low, self.high = 0.0, 0.0, 0, math.inf, -math.inf

    def add(self, theirs: Any, ours: Any) -> None:
        """Logits along one answer (tokens, vocabulary). A gap that is no number stays the worst."""
        gaps = abs(ours - theirs)
        gap = float(gaps.max())
        self.worst = max(self.worst, gap) if math.isfinite(gap) else gap
        self.total, self.count = self.total + float(gaps.sum(dtype="float64")), self.count + gaps.size
        self.low, self.high = min(self.low, float(theirs.min())), max(self.high, float(theirs.max()))


def _nats(logits: Any, right: list[int]) -> float:
    """Nats of an answer, by the logits before each of its tokens."""
    import numpy as np

    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    chosen = logits[np.arange(len(right)), right] - np.log(np.exp(logits).sum(-1))
    return -float(chosen.sum())
