"""The tasks: labels by likelihood, and rows that do not fit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from core.errors import InputError
from core.tasks import TASKS, classification, get, predict


@pytest.fixture(scope="module")
def loaded(tiny_llama: Path) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(tiny_llama).eval(), PreTrainedTokenizerFast.from_pretrained(tiny_llama)


def ids(tokenizer: Any, *texts: str) -> list[list[int]]:
    return [tokenizer(text, add_special_tokens=False).input_ids for text in texts]


def test_the_likeliest_label_is_taken_and_says_how_sure_it_is(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    prompts = ids(tokenizer, "I miss the dog very much\n->", "The party was a delight\n->", "Tea\n->")
    names = ["joy", "joyful", "joyful and calm", "sad"]
    choices = dict(zip(names, ids(tokenizer, *(f" {name}<|im_end|>" for name in names)), strict=True))
    told: list[float] = []
    answers = classification.predict(
        model, tokenizer, prompts, max_new_tokens=64, choices=choices, on_progress=told.append
    )
    table = predict.likelihoods(model, tokenizer, prompts, list(choices.values()))
    for answer, row in zip(answers, table, strict=True):
        assert answer.text == names[row.index(max(row))]
        assert answer.score == pytest.approx(math.exp(max(row)) / sum(map(math.exp, row)))
        assert len(answer.ids) <= max(map(len, choices.values())) + classification.SPARE_TOKENS
    assert told[-1] == 3 and told == sorted(told)


def test_too_many_labels_are_not_scored_but_written(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    prompts = ids(tokenizer, "Tea\n->")
    choices = {f"label {i}": [i % 300] for i in range(classification.MOST_LABELS + 1)}
    answers = classification.predict(model, tokenizer, prompts, max_new_tokens=5, choices=choices)
    assert answers == predict.write(model, tokenizer, prompts, max_new_tokens=5)
    assert classification.predict(model, tokenizer, prompts, max_new_tokens=5) == answers


@pytest.mark.parametrize("name", list(TASKS))
def test_every_task_scores_its_own_metrics(name: str) -> None:
    task = get(name)
    texts = ["0.1", "0.9"] if name == "similarity" else ['{"a": 1}', "b c"]
    found = task.score(texts, texts)
    assert tuple(found) == task.METRICS and task.LABEL
    assert all(math.isfinite(value) for value in found.values()) and found[task.METRICS[0]] in (1.0, pytest.approx(100))
    assert all(value == 0 for value in task.score([], []).values())


@pytest.mark.parametrize(
    ("task", "answers", "words"),
    [
        ("classification", [f"This is sentence number {i}" for i in range(9)], "free text"),
        ("classification", [f"row{i}" for i in range(40)], "free text"),
        ("classification", ["glad"] * 5, "nothing to tell apart"),
        ("classification", ["", " "], "empty"),
        ("extraction", ["glad", "sad", '{"a": 1}'], "hold no fields, such as 'glad'"),
        ("extraction", [""], "empty"),
        ("summarization", ["glad"] * 8, "no summaries"),
        ("summarization", [], "empty"),
        ("generation", ["", ""], "empty"),
        ("similarity", ["", ""], "empty"),
    ],
)
def test_rows_that_do_not_fit_are_told_why(task: str, answers: list[str], words: str) -> None:
    reasons = get(task).checks(answers)
    assert len(reasons) == 1 and words in reasons[0] and "\n" not in reasons[0]


@pytest.mark.parametrize(
    ("task", "answers"),
    [
        ("classification", ["glad", "sad"] * 4),
        ("classification", ["glad", "sad", "calm"]),
        ("classification", [f"intent {i % 57}" for i in range(100)]),
        ("extraction", ['{"a": 1}', "a = 1", "oops"]),
        ("summarization", ["Ada and Ben met."] * 8),
        ("generation", ["", "one"]),
    ],
)
def test_rows_that_fit_pass(task: str, answers: list[str]) -> None:
    assert get(task).checks(answers) == []


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'extraction'"):
        get("extract")
