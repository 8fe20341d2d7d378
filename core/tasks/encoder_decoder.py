"""What core.tasks.predict does, for encoder-decoders: a prompt is read once, and its answer is written beside it.

Rows are filled up on the right, and the mask leaves the filling out. The first pass goes through an adapter's wrapper,
which may put a tuned prompt in front of what the encoder reads; the decoder goes on from what was read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from core.data.encoded import IGNORED
from core.tasks.batched import check
from core.tasks.vectors import fill

Progress = Callable[[float], None]


def logits(model: Any, ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The logits of each token of the answers (rows, tokens, vocabulary), token t from those before it.

    Args:
        ids, mask: what is read (rows, longest). labels: the answers (rows, tokens), -100 beyond their ends.
    """
    fed = _inner(model).prepare_decoder_input_ids_from_labels(labels=labels)
    found: torch.Tensor = model(input_ids=ids, attention_mask=mask, decoder_input_ids=fed, use_cache=False).logits
    return found


def nll(model: Any, rows: Sequence[tuple[Sequence[int], Sequence[int]]], pad: int) -> list[tuple[float, int]]:
    """(nats summed over an answer, its tokens) of a batch of (what is read, what is answered)."""
    ids, mask = (part.to(model.device) for part in fill([read for read, _ in rows], pad))
    labels, _ = fill([answer for _, answer in rows], IGNORED)
    labels = labels.to(model.device)
    each = functional.cross_entropy(
        logits(model, ids, mask, labels).float().transpose(1, 2), labels, ignore_index=IGNORED, reduction="none"
    )
    sums = each.double().sum(-1).tolist()
    return [(total, len(answer)) for total, (_, answer) in zip(sums, rows, strict=True)]


def greedy(
    model: Any,
    prompts: Sequence[Sequence[int]],
    ends: set[int],
    pad: int,
    most: int,
    should_stop: Callable[[], bool] | None,
    names: Sequence[str] | None = None,
    on_token: Callable[[int], None] | None = None,
    on_logits: Callable[[Sequence[int], torch.Tensor], None] | None = None,
) -> tuple[list[list[int]], list[bool]]:
    """New tokens of each prompt without the end token, and whether there was one; see core.tasks.predict.write.

    Args:
        names: PEFT's name of the adapter that answers each prompt; None: the active one answers all.
    """
    hidden, mask, fed = _read(model, prompts, pad, _named(names))
    new: list[list[int]] = [[] for _ in prompts]
    stopped, live, cache = [False] * len(prompts), list(range(len(prompts))), None
    for _ in range(most):
        check(should_stop)
        write = model if names is not None else _inner(model)
        out = write(
            encoder_outputs=(hidden,), attention_mask=mask, decoder_input_ids=fed, past_key_values=cache,
            use_cache=True, **_named(names and [names[i] for i in live]),
        )  # fmt: skip
        if on_logits is not None:
            on_logits(live, out.logits[:, -1])
        chosen, cache = out.logits[:, -1].argmax(-1), out.past_key_values
        stay = []
        for place, token in enumerate(chosen.tolist()):
            if on_token is not None:
                on_token(token)
            if token in ends:
                stopped[live[place]] = True
            else:
                new[live[place]].append(token)
                stay.append(place)
        if not stay:
            break
        if len(stay) < len(live):
            at = torch.tensor(stay, device=chosen.device)
            chosen, hidden, mask = chosen[at], hidden[at], mask[at]
            live = [live[place] for place in stay]
            cache.batch_select_indices(at)
        fed = chosen[:, None]
    return new, stopped


def scores(
    model: Any, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], pad: int
) -> torch.Tensor:
    """Log-likelihoods in nats [prompts, completions] of a batch: prompts are read once, completions all beside them."""
    inner, rows, count = _inner(model), len(prompts), len(completions)
    hidden, mask, _ = _read(model, prompts, pad, {})
    labels, _ = fill(completions, IGNORED)
    labels = labels.to(hidden.device).repeat(rows, 1)
    fed = inner.prepare_decoder_input_ids_from_labels(labels=labels)
    said = inner(
        encoder_outputs=(hidden.repeat_interleave(count, 0),), attention_mask=mask.repeat_interleave(count, 0),
        decoder_input_ids=fed, use_cache=False,
    ).logits  # fmt: skip
    each = functional.cross_entropy(said.float().transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    return -each.double().sum(-1).reshape(rows, count)


def _read(
    model: Any, prompts: Sequence[Sequence[int]], pad: int, named: dict[str, Any]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(what the encoder makes of the prompts, its mask, the token that an answer starts from (rows, 1))."""
    ids, mask = (part.to(model.device) for part in fill(prompts, pad))
    start = _inner(model).prepare_decoder_input_ids_from_labels(labels=torch.zeros_like(ids[:, :1]))
    out = model(input_ids=ids, attention_mask=mask, decoder_input_ids=start, use_cache=False, **named)
    hidden = out.encoder_last_hidden_state
    front = hidden.shape[1] - mask.shape[1]  # of a tuned prompt
    return hidden, functional.pad(mask, (front, 0), value=1), start


def _named(names: Sequence[str] | None) -> dict[str, Any]:
    return {} if names is None else {"adapter_names": list(names)}


def _inner(model: Any) -> Any:
    """The model itself, with what an adapter changed in it."""
    return model if isinstance(model, PreTrainedModel) else model.get_base_model()
