"""The command `train`, and jobs, as processes of their own."""

import os
import time

import pytest

from core import config as configs
from core.errors import InputError
from core.runs import jobs, store
from tests import factory

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def settings(tiny_llama, tmp_path, runs_dir):
    rows = factory.write_jsonl(tmp_path / "my rows" / "train.jsonl", factory.tone_rows(40))
    return configs.build(
        {
            "model": {"path": str(tiny_llama)},
            "data": {"path": str(rows), "template": "{phrase}\n{tone}", "max_tokens": 64},
            "training": {
                "max_steps": 12,
                "eval_steps": 4,
                "save_steps": 4,
                "logging_steps": 1,
                "save_total_limit": 9,
                "learning_rate": 0.01,
            },
            "evaluation": {"max_new_tokens": 4},
        }
    )


@pytest.fixture
def yaml_file(settings, tmp_path):
    path = tmp_path / "a config.yaml"
    path.write_text(configs.dumps(settings), encoding="utf-8")
    return path


def wait(run, until, seconds=200):
    end = time.time() + seconds
    while time.time() < end:
        if until(run):
            return
        time.sleep(0.05)
    raise AssertionError(f"{run.state()} {run.log()}")


def over(run):
    return not run.state().under_way


def step(run):
    return max((e["step"] for e in run.events()[0] if e["kind"] == "log"), default=0)


def test_train_prints_one_object(command, yaml_file, runs_dir, tmp_path):
    done = command("train", yaml_file, "--set", "training.max_steps=3", "--run-dir", tmp_path / "my run", "--json")
    assert done.status == 0, done.err
    assert done.json["state"] == "done" and done.json["steps"] == 3 and done.json["train_loss"] > 0
    assert done.json["validation_loss"] > 0 and done.json["dir"] == str(tmp_path / "my run")
    assert "step 3 of 3" in done.err and "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere.yaml"], "cannot be read"),
        ([], "Give a config"),
        (["--resume", "no-such-run"], "There is no run"),
        (["CONFIG", "--set", "training.learning_rate=-1"], "training.learning_rate"),
        (["CONFIG", "--set", "method.target_modules=[q_porj]"], "q_proj"),
        (["CONFIG", "--set", "data.template={phrase} {tune}"], "tone"),
    ],
)
def test_wrong_input_is_one_sentence_and_status_2(command, yaml_file, words, sentence):
    done = command("train", *[str(yaml_file) if w == "CONFIG" else w for w in words])
    assert done.status == 2 and sentence in done.err and "Traceback" not in done.err and not done.out


def test_killed_and_resumed_is_bit_identical(settings):
    whole = jobs.start_training(settings, "whole")
    wait(whole, over)
    assert whole.state().state == "done", whole.log()
    slow = settings.model_copy(update={"training": settings.training.model_copy(update={"eval_steps": 4})})
    torn = jobs.start_training(slow, "torn")
    with pytest.raises(InputError, match="under way"):
        jobs.resume(torn)
    wait(torn, lambda run: step(run) >= 6)
    os.kill(torn.state().pid, 9)
    wait(torn, over)
    assert torn.state().state == "failed" and "killed (perhaps out of memory)" in torn.state().error
    assert "resumed from step 4" in torn.state().error
    jobs.resume(torn)
    wait(torn, over)
    assert torn.state().state == "done", torn.log()
    name = "adapter_model.safetensors"
    assert (torn.dir / "model" / name).read_bytes() == (whole.dir / "model" / name).read_bytes()
    assert torn.curve()["eval"][-1]["validation_loss"] == whole.curve()["eval"][-1]["validation_loss"]


def test_stopped_from_outside(settings):
    long = settings.model_copy(update={"training": settings.training.model_copy(update={"max_steps": 5000})})
    run = jobs.start_training(long)
    wait(run, lambda r: step(r) >= 2)
    jobs.stop(run)
    assert run.state().state in ("stopping", "stopped")
    wait(run, over)
    assert run.state().state == "stopped" and run.has_model and run.resumable
    store.delete(run)
    assert not run.dir.exists()


def test_a_job_that_fails_at_once_says_why(settings):
    bad = settings.model_copy(update={"data": settings.data.model_copy(update={"template": "{phrase} {tune}"})})
    run = jobs.start_training(bad)
    wait(run, over)
    state = run.state()
    assert state.state == "failed" and state.field == "data.template" and "tone" in state.error
