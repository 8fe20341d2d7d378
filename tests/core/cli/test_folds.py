"""All folds by one command: each once, what is missing later, and the mean of what they reached."""

import pytest

from core.cli import folds
from core.cli.train import run as run_command
from core.cli.train import show
from core.config import build, dumps
from core.data.dataset import open_examples
from core.errors import InputError
from core.models.load import fingerprint
from core.runs import store
from core.runs.eventlog import EventLog
from core.runs.files import write_json
from core.runs.state import StateFile
from tests import factory


@pytest.fixture
def config(tiny_llama, tmp_path, runs_dir):
    rows = factory.write_jsonl(tmp_path / "rows" / "train.jsonl", factory.tone_rows(40))
    few = {"max_steps": 4, "eval_steps": 2, "save_steps": 2, "logging_steps": 1, "learning_rate": 1e-2}
    return build(
        {
            "model": {"path": str(tiny_llama)},
            "data": {"path": str(rows), "template": "{phrase}\n{tone}", "max_tokens": 64},
            "training": few,
            "evaluation": {"max_new_tokens": 2},
        }
    )


class Trainer:
    """What `train` leaves behind, without the work: losses 1, 2, 3, ... ; stops in one fold when told so."""

    def __init__(self, stop_in=None, fail_in=None):
        self.asked, self.stop_in, self.fail_in = [], stop_in, fail_in

    def __call__(self, run, resume):
        settings = run.config()
        fold = settings.data.fold
        self.asked.append((fold, resume))
        with StateFile(run.dir / "state.json").working(graceful=True) as job:
            facts = {"data": {"fingerprint": open_examples(settings).fingerprint}}
            facts["base_fingerprint"] = fingerprint(settings.model.path)
            write_json(run.dir / "environment.json", run.environment() | facts)
            if fold == self.fail_in:
                raise InputError("The loss is no number.", "training.learning_rate")
            log, loss = EventLog(run.dir / "events.jsonl"), float(fold)
            log.add("log", 4, loss=loss / 2, max_steps=4)
            log.add("end", 4, reason="finished", best_step=2, weights="best", weights_step=2, validation_loss=loss)
            job.finish("stopped" if fold == self.stop_in else "done")
        state = "stopped" if fold == self.stop_in else "done"
        return {"run": run.id, "dir": str(run.dir), "state": state, "steps": 4, "train_loss": loss / 2,
                "validation_loss": loss, "best_step": 2}  # fmt: skip


def test_every_fold_is_trained_once_and_the_mean_is_told(config, capsys):
    trainer = Trainer()
    result = folds.train_folds(config, 3, None, trainer)
    assert trainer.asked == [(1, False), (2, False), (3, False)]
    assert (result["state"], result["validation_loss"], result["validation_loss_spread"]) == ("done", 2.0, 1.0)
    assert (result["steps"], result["train_loss"], result["dir"]) == (12, 1.0, str(store.runs_dir()))
    runs = [store.open_run(r["run"]) for r in result["folds"]]
    assert [run.config().data.fold for run in runs] == [1, 2, 3] and {run.config().data.folds for run in runs} == {3}
    assert runs[1].title == "rows · LoRA r 16 · fold 2 of 3" and "fold-2-of-3" in runs[1].id
    assert "fold 3 of 3: validation loss 3.0000" in capsys.readouterr().err
    text = show(result)
    assert "fold 1 of 3: done, validation loss 1.0000" in text
    assert text.endswith(
        "validation 2.0000 (mean, nats a token; lower is better), standard deviation 1.0000 over the folds"
    )


def test_a_second_call_does_what_is_missing(config):
    stopped = Trainer(stop_in=2)
    result = folds.train_folds(config, 3, None, stopped)
    assert (result["state"], len(result["folds"]), result["validation_loss"]) == ("stopped", 2, 1.0)
    assert result["validation_loss_spread"] is None and show(result).endswith("Give the same command again to go on.")
    with pytest.raises(InputError, match="no number"):
        folds.train_folds(config, 3, None, again := Trainer(fail_in=3))
    assert again.asked == [(2, True), (3, False)]
    whole = folds.train_folds(config, 3, None, last := Trainer())
    assert last.asked == [(3, True)] and whole["validation_loss"] == 2.0 and len(store.list_runs()) == 3
    assert [r["state"] for r in whole["folds"]] == ["done"] * 3 and whole["folds"][0]["train_loss"] == 0.5


