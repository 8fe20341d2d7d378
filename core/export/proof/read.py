"""What a model says of texts, compared: labels, tags or vectors; each text alone, and in filled batches."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from core.export.proof import fresh
from core.runs.state import Stopped

ME = "core.export.proof.read"
TIMED = 8  # texts that are timed one by one
BATCH = 16  # texts in a batch, those of like length together
Outputs = Callable[[Sequence[Sequence[int]]], list[np.ndarray]]


@dataclass(frozen=True)
class Said:
    """What a model said of texts, and how fast.

    Attributes:
        alone: float32 arrays, one a text, each read by itself. batched: the same texts in filled batches.
        text_seconds: of one text by itself, the median. texts_per_second, tokens_per_second: in batches; of padding
            nothing counts.
    """

    alone: list[np.ndarray]
    batched: list[np.ndarray]
    text_seconds: float
    texts_per_second: float
    tokens_per_second: float


@dataclass(frozen=True)
class Gaps:
    """How far the numbers of two sides are apart, alone and in batches.

    Attributes:
        largest, mean: of one number. batch: the largest between ONNX alone and ONNX in a batch.
        span: largest minus smallest of PyTorch's numbers. most: PyTorch's largest |number|.
    """

    largest: float
    mean: float
    batch: float
    span: float
    most: float


def look(
    outputs: Outputs,
    texts: Sequence[Sequence[int]],
    on_text: Callable[[float], None] = lambda done: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Said:
    """Ask for every text alone, then for all in batches.

    Args:
        outputs: from texts (lists of ids) to one array each, as a package's `outputs`. texts: none empty.
        on_text: told how many were read alone.

    Raises:
        core.runs.state.Stopped: `should_stop` said so.
    """
    outputs([texts[0]])  # the first call makes room; it is not timed
    alone, seconds = list[np.ndarray](), list[float]()
    for number, text in enumerate(texts):
        _heed(should_stop)
        start = time.perf_counter()
        alone += outputs([text])
        if number < TIMED:
            seconds.append(time.perf_counter() - start)
        on_text(number + 1)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    batched = dict[int, np.ndarray]()
    start = time.perf_counter()
    for place in range(0, len(order), BATCH):
        _heed(should_stop)
        batch = order[place : place + BATCH]
        batched |= dict(zip(batch, outputs([texts[i] for i in batch]), strict=True))
    took = max(1e-9, time.perf_counter() - start)
    tokens = sum(map(len, texts))
    return Said(alone, [batched[i] for i in range(len(texts))], median(seconds), len(texts) / took, tokens / took)


def compare(
    bundle: Path,
    prompts: Sequence[Any],
    rows: Sequence[dict[str, Any]],
    texts: Sequence[Sequence[int]],
    stand_in: bool = False,
) -> tuple[Said, dict[str, Any]]:
    """What the package says, in a fresh process; and the "load_seconds" and "peak_bytes" of that.

    Args:
        prompts: what run.py must make of the rows, see its `ids`. texts: all texts of these, one after the other.
        stand_in: see core.export.proof.fresh.

    Raises:
        RuntimeError: the package does not load, crashed, or cuts a text into other tokens than training did; in one
            sentence.
    """
    with tempfile.TemporaryDirectory(prefix="tunesmith-proof-") as folder:
        out = Path(folder) / "said.npz"
        request = {"prompts": list(prompts), "rows": list(rows), "answers": str(out), "texts": list(texts)}
        found = fresh.ask(bundle, ME, request | {"stand_in": stand_in})
        with np.load(out) as arrays:
            alone, batched = (
                [arrays[f"{kind}{i}"] for i in range(len(texts))] for kind in ("alone", "batched")
            )  # fmt: skip
    said = Said(alone, batched, found["text_seconds"], found["texts_per_second"], found["tokens_per_second"])
    return said, {name: found[name] for name in ("load_seconds", "peak_bytes")}


def check_prompts(bundle: Path, prompts: Sequence[Any], rows: Sequence[dict[str, Any]]) -> None:
    """Whether run.py makes the very same tokens, in a fresh process, without the model. Raises as `compare`."""
    fresh.ask(bundle, ME, {"prompts": list(prompts), "rows": list(rows)})


def gaps(theirs: Said, ours: Said) -> Gaps:
    """PyTorch's numbers (each text alone) beside the package's, alone and in batches."""
    apart = [np.abs(o - t) for t, a, b in zip(theirs.alone, ours.alone, ours.batched, strict=True) for o in (a, b)]
    between = [np.abs(a - b).max() for a, b in zip(ours.alone, ours.batched, strict=True)]
    low, high = min(float(t.min()) for t in theirs.alone), max(float(t.max()) for t in theirs.alone)
    return Gaps(
        largest=_worst(one.max() for one in apart),
        mean=float(sum(one.sum(dtype=np.float64) for one in apart) / sum(one.size for one in apart)),
        batch=_worst(between),
        span=high - low,
        most=max(high, -low),
    )


def _worst(values: Any) -> float:
    """The largest; one that is no number where there is any."""
    found = [float(value) for value in values]
    return next((value for value in found if not math.isfinite(value)), max(found))


def _heed(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise Stopped


def answer(package: Any, request: dict[str, Any]) -> dict[str, Any]:
    """In the fresh process: read every text, write what came out to the file "answers". See core.export.proof.fresh."""
    said = look(package.outputs, request["texts"])
    arrays = {f"{kind}{i}": one for kind in ("alone", "batched") for i, one in enumerate(getattr(said, kind))}
    np.savez(request["answers"], **arrays)
    return {
        "text_seconds": said.text_seconds,
        "texts_per_second": said.texts_per_second,
        "tokens_per_second": said.tokens_per_second,
    }
