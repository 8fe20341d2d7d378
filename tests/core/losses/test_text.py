"""Losses of text, through the objective that learns it: weights of answers, accumulation, and one of the owner's."""

import pytest
import torch

from core.cli.train import train
from core.config import build
from core.data.encoded import lengths_of
from core.errors import InputError
from core.losses import own
from core.models.load import load_base
from core.runs import store
from core.training.examples import prepare
from core.training.order import ORDERS
from tests import factory


@pytest.fixture
def config(tiny_llama, tmp_path, runs_dir):
    tones = factory.tone_rows(16)
    rows = factory.write_jsonl(tmp_path / "rows.jsonl", [*tones[:8], *(r for r in tones[8:] if r["tone"] == "sad")])

    def make(loss, task="classification", **training):
        few = {"max_steps": 2, "eval_steps": 2, "save_steps": 2, "loss": loss}
        return build(
            {
                "task": task,
                "model": {"path": str(tiny_llama)},
                "data": {"path": str(rows), "template": "{phrase}\n{tone}", "max_tokens": 64, "validation": 0},
                "method": {"name": "full"},
                "training": few | training,
            }
        )

    return make


def examples(made):
    return prepare(made, lambda done, total: None)


def test_the_weight_of_a_row_is_that_of_its_answer(config):
    found = examples(config("class_weighted"))
    batch = found.objective.collate(found.train)
    tones = [row["tone"] for row in factory.tone_rows(8)] + ["sad", "sad"]
    want = [len(tones) / (4 * tones.count(tone)) for tone in tones]
    assert batch["weights"].tolist() == pytest.approx(want)
    assert found.objective.items(batch).item() == pytest.approx(
        sum(w * (row[1:] != -100).sum().item() for w, row in zip(want, batch["labels"], strict=True))
    )


@pytest.mark.parametrize("loss", ["auto", "class_weighted", "focal"])
def test_accumulated_batches_have_the_gradients_of_one(config, tiny_llama, loss):
    smoothing = 0.1 if loss == "class_weighted" else 0.0
    found = examples(config(loss, label_smoothing_factor=smoothing))
    objective, model = found.objective, load_base(str(tiny_llama))
    batches = [objective.collate(found.train[part]) for part in (slice(0, 1), slice(1, 5), slice(5, 10))]

    def gradient(losses):
        model.zero_grad()
        for loss in losses:
            loss.backward()
        return model.lm_head.weight.grad.clone()

    whole = objective.collate(found.train[:])
    items = torch.stack([objective.items(batch) for batch in batches]).sum()
    want = gradient([objective.loss(model, whole, objective.items(whole))])
    got = gradient([objective.loss(model, batch, items) for batch in batches])
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-7)


def test_a_loss_that_does_not_suit_is_refused_before_anything_is_read(config):
    for loss, task in (("class_weighted", "generation"), ("focall", "classification")):
        with pytest.raises(InputError, match="Choose auto, cross_entropy") as error:
            examples(config(loss, task))
        assert error.value.field == "training.loss"


@pytest.mark.parametrize("loss", ["class_weighted", "focal"])
def test_rows_end_to_end_learn_what_they_learn_apart(config, tiny_llama, loss):
    model, found = load_base(str(tiny_llama)), []
    for way, order in ORDERS.items():
        given = examples(config(loss, batching=way))
        objective, drawn = given.objective, order(lengths_of(given.train), 10, 0)
        rows = drawn.over(given.train)
        batch = objective.collate([rows[place] for place in drawn])
        model.zero_grad()
        value = objective.loss(model, batch, objective.items(batch))
        value.backward()
        found.append((value.item(), model.lm_head.weight.grad.clone()))
    for value, gradient in found[1:]:
        assert value == pytest.approx(found[0][0], rel=1e-5)
        torch.testing.assert_close(gradient, found[0][1], rtol=1e-4, atol=1e-7)


@pytest.mark.slow
def test_a_run_with_a_loss_of_the_owner(config, tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv(own.FOLDER, str(folder))
    (folder / "double.py").write_text(
        "from torch.nn.functional import cross_entropy\n\n\n"
        "def loss(outputs, labels):\n    return 2 * cross_entropy(outputs, labels)\n"
    )
    ours, theirs = (train(store.create(config(loss))) for loss in ("cross_entropy", "double"))
    assert theirs["state"] == "done" and theirs["train_loss"] == pytest.approx(2 * ours["train_loss"], rel=0.02)
    (folder / "double.py").write_text("def loss(outputs, labels):\n    return outputs.nothing\n")
    with pytest.raises(InputError, match="fails in double.py, line 2: AttributeError"):
        train(store.create(config("double")))
