"""What PyTorch answers to the rows of the comparison: greedy tokens, logits along them, and its speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.tasks.predict import write

TIMED_ROWS = 8
LOGIT_BYTES = 256 * 2**20  # at most so much of logits is written down; rows beyond are compared by their tokens alone


@dataclass(frozen=True)
class Reference:
    """PyTorch's side: one answer a row (token ids, the end token among them where it came), and how fast they came.

    `logits[i]` is a file of (answer tokens, vocabulary) float32 numbers for row i; there may be fewer files than rows.
    """

    answers: list[list[int]]
    logits: list[Path]
    tokens_per_second: float


def answer(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    folder: Path,
    *,
    end_ids: list[int],
    max_new_tokens: int,
    on_row: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Reference:
    """Greedy answers of a transformers model, by the very function that evaluation uses, and the logits along them.

    Batches are filled on the left there. Each answer is therefore checked against the argmax of the logits along it,
    row by row without filling; the rare row where filling tipped a tie is answered again on its own.

    Args:
        prompts: token ids, none empty. folder: where the files of logits go. on_row: called with rows done so far.
    """
    ends = set(end_ids)

    def greedy(some: Sequence[list[int]], **more: Any) -> list[tuple[list[int], bool]]:
        found = write(model, tokenizer, some, max_new_tokens=max_new_tokens, ends=ends, should_stop=should_stop, **more)
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
    began = time.perf_counter()
    for prompt in prompts[:TIMED_ROWS]:
        greedy([prompt])
    seconds = time.perf_counter() - began
    return Reference(answers, files, sum(map(len, answers[:TIMED_ROWS])) / max(1e-9, seconds))


@torch.inference_mode()
def _along(model: Any, prompt: list[int], tokens: list[int], stopped: bool) -> torch.Tensor:
    """Logits that predict each answer token, teacher-forced, the end token's too: (answer tokens, vocabulary)."""
    count = len(tokens) + stopped
    fed = prompt + tokens if stopped else prompt + tokens[:-1]
    ids = torch.tensor([fed], device=model.device)
    out: torch.Tensor = model(ids, logits_to_keep=count, use_cache=False).logits[0, -count:]
    return out.float().cpu()
