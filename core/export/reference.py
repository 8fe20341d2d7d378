"""What PyTorch answers to the rows of the comparison: greedy tokens, logits along them, and its speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

BATCH = 16
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


@torch.inference_mode()
def answer(
    model: Any,
    prompts: Sequence[list[int]],
    folder: Path,
    *,
    end_ids: list[int],
    pad_id: int,
    max_new_tokens: int,
    on_row: Callable[[int], None] = lambda done: None,
) -> Reference:
    """Greedy answers of a transformers model in float32, and the logits along them.

    Batches are filled on the left. Each answer is then checked, row by row without filling, against the argmax of the
    logits along it; the rare row where filling tipped a tie is answered again on its own.

    Args:
        prompts: token ids, none empty. folder: where the files of logits go. on_row: called with rows done so far.
    """
    model.eval()
    answers: list[list[int]] = [[] for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    done = 0
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        for row, tokens in zip(
            rows, _generate(model, [prompts[i] for i in rows], end_ids, pad_id, max_new_tokens), strict=True
        ):
            answers[row] = tokens
        done += len(rows)
        on_row(done)
    files: list[Path] = []
    used = 0
    for row, prompt in enumerate(prompts):
        logits = _along(model, prompt, answers[row])
        if logits.argmax(-1).tolist() != answers[row]:
            answers[row] = _generate(model, [prompt], end_ids, pad_id, max_new_tokens)[0]
            logits = _along(model, prompt, answers[row])
        used += logits.numel() * 4
        if used > LOGIT_BYTES and files:
            break
        files.append(folder / f"{row}.npy")
        np.save(files[-1], logits.float().numpy())
    return Reference(answers, files, _speed(model, prompts[:TIMED_ROWS], end_ids, pad_id, max_new_tokens))


def _generate(model: Any, prompts: list[list[int]], end_ids: list[int], pad_id: int, limit: int) -> list[list[int]]:
    """Greedy continuations, each up to and with its end token."""
    from transformers import GenerationConfig

    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    settings = GenerationConfig(
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        max_new_tokens=limit,
        eos_token_id=end_ids,
        pad_token_id=pad_id,
        use_cache=True,
    )
    out = model.generate(ids.to(model.device), attention_mask=mask.to(model.device), generation_config=settings)
    return [until_end(row.tolist(), end_ids) for row in out[:, longest:]]


def until_end(tokens: list[int], end_ids: Sequence[int]) -> list[int]:
    """The tokens up to and with the first end token."""
    for place, token in enumerate(tokens):
        if token in end_ids:
            return tokens[: place + 1]
    return tokens


def _along(model: Any, prompt: list[int], tokens: list[int]) -> torch.Tensor:
    """Logits that predict each answer token, teacher-forced: (answer tokens, vocabulary)."""
    ids = torch.tensor([prompt + tokens[:-1]], device=model.device)
    out: torch.Tensor = model(ids, logits_to_keep=len(tokens), use_cache=False).logits[0, -len(tokens) :]
    return out.float().cpu()


def _speed(model: Any, prompts: Sequence[list[int]], end_ids: list[int], pad_id: int, limit: int) -> float:
    """Answer tokens a second, one row at a time."""
    made, began = 0, time.perf_counter()
    for prompt in prompts:
        made += len(_generate(model, [prompt], end_ids, pad_id, limit)[0])
    return made / max(1e-9, time.perf_counter() - began)
