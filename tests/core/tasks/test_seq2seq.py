"""Encoder-decoders against transformers' own loss and generate; whole runs of summaries, labels and fields."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, GenerationConfig

from core.cli.train import train
from core.config import RunConfig, build
from core.data.sources import open_data
from core.errors import InputError
from core.evaluation.evaluate import evaluate
from core.models.heads import SEQ2SEQ
from core.models.load import load_base, load_run, precision
from core.models.tokenizer import load_tokenizer
from core.runs import store
from core.tasks import encoder_decoder, predict
from core.tasks.objective import objective_of
from tests import factory

PROMPTS = ["What a wonderful morning this is", "I", "The old cinema is closing down. " * 5, "Nobody answers"]
ANSWERS = ["joyful", "very sad and calm", "x", "angry, angry, angry"]


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As T5 is: SentencePiece's Unigram, no chat template, </s> at the end."""
    folder = tmp_path_factory.mktemp("models") / "t5"
    factory.tiny_model("t5", folder, kind="unigram", chat=None)
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {"eos_token": "</s>"}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def loaded(t5: Path) -> tuple[Any, Any]:
    """With answers that hang on what was read: the decoder looks five times as hard at it."""
    model = load_base(str(t5), head=SEQ2SEQ)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "EncDecAttention" in name:
                parameter.mul_(5)
    return model, load_tokenizer(t5)


@pytest.fixture
def config(t5: Path, tmp_path: Path, runs_dir: Path) -> Callable[..., RunConfig]:
    def make(
        method: str = "full", task: str = "generation", template: str = "{phrase}[[{tone}]]", **training: Any
    ) -> RunConfig:
        data = factory.write_jsonl(tmp_path / "rows.jsonl", factory.tone_rows(40))
        few = {"max_steps": 6, "eval_steps": 3, "save_steps": 3, "logging_steps": 1, "learning_rate": 1e-2}
        return build(
            {
                "task": task,
                "model": {"path": str(t5)},
                "data": {"path": str(data), "template": template, "max_tokens": 64, "validation": 0.25},
                "method": {"name": method},
                "training": few | training,
                "evaluation": {"max_new_tokens": 4},
            }
        )

    return make


