"""A model at work: answers written greedily, likelihoods of given answers, many rows at once and equal to one by one.

Rows of like length share a batch, filled on the left so that all of them end in the same column; the attention mask
and the positions leave the filling out. Numbers are those of the weights' type: load them as float32 on a CPU.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from core.data.encoded import IGNORED
from core.data.reasoning import answer_of
from core.models.tokenizer import end_ids, pad_id
from core.tasks import encoder_decoder
from core.tasks.base import Answer
from core.tasks.batched import MOST_NUMBERS, accepts, batches, check, forward, left, places_of
from core.tasks.vectors import fill

MOST_ROWS = 32  # in a batch
MOST_PAIRS = 64  # rows times labels in a batch: each has its own copy of the prompt's keys and values

Progress = Callable[[float], None]
OnLogits = Callable[[Sequence[int], torch.Tensor], None]
OnNats = Callable[[int, float], None]


def write(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    ends: set[int] | None = None,
    adapters: Sequence[str] | None = None,
    on_progress: Progress | None = None,
    on_token: Callable[[int], None] | None = None,
    on_logits: OnLogits | None = None,
    rights: Sequence[Sequence[int]] | None = None,
    on_nats: OnNats | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Answer]:
    """The greedy answer to each prompt: always the likeliest token, until an end token or the limit.

    Nothing of the model's generation_config is applied (no sampling, no repetition penalty): what is measured is the
    model. Rows that are done leave the batch. A prompt without a token has no answer. See core.tasks.base.Task for the
    arguments. adapters: PEFT's name of the one that answers each prompt ("__base__": none); None: the active one.
    on_token: of a single prompt, told each token as it is chosen, the end too. on_logits: told, before each choice,
    which prompts are still answered and their logits (prompts, vocabulary); those of a batch are all told of before any
    of the next, and a batch then is small enough for all its logits to be kept. rights, on_nats: an answer to each
    prompt (token ids), and told which prompt's has how many nats, by the keys and values that the prompt has already;
    models without those, and encoder-decoders, tell of none.
    """
    ends = end_ids(tokenizer) if ends is None else ends
    answers: list[Answer | None] = [None if len(p) else Answer("", "", [], False) for p in prompts]
    asked = [i for i, prompt in enumerate(prompts) if len(prompt)]
    done = len(prompts) - len(asked)
    with torch.inference_mode():
        lengths = [len(prompts[i]) + max_new_tokens for i in asked]
        columns = [max_new_tokens * bool(on_logits) + len(rights[i] if rights else ()) for i in asked]
        vocabulary = int(model.config.get_text_config().vocab_size)
        for places in batches(lengths, MOST_ROWS, [count * vocabulary for count in columns]):
            batch = [asked[place] for place in places]
            names = [adapters[i] for i in batch] if adapters is not None else None
            greedy = encoder_decoder.greedy if model.config.is_encoder_decoder else _greedy
            more: dict[str, Any] = {}
            if rights is not None and on_nats is not None and not model.config.is_encoder_decoder:
                more = {"after": functools.partial(_judged, model, batch, [rights[i] for i in batch], on_nats)}
            ids, stopped = greedy(
                model,
                [prompts[i] for i in batch],
                ends,
                pad_id(tokenizer),
                max_new_tokens,
                should_stop,
                names,
                on_token,
                on_logits and functools.partial(_told, on_logits, batch),
                **more,
            )
            for i, new, end in zip(batch, ids, stopped, strict=True):
                text = str(tokenizer.decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False)).strip()
                answers[i] = Answer(answer_of(text), text, new, end)
            done += len(batch)
            if on_progress:
                on_progress(done)
    return [answer for answer in answers if answer is not None]


def surprise(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    examples: Sequence[tuple[Sequence[int], Sequence[int]]],
    *,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[tuple[float, int]]:
    """(nll, tokens) of each example: nats summed over the tokens that carry a label, and how many those are.

    Args:
        examples: (input_ids, labels) of equal length, labels not shifted, -100 where nothing is asked. A label on the
            very first token has nothing before it and is not counted. Logits are kept for one batch at a time, and
            from the first label on only. For an encoder-decoder: (what is read, what is answered).
    """
    found = [(0.0, 0)] * len(examples)
    vocabulary, done = int(model.config.get_text_config().vocab_size), 0
    beside = model.config.is_encoder_decoder
    lengths = [len(ids) + (len(labels) if beside else 0) for ids, labels in examples]
    columns = [len(labels) if beside else _asked(labels) + 1 for _, labels in examples]
    nll = encoder_decoder.nll if beside else _nll
    with torch.inference_mode():
        for batch in batches(lengths, MOST_ROWS, [count * vocabulary for count in columns]):
            check(should_stop)
            made = nll(model, [examples[i] for i in batch], pad_id(tokenizer))
            for i, one in zip(batch, made, strict=True):
                found[i] = one
            done += len(batch)
            if on_progress:
                on_progress(done)
    return found


def _nll(model: Any, rows: Sequence[tuple[Sequence[int], Sequence[int]]], pad: int) -> list[tuple[float, int]]:
    """(nats summed, tokens counted) of each row of a batch of (input_ids, labels)."""
    keep = max(_asked(labels) for _, labels in rows) + 1
    ids, mask = left([ids for ids, _ in rows], pad, model.device)
    labels, _ = left([labels for _, labels in rows], IGNORED, model.device)
    for row, (_, own) in enumerate(rows):  # a row's own first token, wherever the filling ends
        labels[row, labels.shape[1] - len(own)] = IGNORED
    logits = forward(model, ids, mask, places_of(mask), keep=keep)[0][:, -keep:]
    nll = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), labels[:, labels.shape[1] - logits.shape[1] + 1 :],
        ignore_index=IGNORED, reduction="none",
    )  # fmt: skip
    return list(zip(nll.double().sum(-1).tolist(), (labels != IGNORED).sum(-1).tolist(), strict=True))


def likelihoods(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    *,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[list[float]]:
    """Log-likelihood, in nats, of every completion after every prompt: [prompts][completions].

    The prompt goes through the model once; its keys and values serve all completions.
    """
    table: list[list[float]] = [[] for _ in prompts]
    if "past_key_values" not in accepts(model) and not model.config.is_encoder_decoder:
        return _without_cache(model, tokenizer, prompts, completions, on_progress, should_stop)
    longest, vocabulary = max(map(len, completions)), int(model.config.get_text_config().vocab_size)
    chunk = max(1, min(MOST_PAIRS, len(completions), MOST_NUMBERS // (longest * vocabulary)))
    rows = max(1, min(MOST_ROWS, MOST_PAIRS // chunk, MOST_NUMBERS // (chunk * longest * vocabulary)))
    done = 0
    with torch.inference_mode():
        for batch in batches([len(p) for p in prompts], rows):
            for start in range(0, len(completions), chunk):
                check(should_stop)
                part = completions[start : start + chunk]
                score = encoder_decoder.scores if model.config.is_encoder_decoder else _score
                scores = score(model, [prompts[i] for i in batch], part, pad_id(tokenizer))
                for i, row in zip(batch, scores.tolist(), strict=True):
                    table[i] += row
            done += len(batch)
            if on_progress:
                on_progress(done)
    return table


def _score(model: Any, prompts: list[Sequence[int]], completions: Sequence[Sequence[int]], pad: int) -> torch.Tensor:
    """Log-likelihoods [prompts, completions] of one batch."""
    ids, mask = left(prompts, pad, model.device)
    logits, cache = forward(model, ids, mask, places_of(mask), use_cache=True)
    rows, count = len(prompts), len(completions)
    if max(map(len, completions)) > 1:
        cache.batch_repeat_interleave(count)
    first, mask = logits[:, -1].repeat_interleave(count, 0), mask.repeat_interleave(count, 0)
    return -_behind(model, first, mask, cache, list(completions) * rows).reshape(rows, count)


def _judged(
    model: Any, batch: Sequence[int], rights: Sequence[Sequence[int]], on_nats: OnNats,
    logits: torch.Tensor, mask: torch.Tensor, cache: Any,
) -> None:  # fmt: skip
    """Tell of the right answers behind the prompts of a batch that was just read, whose cache stays as it is."""
    if cache is not None and any(rights):
        own = copy.deepcopy(cache) if max(map(len, rights)) > 1 else cache
        for i, nats in zip(batch, _behind(model, logits[:, -1], mask, own, rights).tolist(), strict=True):
            on_nats(i, nats)


def _behind(
    model: Any, first: torch.Tensor, mask: torch.Tensor, cache: Any, answers: Sequence[Sequence[int]]
) -> torch.Tensor:
    """Nats of an answer behind each prompt that a cache holds (rows); the cache is written to.

    first: the logits behind the prompts (rows, vocabulary). mask: of the prompts (rows, columns).
    """
    wanted, there = (part.to(first.device) for part in fill(answers, IGNORED))
    longest = wanted.shape[1]
    nats = functools.partial(torch.nn.functional.cross_entropy, ignore_index=IGNORED, reduction="none")
    total = nats(first.float(), wanted[:, 0]).double()
    if longest > 1:
        full = torch.cat([mask, there[:, :-1]], dim=1)
        positions = mask.sum(-1)[:, None] + torch.arange(longest - 1, device=first.device)
        fed = wanted[:, :-1].clamp(min=0)
        logits, _ = forward(model, fed, full, positions, cache=cache, use_cache=True, keep=longest - 1)
        total += nats(logits[:, -(longest - 1) :].float().transpose(1, 2), wanted[:, 1:]).double().sum(-1)
    return total


def _without_cache(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]],
    on_progress: Progress | None, should_stop: Callable[[], bool] | None,
) -> list[list[float]]:  # fmt: skip
    """The same, each pair read whole: for architectures that keep no keys and values."""
    table = []
    for done, prompt in enumerate(prompts, 1):
        pairs = [([*prompt, *c], [IGNORED] * len(prompt) + list(c)) for c in completions]
        table.append([-nll for nll, _ in surprise(model, tokenizer, pairs, should_stop=should_stop)])
        if on_progress:
            on_progress(done)
    return table


def _greedy(
    model: Any,
    prompts: list[Sequence[int]],
    ends: set[int],
    pad: int,
    most: int,
    should_stop: Callable[[], bool] | None,
    names: list[str] | None = None,
    on_token: Callable[[int], None] | None = None,
    on_logits: OnLogits | None = None,
    after: Callable[[torch.Tensor, torch.Tensor, Any], None] | None = None,
) -> tuple[list[list[int]], list[bool]]:
    """New tokens of each prompt without the end token, and whether there was one.

    after: called when the prompts are read, with logits, mask and cache.
    """
    ids, mask = left(prompts, pad, model.device)
    new: list[list[int]] = [[] for _ in prompts]
    stopped = [False] * len(prompts)
    live = list(range(len(prompts)))
    keeps = "past_key_values" in accepts(model)
    positions, cache, fed = places_of(mask), None, ids
    for _ in range(most):
        check(should_stop)
        logits, cache = forward(model, fed, mask, positions, cache=cache, use_cache=keeps, names=names)
        if after is not None:
            after(logits, mask, cache)
            after = None
        if on_logits is not None:
            on_logits(live, logits[:, -1])
        chosen = logits[:, -1].argmax(-1)
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
            at = torch.tensor(stay, device=ids.device)
            chosen, mask, positions, ids = chosen[at], mask[at], positions[at], ids[at]
            live = [live[place] for place in stay]
            names = [names[place] for place in stay] if names else None
            if cache is not None:
                cache.batch_select_indices(at)
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        fed = chosen[:, None] if keeps else ids
        positions = positions[:, -1:] + 1 if keeps else places_of(mask)
    return new, stopped


def _told(on_logits: OnLogits, batch: Sequence[int], live: Sequence[int], logits: torch.Tensor) -> None:
    """Tell of the rows of a batch by their places among all prompts."""
    on_logits([batch[row] for row in live], logits)


def _asked(labels: Sequence[int]) -> int:
    """How many columns from the first label to the end."""
    first = next((i for i, label in enumerate(labels) if label != IGNORED), len(labels))
    return len(labels) - first
