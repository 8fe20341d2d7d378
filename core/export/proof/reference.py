"""What PyTorch answers to the rows of the comparison: greedy tokens, logits along them, likelihoods, and its speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from core.tasks import encoder_decoder
from core.tasks.predict import write
from core.tasks.vectors import fill

TIMED_ROWS = 8
LOGIT_BYTES = 256 * 2**20  # at most so much of logits is written down; rows beyond are compared by their tokens alone


@dataclass(frozen=True)
class Reference:
    """PyTorch's side: one answer a row (token ids, the end token among them where it came), and how fast they came.

    Attributes:
        logits: logits[i] is a file of (answer tokens, vocabulary) float32 numbers for row i; there may be fewer files
            than rows. nll: nats of the answers that are wanted, summed over all of them; None where none are known.
        first_token_seconds: from a prompt to its first token, the median of the rows that are timed.
    """

    answers: list[list[int]]
    logits: list[Path]
    nll: float | None
    tokens_per_second: float
    first_token_seconds: float


def answer(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    folder: Path,
    *,
    end_ids: list[int],
    max_new_tokens: int,
    wanted: Sequence[list[int]] | None = None,
    on_row: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Reference:
    """Greedy answers of a transformers model, by the very function that evaluation uses, and the logits along them.

    Batches are filled up there. Each answer is therefore checked against the argmax of the logits along it, row by row
    without filling; the rare row where filling tipped a tie is answered again on its own.

    Args:
        prompts: token ids, none empty. folder: where the files of logits go. wanted: the right answers as token ids.
        on_row: called with rows done so far.
    """
    ends = set(end_ids)

    def greedy(some: Sequence[list[int]], most: int = max_new_tokens, **more: Any) -> list[tuple[list[int], bool]]:
        found = write(model, tokenizer, some, max_new_tokens=most, ends=ends, should_stop=should_stop, **more)
        return [(row.ids, row.stopped) for row in found]

    answers: list[list[int]] = []
    files: list[Path] = []
    used = 0
    for row, (tokens, stopped) in enumerate(greedy(prompts, on_progress=on_row)):
        logits = _along(model, prompts[row], tokens, stopped)
        if logits[: len(tokens)].argmax(-1).tolist() != tokens:
            [(tokens, stopped)] = greedy([prompts[row]])
            logits = _along(model, prompts[row], tokens, stopped)
        answers.append([*tokens, int(logits[-1].argmax())] if stopped else tokens)
        used += logits.numel() * 4
        if row == 0 or used <= LOGIT_BYTES:
            files.append(folder / f"{row}.npy")
            np.save(files[-1], logits.numpy())
    nll = None
    if wanted is not None:
        nll = sum(_nll(model, prompt, right) for prompt, right in zip(prompts, wanted, strict=True) if right)
    timed, first = prompts[:TIMED_ROWS], list[float]()
    began = time.perf_counter()
    for prompt in timed:
        greedy([prompt])
    seconds = time.perf_counter() - began
    for prompt in timed:
        start = time.perf_counter()
        greedy([prompt], 1)
        first.append(time.perf_counter() - start)
    return Reference(
        answers, files, nll, sum(map(len, answers[:TIMED_ROWS])) / max(1e-9, seconds), median(first) if first else 0.0
    )


def _along(model: Any, prompt: list[int], tokens: list[int], stopped: bool) -> torch.Tensor:
    """Logits that predict each answer token, teacher-forced, the end token's too: (answer tokens, vocabulary)."""
    return along(model, prompt, [*tokens, 0] if stopped else tokens)


@torch.inference_mode()
def along(model: Any, prompt: list[int], answer: list[int]) -> torch.Tensor:
    """Logits before each token of an answer (tokens, vocabulary), float32 on the CPU; its last token is not fed."""
    if model.config.is_encoder_decoder:
        ids, mask = (part.to(model.device) for part in fill([prompt], 0))
        found = encoder_decoder.logits(model, ids, mask, torch.tensor([answer], device=model.device))[0]
    else:
        fed = torch.tensor([prompt + answer[:-1]], device=model.device)
        found = model(fed, logits_to_keep=len(answer), use_cache=False).logits[0, -len(answer) :]
    return found.float().cpu()


def _nll(model: Any, prompt: list[int], answer: list[int]) -> float:
    logits = along(model, prompt, answer)
    return float(functional.cross_entropy(logits, torch.tensor(answer), reduction="sum"))
