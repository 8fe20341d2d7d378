"""Whole trainings of a tiny model, in this process."""

import shutil
from pathlib import Path

import pytest
import torch

from core.cli.train import train
from core.config import build
from core.data.named import chat_template
from core.errors import ConfigError, InputError
from core.models.load import load_base, load_run
from core.models.tokenizer import load_tokenizer
from core.runs import checkpoints, store
from core.runs.state import StateFile
from core.training.batches import Collator
from core.training.losses import summed_nll
from tests import factory


def kinds(run, kind):
    return [event for event in run.events()[0] if event["kind"] == kind]


def tuned_bytes(run):
    return next((run.dir / "model").glob("*.safetensors")).read_bytes()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_training_from_config_to_weights(config, method):
    run = store.create(config(method))
    result = train(run)
    assert result["state"] == "done" and result["steps"] == 6 and result["reason"] == "finished"
    assert result["validation_loss"] < result["base_validation_loss"]
    assert run.state().state == "done" and run.has_model
    assert [e["step"] for e in kinds(run, "log")] == [1, 2, 3, 4, 5, 6]
    assert [e["step"] for e in kinds(run, "eval")] == [0, 2, 4, 6] == [e["step"] for e in kinds(run, "sample")]
    assert kinds(run, "sample")[0]["want"] and kinds(run, "sample")[0]["prompt"]
    assert [len(e["answers"]) for e in kinds(run, "sample")] == [3] * 4 and kinds(run, "sample")[-1]["answers"][2][
        "row"
    ]
    assert kinds(run, "end")[0]["best_step"] == result["best_step"]
    log = kinds(run, "log")[-1]
    assert log["tokens_per_second"] > 0 and log["all_tokens_per_second"] > log["tokens_per_second"]
    assert log["max_steps"] == 6 and 0 < log["epoch"] < 2
    assert checkpoints.steps(run.dir / "checkpoints") == [4, 6]
    assert not list(run.dir.rglob("*.bin")) and not list(run.dir.rglob(".writing-*"))
    environment = run.environment()
    assert environment["data"]["train_rows"] == result["rows"]["train"] and environment["device"]["type"] == "cpu"
    base = run.config().model.path
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (run.dir / "model" / name).read_bytes() == (store.resolve(base) / name).read_bytes()
    card = (run.dir / "model" / "README.md").read_text()
    assert base in card and f"{result['validation_loss']:.4f}" in card


@pytest.mark.slow
def test_the_validation_loss_is_that_of_the_weights_that_are_left(config):
    run = store.create(config())
    result = train(run)
    from core.training.examples import prepare

    rows = prepare(run.config(), lambda done, total: None)
    model, _ = load_run(run)
    total = count = 0
    for row in rows.validation:
        batch = Collator(rows.objective.pad)([row])
        with torch.no_grad():
            nll, tokens = summed_nll(model(input_ids=batch["input_ids"]).logits, batch["labels"])
        total, count = total + nll.item(), count + int(tokens)
    assert total / count == pytest.approx(result["validation_loss"], rel=1e-4)


@pytest.mark.slow
def test_accumulation_is_one_large_batch(config):
    """36 rows to train on: one update over all of them, at once or in four parts."""
    same = {"max_steps": 2, "lr_scheduler_type": "constant", "max_grad_norm": 1e9}
    one = config("full", per_device_train_batch_size=36, **same)
    four = config("full", per_device_train_batch_size=9, gradient_accumulation_steps=4, **same)
    whole, parts = (store.open_run(train(store.create(settings))["run"]).curve()["log"] for settings in (one, four))
    for key in ("loss", "grad_norm"):
        assert [e[key] for e in parts] == pytest.approx([e[key] for e in whole], rel=1e-4)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over_with_a_note(config):
    run = store.create(config(save_total_limit=9))
    train(run)
    before = tuned_bytes(run)
    shutil.rmtree(run.dir / "model")
    for path in (run.dir / "checkpoints").glob("step-6/*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    train(run, resume=True)
    assert tuned_bytes(run) == before
    assert "step 6 is not used" in kinds(run, "note")[-1]["text"]
    assert kinds(run, "resumed")[0]["step"] == 4
    settings = run.dir / "config.yaml"
    text = settings.read_text()
    settings.write_text(text.replace("max_steps: 6", "max_steps: 9").replace("name: lora", "name: qlora"))
    with pytest.raises(ConfigError) as several:
        train(run, resume=True)
    assert set(several.value.errors) == {"method.name", "training.max_steps"}
    assert "it is 9, and the run was trained up to its checkpoint with 6" in several.value.errors["training.max_steps"]
    settings.write_text(text)
    factory.write_jsonl(Path(run.config().data.path), factory.tone_rows(41))
    with pytest.raises(InputError, match="not those that this run began with") as error:
        train(run, resume=True)
    assert error.value.field == "data.path"


def test_stopped_within_a_step_with_weights(config, monkeypatch):
    run = store.create(config(max_steps=500, eval_steps=100, save_steps=100))
    from core.training.events import Follow

    original = Follow.on_log

    def stop_at_three(self, args, state, control, logs=None, **kwargs):
        original(self, args, state, control, logs=logs, **kwargs)
        if state.global_step == 3:
            StateFile(run.dir / "state.json").stop_file.touch()

    monkeypatch.setattr(Follow, "on_log", stop_at_three)
    result = train(run)
    assert result["state"] == run.state().state == "stopped" and result["steps"] == 4
    assert result["weights"] == "last" and run.has_model and run.resumable == 4
    assert kinds(run, "end")[0]["reason"] == "stopped"


@pytest.mark.slow
def test_early_stopping_goes_back_to_the_best(config):
    run = store.create(config(max_steps=60, eval_steps=1, save_steps=1, early_stopping_patience=2, learning_rate=0.2))
    result = train(run)
    assert result["reason"] == "early_stopped" and result["state"] == "done"
    losses = {e["step"]: e["validation_loss"] for e in kinds(run, "eval") if e["step"]}
    assert result["best_step"] == min(losses, key=lambda s: (losses[s], s))
    assert result["steps"] == result["best_step"] + 2


def test_a_loss_that_is_no_number_ends_the_run_with_advice(config):
    run = store.create(
        config("full", learning_rate=1.0, max_steps=200, max_grad_norm=1e9, eval_steps=200, save_steps=200)
    )
    from core.tasks import writing

    def broken(outputs, *more):
        return outputs.logits.sum() * float("nan")

    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(InputError, match="the learning rate has no part in it") as error,
    ):
        patch.setattr(writing, "token_loss", broken)
        train(run)
    assert error.value.field == "model.path"
    state = run.state()
    assert state.state == "failed" and state.field == "model.path" and not run.has_model