def test_other_settings_rows_or_weights_are_trained_anew(config, tmp_path, tiny_llama):
    folds.train_folds(config, 2, None, Trainer())
    other = build(config.model_dump() | {"training": config.training.model_dump() | {"seed": 1}})
    folds.train_folds(other, 2, None, changed := Trainer())
    assert len(changed.asked) == 2
    factory.write_jsonl(tmp_path / "rows" / "train.jsonl", factory.tone_rows(44))
    folds.train_folds(config, 2, None, more_rows := Trainer())
    assert more_rows.asked == [(1, False), (2, False)]
    folds.train_folds(config, 2, None, same := Trainer())
    assert same.asked == []


def test_a_folder_of_ones_own(config, tmp_path):
    result = folds.train_folds(config, 2, tmp_path / "here", Trainer(stop_in=2))
    assert [r["dir"] for r in result["folds"]] == [str(tmp_path / "here" / f"fold-{k}") for k in (1, 2)]
    folds.train_folds(config, 2, tmp_path / "here", again := Trainer())
    assert again.asked == [(2, True)] and not store.list_runs()
    other = build(config.model_dump() | {"training": config.training.model_dump() | {"seed": 1}})
    with pytest.raises(InputError, match="not empty"):
        folds.train_folds(other, 2, tmp_path / "here", Trainer())


@pytest.mark.parametrize(
    ("count", "data", "field"),
    [
        (1, {}, "data.folds"),
        (21, {}, "data.folds"),
        (2, {"validation": "train[90%:]"}, "data.folds"),
        (20, {"group_by": "tone"}, "data.folds"),
        (2, {"stratify": "nothing"}, "data.stratify"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(config, count, data, field):
    wrong = config.model_copy(update={"data": config.data.model_copy(update=data)})
    with pytest.raises(InputError) as error:
        folds.train_folds(wrong, count, None, trainer := Trainer())
    assert error.value.field == field and not trainer.asked and not store.list_runs()


def test_a_fold_that_is_under_way_is_left_alone(config):
    first = folds._of_fold(config, 2, 1)
    run = store.create(first)
    with StateFile(run.dir / "state.json").working(), pytest.raises(InputError, match=f"Fold 1 is under way.*{run.id}"):
        folds.train_folds(config, 2, None, Trainer())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_fold_is_the_run_of_its_own_settings(config, command, tmp_path, runs_dir):
    """The whole command; and one fold trained alone gives the same weights."""
    path = tmp_path / "a.yaml"
    path.write_text(dumps(config), encoding="utf-8")
    done = command("train", path, "--folds", "2", "--json")
    assert done.status == 0, done.err
    assert done.json["state"] == "done" and len(done.json["folds"]) == 2 and done.json["validation_loss_spread"] >= 0
    losses = [r["validation_loss"] for r in done.json["folds"]]
    assert done.json["validation_loss"] == pytest.approx(sum(losses) / 2)
    alone = command("train", path, "--set", "data.folds=2", "--set", "data.fold=2", "--json")
    assert alone.json["validation_loss"] == losses[1]
    weights = [
        store.open_run(r["run"]).dir / "model" / "adapter_model.safetensors"
        for r in (done.json["folds"][1], alone.json)
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    again = command("train", path, "--folds", "2")
    assert again.status == 0 and "done already" in again.err and "validation" in again.out
    refused = command("train", "--resume", "x", "--folds", "2")
    assert refused.status == 2 and "give nothing else" in refused.err


def test_the_command_hands_over(config, tmp_path, monkeypatch):
    import argparse

    path = tmp_path / "a.yaml"
    path.write_text(dumps(config), encoding="utf-8")
    monkeypatch.setattr("core.cli.train.train", Trainer())
    args = argparse.Namespace(
        config=str(path), set=["training.max_steps=2"], run_dir=None, folds=2, resume=None, preset=None
    )
    result = run_command(args)
    assert len(result["folds"]) == 2 and store.open_run(result["folds"][0]["run"]).config().training.max_steps == 2
