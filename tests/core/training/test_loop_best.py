"""The best weights: by loss or by a metric, early stopping, and a training that a stop or a kill cut short."""

import pytest

from core.cli.train import train
from core.config import build
from core.errors import InputError
from core.runs import store
from core.runs.files import write_json
from core.runs.state import StateFile
from core.training.best import Best, Measure, measure_of, waited

LOSS, ACCURACY = Measure("loss", False), Measure("accuracy", True)


@pytest.mark.parametrize(
    ("values", "measure", "threshold", "wanted"),
    [
        ([], LOSS, 0, 0),
        ([3.0], LOSS, 0, 0),
        ([3.0, 2.0, 2.5, 2.1], LOSS, 0, 2),
        ([3.0, 2.0, 2.0], LOSS, 0, 1),
        ([3.0, 2.9, 2.8, 2.7], LOSS, 0.15, 3),  # always better, never by so much
        ([3.0, 2.9, 2.5], LOSS, 0.15, 0),
        ([0.5, 0.6, 0.6, 0.4], ACCURACY, 0, 2),
        ([0.5, 0.6, 0.7], ACCURACY, 0.2, 2),
    ],
)
def test_patience_counts_checks_since_the_last_that_was_better(values, measure, threshold, wanted):
    assert waited(values, measure, threshold) == wanted


def test_patience_is_that_of_transformers():
    from transformers import EarlyStoppingCallback, TrainerControl, TrainerState, TrainingArguments

    values, threshold = [3.0, 2.5, 2.45, 2.6, 2.44, 2.1, 2.1, 2.05, 2.0], 0.1
    theirs = EarlyStoppingCallback(early_stopping_patience=99, early_stopping_threshold=threshold)
    args = TrainingArguments(metric_for_best_model="eval_loss", greater_is_better=False, report_to=[])
    state = TrainerState()
    for n, value in enumerate(values):
        theirs.check_metric_value(args, state, TrainerControl(), value)
        state.best_metric = min(value, state.best_metric) if state.best_metric is not None else value
        assert waited(values[: n + 1], LOSS, threshold) == theirs.early_stopping_patience_counter


def test_the_best_of_a_folder(tmp_path):
    config = build({"training": {"early_stopping_patience": 2}})
    best = Best(tmp_path, ACCURACY, config)
    assert best.found() is None and not best.given_up

    def save(folder):
        write_json(folder / "weights.json", {})

    for step, value in ((10, 0.5), (20, 0.7), (30, 0.7), (40, 0.6)):
        best.keep(step, value, loss=1.0 / step, save=save)
        found = best.found()
        assert found["step"] == (10 if step == 10 else 20) and (found["path"] / "weights.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["best-20"]
    assert best.given_up and found["metric"] == "accuracy" and found["validation_loss"] == 1 / 20


class Writes:
    likelihood, metrics = True, ("bleu", "rougeL")


def test_the_metric_must_be_one_of_the_task():
    def named(name):
        return build({"training": {"metric_for_best_model": name}})

    assert measure_of(named("loss"), Writes()) == LOSS
    assert measure_of(named("perplexity"), Writes()) == Measure("perplexity", False)
    assert measure_of(named("bleu"), Writes()) == Measure("bleu", True)
    with pytest.raises(InputError, match="accuracy.*loss, perplexity, bleu, rougeL") as error:
        measure_of(named("accuracy"), Writes())
    assert error.value.field == "training.metric_for_best_model"


def by_accuracy(config, **training):
    settings = config(metric_for_best_model="accuracy", **training)
    return settings.model_copy(update={"task": "classification"})


def checks(run):
    return [(e["step"], e["metric"], e["metric_value"]) for e in run.curve()["eval"]]


@pytest.mark.slow
def test_best_by_accuracy_stops_early_and_says_so(config):
    run = store.create(by_accuracy(config, max_steps=40, early_stopping_patience=3, learning_rate=3e-2))
    result = train(run)
    assert result["reason"] == "early_stopped" and result["metric"] == "accuracy"
    found = checks(run)
    assert {name for _, name, _ in found} == {"accuracy"} and all(0 <= value <= 1 for _, _, value in found)
    top = max(value for step, _, value in found if step)
    first = next(step for step, _, value in found if step and value == top)
    assert (result["best_step"], result["metric_value"]) == (first, top) and result["steps"] == first + 6
    assert result["base_metric_value"] == found[0][2]
    end = run.events()[0][-1]
    assert (end["metric"], end["metric_value"], end["best_step"]) == ("accuracy", top, first)
    assert all(e["accuracy"] == e["metric_value"] and e["perplexity"] > 1 for e in run.curve()["eval"])
    assert "the best accuracy on the rows kept back" in (run.dir / "model" / "README.md").read_text()


@pytest.mark.slow
def test_a_stop_while_answers_are_written_is_a_stop(config, monkeypatch):
    """The check that was broken off is made up for when the run is resumed: it is the run that it would have been."""
    whole = store.create(by_accuracy(config))
    train(whole)
    run = store.create(by_accuracy(config))
    real, asked = Best.value, []

    def stopped(self, model, figures):
        asked.append(1)
        if len(asked) == 3:  # the base model's, step 2, step 4
            StateFile(run.dir / "state.json").stop_file.touch()
        return real(self, model, figures)

    monkeypatch.setattr(Best, "value", stopped)
    result = train(run)
    assert (result["state"], result["steps"], result["best_step"]) == ("stopped", 4, 2)
    assert train(run, resume=True)["state"] == "done"
    assert checks(run) == checks(whole)
    assert (run.dir / "model" / "adapter_model.safetensors").read_bytes() == (
        whole.dir / "model" / "adapter_model.safetensors"
    ).read_bytes()


@pytest.mark.slow
def test_nothing_can_be_asked_where_the_whole_row_is_the_answer(config):
    run = store.create(config(data={"template": "{tone}"}, metric_for_best_model="rougeL"))
    with pytest.raises(InputError, match="no prompt") as error:
        train(run)
    assert error.value.field == "training.metric_for_best_model"


@pytest.mark.slow
def test_a_run_that_was_killed_after_its_last_check_has_nothing_left_to_do(config):
    run = store.create(config(max_steps=60, eval_steps=1, save_steps=1, early_stopping_patience=2, learning_rate=0.2))
    first = train(run)
    weights = (run.dir / "model" / "adapter_model.safetensors").read_bytes()
    again = train(run, resume=True)
    assert (again["reason"], again["steps"], again["best_step"]) == (
        "early_stopped",
        first["steps"],
        first["best_step"],
    )
    assert (run.dir / "model" / "adapter_model.safetensors").read_bytes() == weights