@pytest.mark.slow
def test_without_validation_the_last_weights_are_kept(config):
    run = store.create(config(data={"validation": 0, "template": "gemma"}))
    result = train(run)
    tuned_in = chat_template("gemma", load_tokenizer(run.config().model.path))
    assert (run.dir / "model" / "chat_template.jinja").read_text() == tuned_in
    assert result["weights"] == "last" and result["validation_loss"] is None and run.has_model
    assert [e["step"] for e in kinds(run, "sample")] == [0] and kinds(run, "eval") == []


@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_the_run_can_be_resumed(config, monkeypatch):
    run = store.create(config())
    real = checkpoints.write_manifest

    def full(folder):
        if "step-4" in folder.name:
            raise OSError(28, "No space left on device")
        real(folder)

    monkeypatch.setattr(checkpoints, "write_manifest", full)
    with pytest.raises(OSError):
        train(run)
    state = run.state()
    assert state.reason == "disk_full" and "disk is full" in state.error and "resumed from step 2" in state.error
    monkeypatch.setattr(checkpoints, "write_manifest", real)
    assert train(run, resume=True)["state"] == "done"


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"data": {"template": "{phrase}\n{tune}"}}, "data.template", "tone"),
        ({"data": {"path": "nowhere.jsonl"}}, "data.path", "nowhere"),
        ({"method": {"name": "prompt", "num_virtual_tokens": 1024}}, "method.num_virtual_tokens", "leave no room"),
        ({"data": {"max_tokens": 2048, "template": "{phrase}" * 99 + "{tone}"}}, "data.max_tokens", "reads at most"),
    ],
)
def test_input_errors_are_in_the_state_too(config, change, field, words):
    run = store.create(config(**change))
    with pytest.raises(InputError, match=words) as error:
        train(run)
    assert error.value.field == field
    assert (run.state().state, run.state().error, run.state().field) == ("failed", str(error.value), field)


@pytest.mark.slow
def test_too_few_rows(config, tmp_path):
    one = factory.write_jsonl(tmp_path / "one.jsonl", factory.tone_rows(1))
    with pytest.raises(InputError, match="one row only"):
        train(store.create(config(data={"path": str(one)})))
    assert train(store.create(config(data={"path": str(one), "validation": 0}, max_steps=1)))["state"] == "done"


@pytest.mark.slow
def test_a_base_that_has_changed_is_noticed(config, tiny_models, tmp_path):
    base = tmp_path / "base"
    factory.tiny_model("llama", base, seed=1)
    settings = config()
    settings = settings.model_copy(update={"model": settings.model.model_copy(update={"path": str(base)})})
    run = store.create(settings)
    train(run)
    load_run(run)
    shutil.rmtree(base)
    factory.tiny_model("llama", base, seed=2)
    load_base(str(base))
    with pytest.raises(InputError, match="other weights"):
        load_run(run)
    with pytest.raises(InputError, match="not those that this run began with"):
        train(run, resume=True)


@pytest.mark.slow
def test_the_base_is_judged_without_what_is_put_in_front_of_it(config):
    few = {"max_steps": 2, "eval_steps": 2, "save_steps": 2}
    lora, prompt = (train(store.create(config(name, **few))) for name in ("lora", "prompt"))
    assert prompt["base_validation_loss"] == pytest.approx(lora["base_validation_loss"], rel=1e-5)
    assert prompt["validation_loss"] != prompt["base_validation_loss"]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "task"), [("bert", "similarity"), ("llama", "classification")])
def test_so_is_a_base_that_writes_nothing(family, task, config, tiny_models, tmp_path):
    rows = [{"premise": f"{row['phrase']} {n}", "hypothesis": row["tone"], "label": n % 2} for n, row in enumerate(
        factory.tone_rows(12)
    )]  # fmt: skip
    path = str(factory.write_jsonl(tmp_path / "pairs" / "train.jsonl", rows))
    template = "{premise}\n{label}" if task == "classification" else None
    results = []
    for method in ("prompt", "lora"):
        settings = config(method, {"path": path, "template": template, "validation": 0.25}, max_steps=1)
        model = {"path": str(tiny_models(family)), "head": "task"}
        settings = build(settings.model_dump() | {"task": task, "model": model})
        results.append(train(store.create(settings)))
    prompt, lora = results
    assert prompt["state"] == "done"
    assert prompt["base_validation_loss"] == pytest.approx(lora["base_validation_loss"], rel=1e-5)
