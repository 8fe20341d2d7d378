"""Which commit a run takes; and a gated model from the Hub, with a token that is written nowhere."""

import json
import time

import psutil
import pytest

from core import config as configs
from core.models import pinned
from core.models.pinned import pin
from core.runs import jobs, store
from tests import factory
from tests.core.models.fake_hub import GOOD, FakeHub, commit_of, serve


def config(path, rows, **model):
    return configs.build({
        "model": {"path": path, **model},
        "data": {"path": str(rows), "template": "{phrase}\n{tone}", "max_tokens": 64},
        "training": {"max_steps": 2, "eval_steps": 2, "save_steps": 2, "sample_rows": 1},
        "evaluation": {"max_new_tokens": 2},
    })  # fmt: skip


def test_the_commit_is_asked_for_once_and_kept(runs_dir, rows_file, monkeypatch):
    asked = []

    def answer(kind, name, field, revision):
        asked.append((kind, name, field, revision))
        return "c" * 40

    monkeypatch.setattr(pinned, "commit_of", answer)
    run = store.create(config("own/model", rows_file, revision="v2"))
    assert run.pinned() == run.config()
    for _ in range(2):
        assert pin(run).model.revision == "c" * 40
    assert asked == [("model", "own/model", "model.path", "v2")] and run.config().model.revision == "v2"
    assert run.environment()["model"] == {"path": "own/model", "revision": "v2", "commit": "c" * 40}
    assert run.environment()["seed"] == 42


def test_a_folder_has_no_commit(runs_dir, rows_file, tiny_llama):
    run = store.create(config(str(tiny_llama), rows_file))
    assert pin(run) == run.config() and "model" not in run.environment()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_gated_model_is_trained_with_a_token_that_is_written_nowhere(
    runs_dir, rows_file, tmp_path, monkeypatch, command
):
    first, second = (
        {p.name: p.read_bytes() for p in factory.tiny_model("llama", tmp_path / str(seed), seed=seed).iterdir()}
        for seed in (0, 1)
    )
    here = {"files": {"main": second, "first": first}, "commits": {"main": commit_of("first")}, "gated": True}
    hub = FakeHub({}, {"own/gated": here})
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serve(hub) as address:
        env = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "*"}
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        refused = jobs.start_training(config("own/gated", rows_file))
        over(refused)
        state = refused.state()
        assert (state.state, state.reason, state.field) == ("failed", "input", "model.path")
        assert "accept its terms on its page on the Hub" in state.error and "HF_TOKEN" in state.error

        run = jobs.start_training(config("own/gated", rows_file), token=f" {GOOD} ")
        seen = over(run)
        assert run.state().state == "done", run.log()
        assert seen and not any(GOOD in word for word in seen)
        assert run.environment()["model"]["commit"] == commit_of("first")
        assert json.loads((run.dir / "model" / "base.json").read_text())["revision"] == commit_of("first")

        here["commits"] = {}  # main is another commit now, with other weights: the run's own is still taken
        made = command("evaluate", run.dir, "--split", "validation", "--json", HF_TOKEN=GOOD)
        assert made.status == 0, made.err
    kept = [p for p in (*runs_dir.rglob("*"), *(tmp_path / "home").rglob("*")) if p.is_file()]
    assert kept and not [p for p in kept if GOOD.encode() in p.read_bytes()]


def over(run):
    """Wait for the end; the words of the command lines of all processes that belonged to it."""
    words, end = set(), time.time() + 200
    while run.state().under_way and time.time() < end:
        pid = run.state().pid
        if pid and psutil.pid_exists(pid):
            words |= set(" ".join(psutil.Process(pid).cmdline()).split())
        time.sleep(0.1)
    return words
