"""Batched prediction against strangers: one row at a time through transformers' own generate and loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedTokenizerFast

from core.runs.state import Stopped
from core.tasks import predict

PROMPTS = [
    "### Phrase: What a wonderful morning this is\n### Tone:",
    "I",
    "The old cinema is closing down. " * 6,
    "Nobody answers the phone here, 12345!",
    "Zoë naïve café 東京",
]
LABELS = [" joyful<|im_end|>", " joy<|im_end|>", " sad<|im_end|>", " very angry indeed<|im_end|>", "x"]


@pytest.fixture(scope="module", params=["llama", "gemma3_text", "gpt2", "phi3"])
def loaded(request: Any, tiny_models: Callable[[str], Path]) -> tuple[Any, Any]:
    folder = tiny_models(request.param)
    return AutoModelForCausalLM.from_pretrained(folder).eval(), PreTrainedTokenizerFast.from_pretrained(folder)


def ids(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    return [tokenizer(text, add_special_tokens=False).input_ids for text in texts]


def naive(model: Any, prompt: list[int], ends: set[int], most: int) -> tuple[list[int], bool]:
    rule = GenerationConfig(do_sample=False, max_new_tokens=most, eos_token_id=sorted(ends) or None, pad_token_id=0)
    new = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                         generation_config=rule)[0, len(prompt):].tolist()  # fmt: skip
    return (new[:-1], True) if new[-1] in ends else (new, False)


def naive_nll(model: Any, ids: list[int], labels: list[int]) -> float:
    with torch.no_grad():
        loss = model(torch.tensor([ids]), labels=torch.tensor([labels])).loss.item()
    return float(loss * sum(label != -100 for label in labels[1:]))


def test_batched_answers_equal_one_by_one(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    prompts = ids(tokenizer, PROMPTS)
    free = [naive(model, p, set(), 24)[0] for p in prompts]
    ends = {free[0][7], free[2][3]}  # tokens that these models do write: some rows stop, at different steps
    answers = predict.write(model, tokenizer, prompts, max_new_tokens=24, ends=ends)
    wanted = [naive(model, p, ends, 24) for p in prompts]
    assert [(a.ids, a.stopped) for a in answers] == wanted
    assert any(stopped for _, stopped in wanted) and not all(a.ids == answers[0].ids for a in answers)
    assert [a.text for a in answers] == [tokenizer.decode(new, skip_special_tokens=True).strip() for new, _ in wanted]


def test_surprise_equals_the_loss_of_transformers_row_by_row(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    examples = []
    for n, row in enumerate(ids(tokenizer, PROMPTS)):
        hidden = min(len(row) - 1, 3 * n)
        examples.append((row, [-100] * hidden + row[hidden:]))
    found = predict.surprise(model, tokenizer, examples)
    for (nll, tokens), (row, labels) in zip(found, examples, strict=True):
        assert tokens == sum(label != -100 for label in labels[1:])
        if tokens:
            assert nll == pytest.approx(naive_nll(model, row, labels), rel=1e-4)


@pytest.mark.parametrize("rows", [1, 2, 8])
def test_surprise_does_not_depend_on_the_batch(
    loaded: tuple[Any, Any], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer = loaded
    examples = [(row, row) for row in ids(tokenizer, PROMPTS)]
    whole = predict.surprise(model, tokenizer, examples)
    monkeypatch.setattr(predict, "MOST_ROWS", rows)
    again = predict.surprise(model, tokenizer, examples)
    assert [t for _, t in again] == [t for _, t in whole]
    total, count = sum(n for n, _ in whole), sum(t for _, t in whole)
    assert math.exp(sum(n for n, _ in again) / count) == pytest.approx(math.exp(total / count), rel=1e-5)


def test_likelihoods_equal_reading_every_pair_whole(loaded: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = loaded
    prompts, labels = ids(tokenizer, PROMPTS), ids(tokenizer, LABELS)
    wanted = [[-naive_nll(model, p + c, [-100] * len(p) + c) for c in labels] for p in prompts]
    found = predict.likelihoods(model, tokenizer, prompts, labels)
    monkeypatch.setattr(predict, "MOST_PAIRS", 2)  # labels in several batches
    parted = predict.likelihoods(model, tokenizer, prompts, labels)
    slow = predict._without_cache(model, tokenizer, prompts, labels, None, None)
    for row, pieces, whole, want in zip(found, parted, slow, wanted, strict=True):
        assert row == pytest.approx(want, rel=1e-4)
        assert pieces == pytest.approx(want, rel=1e-4)
        assert whole == pytest.approx(want, rel=1e-4)


def test_right_answers_are_judged_behind_the_prompts_that_were_read(loaded: tuple[Any, Any]) -> None:
    """Prompts longer than Gemma's window among them; the answers that are written stay what they were."""
    model, tokenizer = loaded
    prompts, rights = ids(tokenizer, [*PROMPTS, PROMPTS[2] * 3]), ids(tokenizer, [*LABELS[:4], "", LABELS[3] * 4])
    found: dict[int, float] = {}
    rows = predict.write(
        model, tokenizer, prompts, max_new_tokens=6, ends=set(), rights=rights, on_nats=found.__setitem__
    )
    assert rows == predict.write(model, tokenizer, prompts, max_new_tokens=6, ends=set())
    assert found.pop(4) == 0
    want = {
        n: naive_nll(model, p + right, [-100] * len(p) + right)
        for n, (p, right) in enumerate(zip(prompts, rights, strict=True)) if right
    }  # fmt: skip
    assert found == pytest.approx(want, rel=1e-4)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT 0.21 asks transformers 5.23
def test_an_adapter_is_asked_like_any_model(tiny_llama: Path) -> None:
    from peft import LoraConfig, get_peft_model

    model = AutoModelForCausalLM.from_pretrained(tiny_llama).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_llama)
    prompts = ids(tokenizer, PROMPTS)
    before = predict.write(model, tokenizer, prompts, max_new_tokens=6)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")).eval()
    assert predict.write(tuned, tokenizer, prompts, max_new_tokens=6) == before


def test_no_setting_of_the_model_changes_the_answer(tiny_llama: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_llama).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_llama)
    prompts = ids(tokenizer, PROMPTS)
    before = predict.write(model, tokenizer, prompts, max_new_tokens=12)
    model.generation_config.update(repetition_penalty=5.0, do_sample=True, temperature=9.0)
    assert predict.write(model, tokenizer, prompts, max_new_tokens=12) == before


def test_progress_stop_and_nothing_to_do(tiny_llama: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_llama).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny_llama)
    prompts, told, asked = ids(tokenizer, PROMPTS), list[float](), list[int]()
    predict.write(model, tokenizer, prompts, max_new_tokens=2, on_progress=told.append)
    assert told == [5]
    with pytest.raises(Stopped):  # asked at every token, not only between batches
        predict.write(
            model, tokenizer, prompts, max_new_tokens=9, should_stop=lambda: asked.append(1) or len(asked) > 3
        )
    assert len(asked) == 4
    assert predict.write(model, tokenizer, [], max_new_tokens=2) == []
    assert predict.surprise(model, tokenizer, []) == []
    empty = predict.write(model, tokenizer, [[], prompts[0]], max_new_tokens=2)
    assert (empty[0].text, empty[0].stopped) == ("", False)
    assert empty[1].ids == predict.write(model, tokenizer, [prompts[0]], max_new_tokens=2)[0].ids
