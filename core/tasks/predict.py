"""A model at work: answers written greedily, likelihoods of given answers, many rows at once and equal to one by one.

Rows of like length share a batch, filled on the left so that all of them end in the same column; the attention mask
and the positions leave the filling out. Numbers are those of the weights' type: load them as float32 on a CPU.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from core.models.tokenizer import end_ids, pad_id
from core.runs.state import Stopped
from core.tasks import encoder_decoder
from core.tasks.base import Answer

IGNORED = -100
MOST_ROWS = 32  # in a batch
MOST_TOKENS = 16_384  # in a batch
MOST_PAIRS = 64  # rows times labels in a batch: each has its own copy of the prompt's keys and values
MOST_NUMBERS = 2**26  # in a batch's logits: 256 MB

Progress = Callable[[float], None]
OnLogits = Callable[[Sequence[int], torch.Tensor], None]


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
    should_stop: Callable[[], bool] | None = None,
) -> list[Answer]:
    """The greedy answer to each prompt: always the likeliest token, until an end token or the limit.

    Nothing of the model's generation_config is applied (no sampling, no repetition penalty): what is measured is the
    model. Rows that are done leave the batch. A prompt without a token has no answer. See core.tasks.base.Task for the
    arguments. adapters: PEFT's name of the one that answers each prompt ("__base__": none); None: the active one.
    on_token: of a single prompt, told each token as it is chosen, the end too. on_logits: told, before each choice,
    which prompts are still answered and their logits (prompts, vocabulary); those of a batch are all told of before any
    of the next, and a batch then is small enough for all its logits to be kept.
    """
    ends = end_ids(tokenizer) if ends is None else ends
    answers: list[Answer | None] = [None if len(p) else Answer("", "", [], False) for p in prompts]
    asked = [i for i, prompt in enumerate(prompts) if len(prompt)]
    done = len(prompts) - len(asked)
    with torch.inference_mode():
        lengths = [len(prompts[i]) + max_new_tokens for i in asked]
        kept = max_new_tokens * int(model.config.get_text_config().vocab_size) if on_logits else 0
        for places in _batches(lengths, MOST_ROWS, [kept] * len(asked)):
            batch = [asked[place] for place in places]
            names = [adapters[i] for i in batch] if adapters is not None else None
            greedy = encoder_decoder.greedy if model.config.is_encoder_decoder else _greedy
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
            )
            for i, new, end in zip(batch, ids, stopped, strict=True):
                text = str(tokenizer.decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False)).strip()
                answers[i] = Answer(text, text, new, end)
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
        for batch in _batches(lengths, MOST_ROWS, [count * vocabulary for count in columns]):
            _check(should_stop)
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
    ids, mask = _left([ids for ids, _ in rows], pad, model.device)
    labels, _ = _left([labels for _, labels in rows], IGNORED, model.device)
    for row, (_, own) in enumerate(rows):  # a row's own first token, wherever the filling ends
        labels[row, labels.shape[1] - len(own)] = IGNORED
    logits = _forward(model, ids, mask, _positions(mask), keep=keep)[0][:, -keep:]
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
    if "past_key_values" not in _accepts(model) and not model.config.is_encoder_decoder:
        return _without_cache(model, tokenizer, prompts, completions, on_progress, should_stop)
    longest, vocabulary = max(map(len, completions)), int(model.config.get_text_config().vocab_size)
    chunk = max(1, min(MOST_PAIRS, len(completions), MOST_NUMBERS // (longest * vocabulary)))
    rows = max(1, min(MOST_ROWS, MOST_PAIRS // chunk, MOST_NUMBERS // (chunk * longest * vocabulary)))
    done = 0
    with torch.inference_mode():
        for batch in _batches([len(p) for p in prompts], rows):
            for start in range(0, len(completions), chunk):
                _check(should_stop)
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
    ids, mask = _left(prompts, pad, model.device)
    logits, cache = _forward(model, ids, mask, _positions(mask), use_cache=True)
    rows, count, longest = len(prompts), len(completions), max(map(len, completions))
    wanted = torch.full((count, longest), IGNORED, device=ids.device)
    for i, completion in enumerate(completions):
        wanted[i, : len(completion)] = torch.tensor(completion, device=ids.device)
    there = wanted != IGNORED
    target = wanted.clamp(min=0)
    first = logits[:, -1].float().log_softmax(-1)
    total = first[:, target[:, 0]].double() * there[:, 0]
    if longest > 1:
        cache.batch_repeat_interleave(count)
        fed, fed_mask = target[:, :-1].repeat(rows, 1), there[:, :-1].repeat(rows, 1).long()
        full = torch.cat([mask.repeat_interleave(count, 0), fed_mask], dim=1)
        positions = mask.sum(-1).repeat_interleave(count)[:, None] + torch.arange(longest - 1, device=ids.device)
        logits, _ = _forward(model, fed, full, positions, cache=cache, use_cache=True, keep=longest - 1)
        later = torch.nn.functional.cross_entropy(
            logits[:, -(longest - 1) :].float().transpose(1, 2), wanted[:, 1:].repeat(rows, 1),
            ignore_index=IGNORED, reduction="none",
        )  # fmt: skip
        total = total - later.double().sum(-1).reshape(rows, count)
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
) -> tuple[list[list[int]], list[bool]]:
    """New tokens of each prompt without the end token, and whether there was one."""
    ids, mask = _left(prompts, pad, model.device)
    new: list[list[int]] = [[] for _ in prompts]
    stopped = [False] * len(prompts)
    live = list(range(len(prompts)))
    keeps = "past_key_values" in _accepts(model)
    positions, cache, fed = _positions(mask), None, ids
    for _ in range(most):
        _check(should_stop)
        logits, cache = _forward(model, fed, mask, positions, cache=cache, use_cache=keeps, names=names)
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
        positions = positions[:, -1:] + 1 if keeps else _positions(mask)
    return new, stopped


def _told(on_logits: OnLogits, batch: Sequence[int], live: Sequence[int], logits: torch.Tensor) -> None:
    """Tell of the rows of a batch by their places among all prompts."""
    on_logits([batch[row] for row in live], logits)


def _forward(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, *,
    cache: Any = None, use_cache: bool = False, keep: int = 1, names: list[str] | None = None,
) -> tuple[torch.Tensor, Any]:  # fmt: skip
    """(logits of at least the last `keep` columns, cache). Arguments that an architecture does not know stay away."""
    known = _accepts(model)
    more: dict[str, Any] = {"use_cache": use_cache}
    if cache is not None:
        more["past_key_values"] = cache
    if names is not None:
        more["adapter_names"] = names
    if "position_ids" in known:
        more["position_ids"] = positions
    if "logits_to_keep" in known:
        more["logits_to_keep"] = keep
    out = model(input_ids=ids, attention_mask=mask, **more)
    return out.logits, out.past_key_values if use_cache else None


def _accepts(model: Any) -> set[str]:
    """The arguments of the architecture's own forward; an adapter's wrapper hands all of them on."""
    inner = model if isinstance(model, PreTrainedModel) else model.get_base_model()
    return set(inspect.signature(inner.forward).parameters)


def _batches(lengths: Sequence[int], most_rows: int, numbers: Sequence[int] | None = None) -> Iterator[list[int]]:
    """Row numbers in batches of like length, the longest first: what does not fit into memory shows at once."""
    batch: list[int] = []
    widest = 0
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        wide = max(widest, numbers[i] if numbers else 0)
        size = len(batch) + 1
        if batch and (size > most_rows or size * lengths[batch[0]] > MOST_TOKENS or size * wide > MOST_NUMBERS):
            yield batch
            batch, wide = [], numbers[i] if numbers else 0
        batch.append(i)
        widest = wide
    if batch:
        yield batch


def _left(rows: Sequence[Sequence[int]], fill: int, device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows filled on the left to the longest [rows, longest], and the mask: 1 where a row is."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), fill, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for n, row in enumerate(rows):
        if len(row):
            ids[n, longest - len(row) :] = torch.tensor(list(row))
            mask[n, longest - len(row) :] = 1
    return ids.to(device), mask.to(device)


def _positions(mask: torch.Tensor) -> torch.Tensor:
    return (mask.cumsum(-1) - 1).clamp(min=0)


def _asked(labels: Sequence[int]) -> int:
    """How many columns from the first label to the end."""
    first = next((i for i, label in enumerate(labels) if label != IGNORED), len(labels))
    return len(labels) - first


def _check(should_stop: Callable[[], bool] | None) -> None:
    if should_stop is not None and should_stop():
        raise Stopped
