"""A loss that is no number ends the run at that very step, and names the rows."""

import json
from types import SimpleNamespace

import pytest

from core.cli.train import train
from core.errors import InputError
from core.runs import checkpoints, store
from core.runs.eventlog import EventLog
from core.tasks.writing import Work
from core.training.broken import Numbered, diverged, numbered
from core.training.clock import Clock
from core.training.events import Follow
from core.training.examples import prepare


def test_rows_are_numbered_and_the_batch_names_them():
    rows = Numbered([{"input_ids": [1]}, {"input_ids": [2, 3]}])
    assert len(rows) == 2 and rows[1]["input_ids"] == [2, 3]
    seen = []
    batch = numbered(lambda given: seen.append(list(given)) or {"x": 1})([rows[1], rows[0]])
    assert seen == [[{"input_ids": [2, 3]}, {"input_ids": [1]}]] and batch["numbers"].tolist() == [1, 0]
    packed = numbered(lambda given: {"x": len(given)})([[rows[1], rows[0]], [rows[0]]])
    assert packed["x"] == 2 and packed["numbers"].tolist() == [1, 0, 0]


def test_the_sentence_says_which_rows_and_what_to_do():
    one = str(diverged(1200, 2e-3, [17], 1150))
    assert "at step 1,200: the loss of row 17 of the data is no longer a number. Look at it;" in one
    assert "the learning rate of 0.002 is too high for this model; try 0.0002." in one
    assert "checkpoint of step 1,150 is whole, and kept." in one
    many = str(diverged(3, 1.0, list(range(1, 31))))
    assert "the rows 1, 2, 3" in many and "19, 20 and 10 more of the data" in many and "checkpoint" not in many
    first = diverged(1, 1.0, [4])
    assert "the loss of row 4 of the data" in str(first) and "learning rate has no part in it" in str(first)
    base = diverged(0, 1.0)
    assert "base model gives no numbers" in str(base) and first.field == base.field == "model.path"
    assert str(diverged(3, 1.0)).startswith("The training fell apart at step 3: its loss is no longer a number. The le")


def test_a_loss_that_stays_far_above_its_beginning_is_noted_once(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    follow = Follow(log, SimpleNamespace(), 99, Clock(None))
    args = SimpleNamespace(learning_rate=0.5)
    for step, loss in enumerate([2.0, 9.0, 9.0, 9.0, 9.0, 1.0, *[7.0] * 9], start=1):
        follow.on_log(args, SimpleNamespace(global_step=step, epoch=0), None, {"loss": loss, "learning_rate": 0.1})
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    notes = [(event["step"], event["text"]) for event in events if event["kind"] == "note"]
    assert [step for step, _ in notes] == [11] and "(2, now 7)" in notes[0][1] and "rate of 0.5" in notes[0][1]


@pytest.mark.slow
@pytest.mark.parametrize("batching", ["grouped", "packed"])
def test_the_row_that_made_it_is_named(config, monkeypatch, batching):
    altered = {"copies": 1, "swap": 0.5}
    few = {"num_train_epochs": 2, "max_steps": None, "save_steps": 1, "eval_steps": 5}
    settings = config("full", augmentation=altered, batching=batching, per_device_train_batch_size=4, **few)
    rows = prepare(settings, lambda done, total: None)
    number = len(rows.train) - 1  # a copy that was altered
    real = Work.loss

    def loss(self, model, batch, items=None):
        held = wanted in " ".join(map(str, batch["input_ids"].flatten().tolist()))
        return real(self, model, batch, items) * (float("nan") if held and len(steps) else 1.0)

    wanted, steps = " ".join(map(str, rows.train[number]["input_ids"])), []
    monkeypatch.setattr(Work, "loss", loss)
    saved = checkpoints.write_manifest
    monkeypatch.setattr(checkpoints, "write_manifest", lambda folder: steps.append(folder) or saved(folder))
    run = store.create(settings)
    with pytest.raises(InputError, match=f"the loss of row {rows.places[number] + 1} of the data") as error:
        train(run)
    assert error.value.field == "training.learning_rate" and run.state().state == "failed"
    event = next(e for e in run.events()[0] if e["kind"] == "diverged")
    last = checkpoints.steps(run.dir / "checkpoints")[-1]
    assert event["rows"] == [rows.places[number] + 1] and event["checkpoint"] == last == event["step"] - 1
    assert f"checkpoint of step {last} is whole" in str(error.value)
    monkeypatch.setattr(Work, "loss", real)
    assert train(run, resume=True)["state"] == "done"


@pytest.mark.slow
def test_gradients_that_are_no_numbers_never_reach_the_weights(config, monkeypatch):
    settings = config("full", gradient_accumulation_steps=2, per_device_train_batch_size=4)
    real = Work.loss

    def loss(self, model, batch, items=None):
        value = real(self, model, batch, items)
        return value + (value * 0).sqrt()  # 0, whose slope is no number

    monkeypatch.setattr(Work, "loss", loss)
    run = store.create(settings)
    with pytest.raises(InputError, match="the loss of the rows"):
        train(run)
    event = next(e for e in run.events()[0] if e["kind"] == "diverged")
    assert event["step"] == 1 and len(event["rows"]) == 8
