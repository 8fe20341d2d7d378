"""Similarity: vectors of every kind of model, batched as one by one; losses; whole runs with labels of each kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr

from core.cli.train import train
from core.config import RunConfig, build
from core.data.formats import Layout
from core.data.sources import open_data
from core.data.whole import encode_texts
from core.errors import InputError
from core.evaluation.evaluate import evaluate
from core.models.heads import VECTOR
from core.models.load import load_base, load_run, precision
from core.models.tokenizer import load_tokenizer
from core.runs import store
from core.tasks.objective import objective_of
from core.tasks.vectors import embed, fill, vectors
from tests import factory

PAIR = Layout("pair", {"first": "sentence1", "second": "sentence2", "label": "label"}, "")
TEXTS = ["What a wonderful morning this is", "I", "The old cinema is closing down. " * 4, "Nobody answers the phone"]
KINDS = ["bert", "distilbert", "llama", "gpt2", "qwen3", "t5"]


def pairs(kind: str, count: int = 40) -> list[dict[str, Any]]:
    """Pairs of phrases; those of one tone are alike."""
    rows = []
    for n, (a, b) in enumerate(itertools.combinations(factory.tone_rows(), 2)):
        same = a["tone"] == b["tone"]
        row: dict[str, Any] = {"sentence1": a["phrase"], "sentence2": b["phrase"]}
        if kind == "score":
            row["label"] = (3.5 if same else 0) + n % 4 / 2
        elif kind == "classes":
            row["label"] = int(same)
        if (kind != "none" or same) and n % 3 == 0:
            rows.append(row)
    return rows[:count]


@pytest.fixture
def config(tiny_models: Callable[[str], Path], tmp_path: Path, runs_dir: Path) -> Callable[..., RunConfig]:
    def make(family: str = "bert", kind: str = "score", method: str = "full", **training: Any) -> RunConfig:
        data = factory.write_jsonl(tmp_path / f"{kind}.jsonl", pairs(kind))
        few = {"max_steps": 6, "eval_steps": 3, "save_steps": 3, "logging_steps": 1, "learning_rate": 3e-3}
        return build(
            {
                "task": "similarity",
                "model": {"path": str(tiny_models(family))},
                "data": {"path": str(data), "max_tokens": 32, "validation": 0.25},
                "method": {"name": method},
                "training": few | training,
            }
        )

    return make


def made(config: RunConfig) -> Any:
    source, tokenizer = open_data(config.data.path), load_tokenizer(config.model.path)
    return objective_of(config, tokenizer, source, range(len(source.rows))), source


@pytest.mark.parametrize("family", KINDS)
def test_a_vector_is_the_mean_over_the_text_alone_whatever_the_batch(tiny_models: Any, family: str) -> None:
    folder = tiny_models(family)
    model, tokenizer = load_base(str(folder), head=VECTOR), load_tokenizer(folder)
    texts, _ = encode_texts(TEXTS, tokenizer, 64)
    found = vectors(model, texts, 0)
    for text, vector in zip(texts, found, strict=True):
        with torch.no_grad():
            mean = model(torch.tensor([text])).last_hidden_state[0].mean(0)
        assert torch.allclose(vector, mean / mean.norm(), atol=1e-6)
    assert found.shape == (4, 64) and torch.allclose(found.norm(dim=-1), torch.ones(4))


def test_what_a_tuned_prompt_puts_in_front_is_no_part_of_the_text(tiny_models: Any) -> None:
    from core.tasks.vectors import pool

    hidden, mask = torch.randn(2, 5, 8), torch.tensor([[1, 1, 1], [1, 0, 0]])
    assert torch.equal(pool(hidden, mask), pool(hidden[:, 2:], mask))


@pytest.mark.parametrize("kind", ["score", "classes"])
@pytest.mark.parametrize("loss", ["auto", "cosine", "contrastive"])
def test_accumulated_batches_have_the_gradients_of_one(config: Any, kind: str, loss: str) -> None:
    objective, source = made(config(kind=kind, loss=loss))
    rows, _ = objective.encode(source.rows, source.layout)
    model = load_base(objective.config.model.path, head=VECTOR)
    whole = objective.collate(rows[:7])
    objective.loss(model, whole, objective.items(whole)).backward()
    wanted = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    for part in (rows[:2], rows[2:7]):
        objective.loss(model, objective.collate(part), objective.items(whole)).backward()
    assert wanted and all(
        torch.allclose(p.grad, wanted[name], atol=1e-6, rtol=1e-4)
        for name, p in model.named_parameters()
        if p.grad is not None
    )


def test_the_loss_is_reckoned_on_the_vectors(config: Any) -> None:
    objective, source = made(config(kind="classes", margin=0.5))
    rows, report = objective.encode(source.rows, source.layout)
    assert (objective.loss_name, report.kept) == ("contrastive", list(range(40)))
    model, batch = load_base(objective.config.model.path, head=VECTOR), objective.collate(rows[:6])
    with torch.no_grad():
        loss = objective.loss(model, batch)
        one, other = (embed(model, batch[f"{k}input_ids"], batch[f"{k}attention_mask"]) for k in ("", "second_"))
    distance = (one - other).norm(dim=-1)
    want = [d**2 if row["label"] else max(0.5 - d, 0) ** 2 for d, row in zip(distance.tolist(), pairs("classes"))]  # noqa: B905
    assert loss.item() == pytest.approx(sum(want) / 6, abs=1e-5)
    assert objective.trained(batch) == sum(len(r["input_ids"]) + len(r["second_input_ids"]) for r in rows[:6])


@pytest.mark.parametrize(
    ("kind", "loss", "figures"),
    [
        ("score", "cosine", {"loss", "spearman", "pearson"}),
        ("classes", "contrastive", {"loss", "spearman", "pearson", "average_precision", "best_accuracy"}),
        ("none", "multiple_negatives", {"loss", "recall_at_1"}),
    ],
)
def test_each_kind_of_label_has_its_loss_and_figures(config: Any, kind: str, loss: str, figures: set[str]) -> None:
    objective, source = made(config(kind=kind))
    assert objective.loss_name == loss
    rows, _ = objective.encode(source.rows, source.layout)
    model = load_base(objective.config.model.path, head=VECTOR)
    found = objective.validation(rows, 8, precision())(model)
    assert set(found) == figures
    if kind != "none":
        with torch.no_grad():
            assert found["loss"] == pytest.approx(objective.loss(model, objective.collate(rows)).item(), abs=1e-6)
        assert objective.validation(rows, 3, precision())(model) == pytest.approx(found, abs=1e-6)


def test_rows_that_teach_nothing_are_left_out_and_counted(config: Any) -> None:
    objective, _ = made(config(kind="classes", loss="multiple_negatives"))
    rows = [
        {"sentence1": "a", "sentence2": "b", "label": 1},
        {"sentence1": "", "sentence2": "b", "label": 1},
        {"sentence1": "a", "sentence2": "b", "label": 0},
        {"sentence1": "a", "sentence2": "b", "label": "maybe"},
        {"sentence1": "a " * 99, "sentence2": "b", "label": 1},
    ]
    encoded, report = objective.encode(rows, PAIR)
    assert report.kept == [0, 4] and len(encoded) == 2 and report.longest == 32
    said = " ".join(report.sentences())
    assert "one of the two texts is empty" in said and "learns from pairs that are alike" in said
    assert "says nothing about how alike" in said and "the end of the text was cut off" in said


def test_a_loss_that_wants_labels_is_refused_without_them(config: Any) -> None:
    objective, source = made(config(kind="none", loss="cosine"))
    with pytest.raises(InputError, match="choose multiple_negatives") as caught:
        objective.encode(source.rows, source.layout)
    assert caught.value.field == "training.loss"


def test_saved_vectors_are_answered_for_by_a_model_alone(config: Any, tiny_models: Any) -> None:
    settings = config("bert")
    made = evaluate(settings.model.path, settings.data.path, task="similarity")
    assert made.result["main_metric"] == "spearman" and set(made.result["metrics"]) == {"spearman", "pearson"}
    model, tokenizer = load_base(settings.model.path, head=VECTOR), load_tokenizer(settings.model.path)
    rows = pairs("score")
    texts = [encode_texts([row[side] for row in rows], tokenizer, 512)[0] for side in ("sentence1", "sentence2")]
    one, other = (vectors(model, side, 0) for side in texts)
    cosines = (one * other).sum(-1).tolist()
    assert made.result["metrics"]["spearman"] == pytest.approx(spearmanr([r["label"] for r in rows], cosines).statistic)
    first = made.predictions[0]
    assert float(first["tuned"]) == pytest.approx(cosines[0], abs=1e-6) and first["tuned_ok"] is None
    assert first["want"] == f"{rows[0]['label'] / 5:.4g}"
    with pytest.raises(InputError, match="perplexity is of texts"):
        evaluate(settings.model.path, settings.data.path, task="similarity", metrics=["perplexity"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "kind", "method"),
    [("bert", "score", "lora"), ("llama", "classes", "lora"), ("t5", "none", "full")],
)
def test_a_whole_run(config: Any, family: str, kind: str, method: str) -> None:
    run = store.create(config(family, kind, method))
    result = train(run)
    assert result["state"] == "done" and result["validation_loss"] < result["base_validation_loss"]
    sample = next(event for event in run.events()[0] if event["kind"] == "sample")
    assert sample["answer"].endswith("alike (1 = the same)") and sample["ended"]
    model, tokenizer = load_run(run)
    measured = evaluate(run)
    main = measured.result["main_metric"]
    assert measured.result["baseline"][main] is not None and main in measured.result["difference"]
    row = measured.predictions[0]
    if kind == "none":
        assert row["tuned_ok"] == (row["tuned"] == row["want"])
    else:
        one, other = row["prompt"].split("\n")
        (a, b), _ = encode_texts([one, other], tokenizer, 32)
        vector = vectors(model, [a, b], 0)
        assert float(row["tuned"]) == pytest.approx(float(vector[0] @ vector[1]), abs=1e-5)


def test_texts_are_filled_on_the_right() -> None:
    ids, mask = fill([[5, 6, 7], [8]], 0)
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]] and mask.tolist() == [[1, 1, 1], [1, 0, 0]]