def ids(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    return [[*tokenizer(text, add_special_tokens=False).input_ids, tokenizer.eos_token_id] for text in texts]


def naive_nll(model: Any, read: list[int], answer: list[int]) -> float:
    with torch.no_grad():
        return float(model(torch.tensor([read]), labels=torch.tensor([answer])).loss) * len(answer)


def made(config: RunConfig) -> Any:
    source = open_data(config.data.path)
    objective = objective_of(config, load_tokenizer(config.model.path), source, range(len(source.rows)))
    return objective, objective.encode(source.rows, source.layout)[0]


def test_batched_answers_equal_generate_one_by_one(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    prompts = ids(tokenizer, PROMPTS)

    def naive(prompt: list[int], ends: set[int]) -> tuple[list[int], bool]:
        rule = GenerationConfig(
            do_sample=False, max_new_tokens=12, eos_token_id=sorted(ends) or None, pad_token_id=0,
            decoder_start_token_id=model.config.decoder_start_token_id,
        )  # fmt: skip
        new = model.generate(torch.tensor([prompt]), generation_config=rule)[0, 1:].tolist()
        return (new[:-1], True) if new[-1] in ends else (new, False)

    free = [naive(p, set())[0] for p in prompts]
    ends = {free[0][3], free[2][5]}
    answers = predict.write(model, tokenizer, prompts, max_new_tokens=12, ends=ends)
    wanted = [naive(p, ends) for p in prompts]
    assert [(a.ids, a.stopped) for a in answers] == wanted
    assert {stopped for _, stopped in wanted} == {True, False} and len({len(new) for new, _ in wanted}) > 2


@pytest.mark.parametrize("rows", [1, 3, 32])
def test_surprise_and_likelihoods_are_the_loss_of_transformers(
    loaded: tuple[Any, Any], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer = loaded
    prompts, answers = ids(tokenizer, PROMPTS), ids(tokenizer, ANSWERS)
    monkeypatch.setattr(predict, "MOST_ROWS", rows)
    monkeypatch.setattr(predict, "MOST_PAIRS", 2 * rows)
    found = predict.surprise(model, tokenizer, list(zip(prompts, answers, strict=True)))
    for (nll, tokens), prompt, answer in zip(found, prompts, answers, strict=True):
        assert tokens == len(answer) and nll == pytest.approx(naive_nll(model, prompt, answer), rel=1e-4)
    table = predict.likelihoods(model, tokenizer, prompts, answers)
    for row, prompt in zip(table, prompts, strict=True):
        assert row == pytest.approx([-naive_nll(model, prompt, answer) for answer in answers], rel=1e-4)


def test_the_loss_is_that_of_transformers_and_accumulates(config: Any) -> None:
    objective, rows = made(config())
    model = load_base(objective.config.model.path, head=SEQ2SEQ)
    batch = objective.collate(rows[:6])
    names = ("input_ids", "attention_mask", "labels")
    theirs = model(**{name: batch[name] for name in names}).loss
    assert objective.loss(model, batch).item() == pytest.approx(theirs.item(), rel=1e-5)
    assert objective.items(batch).item() == objective.trained(batch) == sum(len(row["labels"]) for row in rows[:6])
    objective.loss(model, batch, objective.items(batch)).backward()
    wanted = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    for part in (rows[:2], rows[2:6]):
        objective.loss(model, objective.collate(part), objective.items(batch)).backward()
    assert all(torch.allclose(p.grad, wanted[n], atol=1e-6, rtol=1e-3) for n, p in model.named_parameters())


def test_validation_weighs_tokens_alike_whatever_the_batch(config: Any) -> None:
    objective, rows = made(config())
    model = load_base(objective.config.model.path, head=SEQ2SEQ)
    total = sum(naive_nll(model, row["input_ids"], row["labels"]) for row in rows)
    loss = total / sum(len(row["labels"]) for row in rows)
    for size in (1, 16):
        found = objective.validation(rows, size, precision())(model)
        assert found == {"loss": pytest.approx(loss, rel=1e-4), "perplexity": pytest.approx(math.exp(loss), rel=1e-4)}


def test_weighted_and_smoothed_losses_suit_it_too(config: Any) -> None:
    objective, rows = made(config(task="classification", loss="class_weighted"))
    objective.weigh(rows[:3])
    batch, model = objective.collate(rows[:3]), load_base(objective.config.model.path, head=SEQ2SEQ)
    assert batch["weights"].shape == (3,) and objective.loss(model, batch).isfinite()
    smooth, _ = made(config(label_smoothing_factor=0.2))
    plain, _ = made(config())
    assert smooth.loss(model, batch).item() != pytest.approx(plain.loss(model, batch).item())


def test_rows_end_to_end_are_refused(config: Any) -> None:
    with pytest.raises(InputError, match="choose grouped") as caught:
        made(config(batching="packed"))
    assert caught.value.field == "training.batching"


def test_without_a_template_it_is_told_what_to_write(config: Any) -> None:
    settings = config()
    bare = settings.model_copy(update={"data": settings.data.model_copy(update={"template": None})})
    objective, _ = made(settings)
    source = open_data(bare.data.path)
    with pytest.raises(InputError, match="write a template, such as"):
        objective_of(bare, load_tokenizer(bare.model.path), source, [0, 1]).encode(source.rows, source.layout)


@pytest.mark.parametrize("method", ["LORA", "PROMPT"])
def test_an_adapter_writes_as_its_own_generate_does(loaded: tuple[Any, Any], t5: Path, method: str) -> None:
    import peft

    from core.models.load import patient_peft

    tokenizer = loaded[1]
    kinds: dict[str, Any] = {
        "LORA": lambda: peft.LoraConfig(task_type="SEQ_2_SEQ_LM", target_modules="all-linear", init_lora_weights=False),
        "PROMPT": lambda: peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3),
    }
    with torch.random.fork_rng(devices=[]), patient_peft():
        torch.manual_seed(0)
        model = peft.get_peft_model(AutoModelForSeq2SeqLM.from_pretrained(t5), kinds[method]()).eval()
    prompts, answers = ids(tokenizer, PROMPTS), ids(tokenizer, ANSWERS)
    rule = GenerationConfig(do_sample=False, max_new_tokens=5, pad_token_id=0, decoder_start_token_id=0)
    written = predict.write(model, tokenizer, prompts, max_new_tokens=5, ends=set())
    for prompt, answer in zip(prompts, written, strict=True):
        given = torch.tensor([prompt])
        new = model.generate(input_ids=given, attention_mask=torch.ones_like(given), generation_config=rule)[0, 1:]
        assert answer.ids == new.tolist()
    if method == "LORA":  # each row by its own adapter, or by none
        mixed = ["default", "__base__", "default", "__base__"]
        both = predict.write(model, tokenizer, prompts, max_new_tokens=5, ends=set(), adapters=mixed)
        with model.disable_adapter():
            bare = predict.write(model, tokenizer, prompts, max_new_tokens=5, ends=set())
        assert both == [(written if name == "default" else bare)[i] for i, name in enumerate(mixed)]
        assert written != bare
    pairs = list(zip(prompts, answers, strict=True))
    table = predict.likelihoods(model, tokenizer, prompts, answers)
    found = predict.surprise(model, tokenizer, pairs)
    assert [row[i] for i, row in enumerate(table)] == pytest.approx([-nll for nll, _ in found], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "task"), [("full", "summarization"), ("lora", "classification")])
def test_a_whole_run(config: Any, method: str, task: str) -> None:
    template = "summarize: {tone} is {phrase} [[{phrase}]]" if task == "summarization" else "{phrase}\n[[{tone}]]"
    run = store.create(config(method, task, template))
    result = train(run)
    assert result["state"] == "done" and result["validation_loss"] < result["base_validation_loss"]
    sample = next(event for event in run.events()[0] if event["kind"] == "sample")
    assert sample["prompt"].startswith("summarize: " if task == "summarization" else sample["prompt"][:1])
    model, tokenizer = load_run(run)
    inner = model if method == "full" else model.get_base_model()
    assert inner.shared.weight is inner.encoder.embed_tokens.weight is inner.decoder.embed_tokens.weight
    measured = evaluate(run, max_rows=6)
    metrics = measured.result["metrics"]
    assert {"perplexity", "bits_per_byte", "stopped_by_itself"} <= set(metrics)
    assert metrics["perplexity"] < measured.result["baseline"]["perplexity"]
    if task == "classification":
        assert measured.result["labels"] == ["angry", "calm", "joyful", "sad"]
        assert all(row["tuned"] in measured.result["labels"] for row in measured.predictions)


def test_what_is_asked_to_stop_stops(loaded: tuple[Any, Any]) -> None:
    from core.runs.state import Stopped

    model, tokenizer = loaded
    with pytest.raises(Stopped):
        encoder_decoder.greedy(model, ids(tokenizer, PROMPTS), set(), 0, 4, lambda: True)
