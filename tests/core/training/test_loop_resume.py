"""A resumed run is the run that was never interrupted, to the last bit, whatever is trained and however."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from core.cli.train import train
from core.config import build
from core.runs import checkpoints, store
from tests import factory
from tests.cells import WAYS
from tests.conftest import ROOT

# A method, and settings that draw on chance or keep a state of their own.
CASES = {
    "full": ("full", {"optim": "adamw_8bit", "batching": "packed"}),
    "lora": ({"name": "lora", "lora_dropout": 0.2, "modules_to_save": ["lm_head"]}, {"batching": "padding_free"}),
    "dora": ({"name": "lora", "use_dora": True, "use_rslora": True}, {"gradient_checkpointing": True}),
    "qlora": ({"name": "qlora", "lora_dropout": 0.2}, {"optim": "adafactor"}),
    "adapter": ({"name": "adapter", "dropout": 0.2, "placement": "houlsby"}, {}),
    "ia3": ("ia3", {"lr_scheduler_type": "inverse_sqrt"}),
    "prompt": ("prompt", {}),
}


def weights(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.safetensors")) if path.stem != "proof"}


def course(run):
    """What the events tell, without the clock."""
    curve = run.curve()
    logs = [(e["step"], e["loss"], e["grad_norm"], e["learning_rate"]) for e in curve["log"]]
    checks = [(e["step"], e["validation_loss"], e["metric_value"]) for e in curve["eval"]]
    return logs, checks, [(e["step"], e["answer"]) for e in curve["sample"]]


def torn_at(step, whole):
    """A run that was killed after a checkpoint of another, which is the same up to there."""
    run = store.create(whole.config())
    shutil.copytree(whole.dir / "checkpoints", run.dir / "checkpoints")
    shutil.copy(whole.dir / "events.jsonl", run.dir / "events.jsonl")
    for path in (run.dir / "checkpoints").iterdir():
        if int(path.name.split("-")[1]) > step:
            shutil.rmtree(path)
    return run


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_resumed_run_is_the_run_that_was_never_interrupted(config, case):
    method, more = CASES[case]
    settings = config(
        method, augmentation={"copies": 1, "swap": 0.5}, max_steps=4, eval_steps=2, save_steps=3, save_total_limit=9,
        per_device_train_batch_size=4, gradient_accumulation_steps=2, neftune_noise_alpha=5.0, weight_decay=0.01,
        metric_for_best_model="accuracy", **more,
    )  # fmt: skip
    settings = settings.model_copy(update={"task": "classification"})
    whole = store.create(settings)
    train(whole)
    torn = torn_at(3, whole)
    torch.manual_seed(999)
    train(torn, resume=True)
    assert course(torn) == course(whole)
    last = [run.dir / "checkpoints" / "step-4" for run in (torn, whole)]
    assert weights(last[0]) == weights(last[1]) and weights(torn.dir / "model") == weights(whole.dir / "model")


# What a model is to do (tests.cells.WAYS), its family, and a metric of it that the weights are chosen by.
HEADS = [
    ("label", "distilbert", "micro_f1"),
    ("tags", "bert", "entity_recall"),
    ("vector", "bert", "spearman"),
    ("writes", "t5", "rougeL"),
]


def apart(row, number):
    """A row that differs from all others, as equal rows are kept back together."""
    more = {"tokens": ["so", str(number)], "ner_tags": ["O", "O"], "premise": f" {number}", "phrase": f" {number}"}
    return {name: value + more[name] if name in more else value for name, value in row.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("way", "family", "metric"), HEADS)
def test_so_is_a_run_on_any_head_that_keeps_the_best_by_a_metric(way, family, metric, tiny_models, tmp_path, runs_dir):
    asked = WAYS[way]
    made = [apart(row, number) for number, row in enumerate([*asked.rows] * 3)]
    rows = factory.write_jsonl(tmp_path / "rows" / "train.jsonl", made)
    settings = build(
        {
            "task": asked.task,
            "model": {"path": str(tiny_models(family)), "head": asked.head},
            "data": {"path": str(rows), "template": asked.template, "max_tokens": 64, "validation": 0.4},
            "method": {"name": "lora", "lora_dropout": 0.2},
            "training": {"max_steps": 4, "eval_steps": 2, "save_steps": 3, "save_total_limit": 9, "logging_steps": 1}
            | {"per_device_train_batch_size": 4, "neftune_noise_alpha": 5.0, "metric_for_best_model": metric},
            "evaluation": {"max_new_tokens": 4},
        }
    )
    whole = store.create(settings)
    result = train(whole)
    assert result["metric"] == metric and result["metric_value"] is not None and whole.has_model
    assert all(metric in event for event in whole.curve()["eval"])
    torn = torn_at(3, whole)
    torch.manual_seed(999)
    train(torn, resume=True)
    assert course(torn) == course(whole) and weights(torn.dir / "model") == weights(whole.dir / "model")


@pytest.mark.slow
def test_a_process_that_is_killed_between_checkpoints(config):
    """Killed with -9 beyond a checkpoint, in the middle of a step: what was done since is done again, and the same."""
    few = {"max_steps": 40, "eval_steps": 8, "save_steps": 4, "batching": "packed", "neftune_noise_alpha": 5.0}
    settings = config("full", **few)
    whole, torn = store.create(settings), store.create(settings)
    train(whole)
    command = [sys.executable, "-m", "core", "train", "--resume", str(torn.dir)]
    quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, **quiet) as process:
        deadline = time.monotonic() + 200
        while len(torn.curve()["log"]) < 6 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL and torn.state().state == "failed"
    reached = checkpoints.steps(torn.dir / "checkpoints")[-1]
    train(torn, resume=True)
    assert [e["step"] for e in torn.events()[0] if e["kind"] == "resumed"][-1] == reached
    assert course(torn) == course(whole) and weights(torn.dir / "model") == weights(whole.dir / "model")
