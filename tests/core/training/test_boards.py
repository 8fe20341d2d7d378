"""The curves for TensorBoard, trackio and Weights & Biases: the numbers of the events, once each, never a failure."""

import sys
import types

import pytest

from core.cli.train import train
from core.config import build
from core.errors import InputError
from core.runs import store
from core.runs.eventlog import EventLog
from core.training import boards


def written(folder):
    """Tag -> [(step, value)] of TensorBoard's files, as TensorBoard itself reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_what_a_curve_has_of_an_event():
    log = {"kind": "log", "t": 1.5, "step": 3, "loss": 2.0, "learning_rate": 0.1, "grad_norm": None, "max_steps": 9}
    assert boards.figures(log) == {"train/loss": 2.0, "train/learning_rate": 0.1}
    check = {"kind": "eval", "t": 1.5, "step": 3, "validation_loss": 2.5, "metric": "accuracy", "metric_value": 0.5}
    check["higher_is_better"] = True
    assert boards.figures(check | {"accuracy": 0.5}) == {"validation/loss": 2.5, "validation/accuracy": 0.5}
    assert boards.figures({"kind": "note", "text": "so", "step": 1}) == {}


@pytest.fixture
def run(tmp_path):
    return store.create(build({"training": {"report_to": ["trackio", "wandb"]}}), directory=tmp_path / "run")


@pytest.fixture
def fakes(monkeypatch):
    """Trackio and wandb that remember what they were told."""
    told = []
    trackio = types.ModuleType("trackio")
    trackio.init = lambda **how: told.append(("trackio", how["name"], how["resume"])) or print("noise")
    trackio.log = lambda figures, step: told.append(("trackio", step, figures))
    trackio.finish = lambda: told.append(("trackio", "finish"))

    class Run:
        def log(self, figures, step):
            told.append(("wandb", step, figures))

        def finish(self):
            told.append(("wandb", "finish"))

    wandb = types.ModuleType("wandb")
    wandb.Settings = lambda **how: how
    wandb.init = lambda **how: told.append(("wandb", how["id"], how["mode"])) or Run()
    monkeypatch.setitem(sys.modules, "trackio", trackio)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return told


def test_boards_follow_the_events_offline_and_say_nothing_on_standard_output(run, fakes, capsys):
    log = EventLog(run.dir / "events.jsonl")
    with boards.reporting(run.config(), run, log, pytest.fail):
        log.add("log", 1, loss=2.0)
        log.add("note", 1, text="so")
    log.add("log", 2, loss=1.0)
    assert fakes == [
        ("trackio", run.id, "allow"), ("wandb", run.id, "offline"),
        ("trackio", 1, {"train/loss": 2.0}), ("wandb", 1, {"train/loss": 2.0}),
        ("trackio", "finish"), ("wandb", "finish"),
    ]  # fmt: skip
    assert capsys.readouterr().out == ""


def test_a_step_that_comes_again_after_a_resume_is_not_sent_twice(run, fakes):
    log = EventLog(run.dir / "events.jsonl")
    for step in (1, 2, 3):
        log.add("log", step, loss=1.0 / step)
    with boards.reporting(run.config(), run, log, pytest.fail):
        log.add("resumed", 2)
        for step in (3, 4):
            log.add("log", step, loss=1.0 / step)
    assert [step for board, step, *_ in fakes if board == "wandb"] == [run.id, 4, "finish"]


def test_a_board_that_fails_is_left_out_with_a_note(run, fakes):
    def broken(figures, step):
        raise RuntimeError("the disk is full\nand more")

    sys.modules["trackio"].log = broken
    sys.modules["wandb"].init = lambda **how: 1 / 0
    log, notes = EventLog(run.dir / "events.jsonl"), []
    with boards.reporting(run.config(), run, log, notes.append):
        log.add("log", 1, loss=2.0)
        log.add("log", 2, loss=2.0)
    assert notes == ["Nothing more goes to wandb: division by zero.", "Nothing more goes to trackio: the disk is full."]


def test_a_board_that_is_not_installed_is_one_sentence(monkeypatch):
    monkeypatch.setattr(boards.importlib.util, "find_spec", lambda name: None if name != "tensorboard" else object())
    boards.require(build({"training": {"report_to": ["tensorboard"]}}))
    with pytest.raises(
        InputError, match="trackio and wandb are not installed here: pip install trackio wandb"
    ) as error:
        boards.require(build({"training": {"report_to": ["tensorboard", "trackio", "wandb"]}}))
    assert error.value.field == "training.report_to"


@pytest.mark.slow
def test_tensorboard_shows_the_curve_once_after_a_resume(config):
    run = store.create(config(report_to=["tensorboard"], save_total_limit=9))
    train(run)
    first = written(run.dir / "tensorboard")
    assert [step for step, _ in first["train/loss"]] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in first["validation/loss"]] == [0, 2, 4, 6]
    assert {"train/learning_rate", "train/grad_norm", "validation/perplexity"} <= set(first)
    curve = run.curve()
    assert [value for _, value in first["train/loss"]] == pytest.approx([e["loss"] for e in curve["log"]])
    for path in (run.dir / "checkpoints").iterdir():
        if path.name.endswith("-6"):
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
    train(run, resume=True)
    again = written(run.dir / "tensorboard")
    for tag in ("train/loss", "validation/loss", "train/learning_rate"):
        assert again[tag] == first[tag]
    assert len(list((run.dir / "tensorboard").iterdir())) == 1
