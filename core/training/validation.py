"""Validation while training: the loss on rows that are kept back, and answers to some of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from core.data.encoded import Row
from core.models.load import Precision
from core.training.batches import Collator, by_length
from core.training.losses import summed_nll

MOST_NUMBERS = 2**26  # of a batch's logits: 256 MB in float32


class Validation:
    """The rows that are kept back, cut into batches once."""

    def __init__(self, rows: Sequence[Row], batch_size: int, pad: int, precision: Precision) -> None:
        self._rows, self._most, self._collate, self._precision = rows, max(8, 2 * batch_size), Collator(pad), precision
        self._batches: list[dict[str, torch.Tensor]] = []

    def measure(self, model: Any) -> dict[str, float]:
        """{"loss", "perplexity"}: nats a trained token, all tokens weighing the same; the exponential of it.

        Trainer's own figure is a mean of batch means, which depends on the batch size (docs/benchmarks.md). Logits are
        not kept.
        """
        if not self._batches:
            width = model.get_input_embeddings().num_embeddings
            groups = by_length(self._rows, self._most, MOST_NUMBERS, width)
            self._batches = [self._collate([self._rows[i] for i in group]) for group in groups]
        total, count = 0.0, 0
        with quiet(model, self._precision):
            for batch in self._batches:
                on = {k: v.to(model.device) for k, v in batch.items()}
                logits = model(input_ids=on["input_ids"], attention_mask=on["attention_mask"], use_cache=False).logits
                nll, tokens = summed_nll(logits, on["labels"])
                total, count = total + nll.item(), count + int(tokens)
        loss = total / max(count, 1)
        return {"loss": loss, "perplexity": math.exp(loss) if loss < 700 else math.inf}


def write(model: Any, prompt: Sequence[int], ends: set[int], pad: int, most: int) -> tuple[list[int], bool]:
    """The greedy answer to a prompt: its token ids without the end, and whether it ended by itself."""
    rule = GenerationConfig(do_sample=False, max_new_tokens=most, eos_token_id=sorted(ends) or None, pad_token_id=pad)
    ids = torch.tensor([list(prompt)], device=model.device)
    out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=rule)
    new = out[0, ids.shape[1] :].tolist()
    stop = next((n for n, token in enumerate(new) if token in ends), None)
    return new[:stop], stop is not None


@contextlib.contextmanager
def quiet(model: Any, precision: Precision) -> Iterator[None]:
    """Look at a model in the middle of its training: no gradients, no dropout, and afterwards all as it was before.

    Random states are put back too, so that a run with samples is the run without them.
    """
    was_training = model.training
    devices = [torch.cuda.current_device()] if precision.device == "cuda" else []
    types = {"bf16": torch.bfloat16, "fp16": torch.float16}
    cast = torch.autocast(precision.device, dtype=types.get(precision.autocast), enabled=bool(precision.autocast))
    model.eval()
    try:
        with torch.random.fork_rng(devices=devices), torch.no_grad(), cast:
            yield
    finally:
        model.train(was_training)
