"""The command `runs`, in this process."""

import argparse
import json

import pytest

from core.cli import runs
from core.config import RunConfig
from core.errors import InputError
from core.runs import store
from core.runs.eventlog import EventLog
from core.runs.state import StateFile


def call(*words):
    parser = argparse.ArgumentParser()
    runs.add_arguments(parser)
    result = runs.run(parser.parse_args(list(words)))
    json.dumps(result)
    return result, runs.show(result)


def test_nothing_yet(runs_dir):
    result, text = call()
    assert result["runs"] == [] and text.startswith("No runs in")


def test_list_show_and_delete(runs_dir):
    run = store.create(RunConfig(), "my run")
    with StateFile(run.dir / "state.json").working():
        log = EventLog(run.dir / "events.jsonl")
        log.add("log", 5, loss=2.5, max_steps=10)
        log.add("eval", 5, validation_loss=2.25)
        result, text = call("list")
        assert result["runs"][0]["run"] == run.id and run.id in text and "running" in text and "5/10" in text
        with pytest.raises(InputError, match="Stop it first"):
            call("delete", run.id)
    result, text = call("show", run.id)
    assert (result["state"], result["step"], result["loss"], result["validation_loss"]) == ("done", 5, 2.5, 2.25)
    with pytest.raises(InputError, match="nothing to resume"):
        call("resume", run.id)
    with pytest.raises(InputError, match="not under way"):
        call("stop", run.id)
    assert call("delete", str(run.dir))[0] == {"run": run.id, "state": "deleted"}
    assert store.list_runs() == []


def test_ids_that_are_none(runs_dir):
    run = store.create(RunConfig())
    with pytest.raises(InputError, match=f"Did you mean '{run.id}'"):
        call("show", run.id[:-1])
    with pytest.raises(InputError, match="needs the id"):
        call("stop")
    with pytest.raises(InputError, match="There is no run"):
        call("delete", "../..")
