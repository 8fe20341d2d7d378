"""What PyTorch answers to the rows of the comparison: greedy tokens, logits along them, likelihoods, and its speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from core.tasks import encoder_decoder, predict
from core.tasks.vectors import fill

TIMED_ROWS, TIMED_S = 8, 3.0  # rows that are asked one at a time for their speed: at least two, then until so long
LOGIT_BYTES = 256 * 2**20  # at most so much of logits is written down; rows beyond are compared by their tokens alone
UNSURE = 1e-4  # of the logits' span: filling up a batch moves a logit by a tenth of that


@dataclass(frozen=True)
class Reference:
    """PyTorch's side: one answer a row (token ids, the end token among them where it came), and how fast they came.

    Attributes:
        logits: row -> a file of (answer tokens, vocabulary) float32 numbers; of as many rows as there is room for.
        nll: nats of the answers that are wanted, summed over all of them; None where none are known.
        timed: how many rows, the first ones, were asked one at a time for the two that follow.
        first_token_seconds: from a prompt to its first token, the median of them.
    """

    answers: list[list[int]]
    logits: dict[int, Path]
    nll: float | None
    timed: int
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

    Batches are filled up there, which may tip a choice that is nearly a tie: rows with such a choice are answered again
    on their own. So are all, where the row that was filled up most shows that this model minds the filling.

    Args:
        prompts: token ids, none empty. folder: where the files of logits go. wanted: the right answers as token ids.
        on_row: called with rows done so far.
    """
    write = partial(predict.write, model, tokenizer, ends=set(end_ids), should_stop=should_stop)
    kept, nats = _Kept(folder), dict[int, float]()
    write(
        prompts, max_new_tokens=max_new_tokens, on_logits=kept.take, on_progress=partial(kept.batch, on_row),
        rights=wanted, on_nats=nats.__setitem__,
    )  # fmt: skip
    shortest = min(range(len(prompts)), key=lambda row: len(prompts[row]))
    minds = kept.differs(shortest, along(model, prompts[shortest], kept.answers[shortest]))
    for row in range(len(prompts)) if minds else sorted(kept.unsure):
        write([prompts[row]], max_new_tokens=max_new_tokens, on_logits=partial(kept.alone, row))
        kept.batch(None, 0)
    nll = None
    if wanted is not None:
        rows = [_example(model, prompts[row], right) for row, right in enumerate(wanted) if right and row not in nats]
        read = predict.surprise(model, tokenizer, rows, should_stop=should_stop)  # of models without a cache
        nll = sum(nats.values()) + sum(n for n, _ in read)
    began, first, made = time.perf_counter(), list[float](), 0
    for prompt in prompts[:TIMED_ROWS]:
        if len(first) > 1 and time.perf_counter() - began > TIMED_S:
            break
        start, times = time.perf_counter(), list[float]()
        write([prompt], max_new_tokens=max_new_tokens, on_token=partial(_clock, times))
        first.append(times[0] - start)
        made += len(times)
    speed = made / max(1e-9, time.perf_counter() - began)
    answers = [kept.answers[row] for row in range(len(prompts))]
    return Reference(answers, kept.files, nll, len(first), speed, median(first))


def _clock(times: list[float], token: int) -> None:
    times.append(time.perf_counter())


class _Kept:
    """What is kept of the logits along the answers, a batch at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[int, list[int]] = {}
        self.files: dict[int, Path] = {}
        self.unsure: set[int] = set()
        self._steps: dict[int, list[torch.Tensor]] = {}
        self._room = LOGIT_BYTES

    def take(self, rows: Sequence[int], logits: torch.Tensor) -> None:
        """The logits before the next token of these rows: (rows, vocabulary)."""
        for row, one in zip(rows, logits.float().cpu(), strict=True):
            self._steps.setdefault(row, []).append(one.clone())

    def alone(self, row: int, rows: Sequence[int], logits: torch.Tensor) -> None:
        """The same of one row that is asked on its own."""
        self.take([row], logits)

    def batch(self, on_row: Callable[[float], None] | None, done: float) -> None:
        """A batch is answered: its logits go to the disk, as far as there is room."""
        for row, steps in self._steps.items():
            self._row(row, torch.stack(steps))
        self._steps.clear()
        if on_row is not None:
            on_row(done)

    def differs(self, row: int, logits: torch.Tensor) -> bool:
        """Whether other logits along a row's answer are too far from those that were kept."""
        said = logits.argmax(-1).tolist()
        if row not in self.files:
            return bool(said != self.answers[row])
        theirs = np.load(self.files[row])
        return bool(np.abs(logits.numpy() - theirs).max() > UNSURE * max(1e-9, float(theirs.max() - theirs.min())))

    def _row(self, row: int, logits: torch.Tensor) -> None:
        self.answers[row] = logits.argmax(-1).tolist()
        best = logits.topk(2, -1).values
        if float((best[:, 0] - best[:, 1]).min()) < UNSURE * float(logits.max() - logits.min()):
            self.unsure.add(row)
        size = logits.numel() * 4
        if row in self.files or not self.files or size <= self._room:
            self._room -= 0 if row in self.files else size
            self.files[row] = self.folder / f"{row}.npy"
            np.save(self.files[row], logits.numpy())


def _example(model: Any, prompt: list[int], right: list[int]) -> tuple[list[int], list[int]]:
    """A prompt and its answer, as core.tasks.predict.surprise takes them."""
    if model.config.is_encoder_decoder:
        return prompt, right
    return [*prompt, *right], [*[predict.IGNORED] * len(prompt), *right]


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
