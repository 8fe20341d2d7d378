"""Runs are made, found, followed and deleted."""

import json
import os
import time

import pytest

from core.config import RunConfig, build
from core.errors import InputError
from core.runs import store
from core.runs.eventlog import EventLog
from core.runs.state import StateFile


def test_a_run_is_made_and_found(runs_dir):
    run = store.create(RunConfig())
    again = store.create(RunConfig(), "Für  die Kundin: Ä/..\\x")
    assert run.id.endswith("-fields-lora") and again.id.endswith("f-r-die-kundin-x")
    assert run.config() == RunConfig() and run.title == "fields · LoRA r 16" and again.title.startswith("Für")
    assert run.state().state == "queued" and abs(run.created - time.time()) < 60
    assert run.environment()["seed"] == 42 and run.environment()["packages"]["numpy"]
    assert store.open_run(run.id) == run
    assert {r.id for r in store.list_runs()} == {run.id, again.id}


def test_runs_of_one_second_get_numbers(runs_dir):
    ids = [store.create(RunConfig()).id for _ in range(3)]
    assert len(set(ids)) == 3


def test_newest_first(runs_dir):
    for name in ("20250101-000000-a", "20260101-000000-b", "20240101-000000-c"):
        (runs_dir / name).mkdir()
        (runs_dir / name / "config.yaml").touch()
    assert [run.id[-1] for run in store.list_runs()] == ["b", "a", "c"]


@pytest.mark.parametrize("bad", ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "-x", "x" * 300, "nul\0", "no-such"])
def test_only_plain_ids_open(runs_dir, bad):
    (runs_dir.parent / "x").mkdir(exist_ok=True)
    with pytest.raises(InputError, match="There is no run"):
        store.open_run(bad)


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_a_link_out_of_the_folder_does_not_open(runs_dir, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.yaml").touch()
    (runs_dir / "link").symlink_to(outside)
    with pytest.raises(InputError):
        store.open_run("link")
    assert store.list_runs() == []


def test_broken_runs_do_no_harm(runs_dir):
    good = store.create(RunConfig())
    for name, files in {
        "empty": {},
        "half": {"state.json": "{"},
        "bad": {"config.yaml": "task: [", "state.json": ""},
    }.items():
        (runs_dir / name).mkdir()
        for file, text in files.items():
            (runs_dir / name / file).write_text(text)
    (runs_dir / "file").touch()
    found = store.list_runs()
    assert {r.id for r in found} == {good.id, "half", "bad"}
    for run in found:
        assert run.title and run.state().state and run.curve()["log"] == [] and run.log() == []


def test_events_cost_only_what_is_new_and_leave_half_a_line(runs_dir):
    run = store.create(RunConfig())
    assert run.events() == ([], 0)
    log = EventLog(run.dir / "events.jsonl")
    log.add("log", 1, loss=float("nan"), text="ä\n")
    events, at = run.events()
    assert events[0]["loss"] is None and events[0]["text"] == "ä\n"
    with open(run.dir / "events.jsonl", "a") as file:
        file.write('{"kind":"log","st')
    assert run.events(at) == ([], at)
    log.close()
    EventLog(run.dir / "events.jsonl").add("log", 2, loss=1.0)  # after a kill: the torn line is passed over
    events, end = run.events(at)
    assert [e["step"] for e in events] == [2] and end == (run.dir / "events.jsonl").stat().st_size
    assert run.curve()["next_byte"] == end
    for line in (run.dir / "events.jsonl").read_text().splitlines():
        assert "NaN" not in line


def test_paths_mean_the_same_from_everywhere(runs_dir, rows_file, monkeypatch):
    monkeypatch.chdir(rows_file.parent)
    run = store.create(build({"data": {"path": "rows.jsonl[0:5]", "template": "{phrase} {tone}"}}))
    assert run.config().data.path == f"{rows_file}[0:5]"
    assert run.config().model.path == "assets/demo-model"


def test_a_named_directory_must_be_empty(tmp_path):
    run = store.create(RunConfig(), directory=tmp_path / "with space" / "r")
    assert run.dir == tmp_path / "with space" / "r"
    with pytest.raises(InputError, match="not empty"):
        store.create(RunConfig(), directory=run.dir)


def test_delete_refuses_what_is_under_way(runs_dir):
    run = store.create(RunConfig())
    with StateFile(run.dir / "state.json").working(), pytest.raises(InputError, match="Stop it first"):
        store.delete(run)
    with (
        StateFile(run.export_dir("cpu", "int4") / "state.json").working(),
        pytest.raises(InputError, match="export for cpu in int4"),
    ):
        store.delete(run)
    assert run.exports()[0][:2] == ("cpu", "int4")
    store.delete(run)
    assert store.list_runs() == [] and not list(runs_dir.iterdir())


def test_a_failed_run_says_from_where_it_can_be_resumed(runs_dir):
    from core.runs.checkpoints import write_manifest

    run = store.create(RunConfig())
    folder = run.dir / "checkpoints" / "step-50"
    folder.mkdir(parents=True)
    (folder / "x").write_text("y")
    write_manifest(folder)
    (run.dir / "state.json").write_text(json.dumps({"state": "running", "pid": 2**22 + 5, "created": time.time()}))
    assert run.state().error.endswith("It can be resumed from step 50.")


@pytest.mark.parametrize("failing", ["write_text", "write_json", "StateFile"])
@pytest.mark.parametrize("error", [OSError(30, "Read-only file system"), OSError(28, "No space left"), ValueError("x")])
def test_a_run_that_cannot_be_made_leaves_no_folder(runs_dir, tmp_path, monkeypatch, failing, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(store, failing, fail)
    (tmp_path / "given").mkdir()
    for directory in (None, tmp_path / "given", tmp_path / "a" / "b" / "c"):
        with pytest.raises(InputError if isinstance(error, OSError) else ValueError):
            store.create(RunConfig(), directory=directory)
        assert not list(runs_dir.iterdir()) and not list((tmp_path / "given").iterdir())
        assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("field", ["model", "data"])
@pytest.mark.parametrize("path", ["~nosuchuser/x", "x" * 5000, "a\0b"])
def test_a_path_that_can_be_none_makes_no_run(runs_dir, field, path):
    with pytest.raises(InputError, match="is no path") as caught:
        store.create(build({field: {"path": path}}))
    assert caught.value.field == f"{field}.path" and not list(runs_dir.iterdir())


def test_half_a_character_in_a_name_makes_no_run(runs_dir):
    with pytest.raises(InputError, match="half of a character"):
        store.create(RunConfig(), "\ud800")
    assert not list(runs_dir.iterdir())


def test_a_folder_of_runs_that_cannot_be_listed_is_a_sentence(runs_dir, monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store.os, "scandir", denied)
    with pytest.raises(InputError, match="The folder of runs cannot be read: permission denied"):
        store.list_runs()


def test_a_long_log_comes_in_pieces_and_a_broken_line_costs_itself_alone(runs_dir):
    from core.runs import eventlog

    run = store.create(RunConfig())
    path = run.dir / "events.jsonl"
    lines = [json.dumps({"kind": "log", "step": step, "loss": 1.0}) for step in range(1, 20_001)]
    lines[7_000:7_000] = ['{"kind": "log", "step"', '{"kind":"log","step":"y"}', "", "[1]", '{"kind":"log"},{"kind":"log"}']
    path.write_text("\n".join(lines) + "\n")
    pieces = list(eventlog.read(path))
    assert len(pieces) > 2 and pieces[-1][1] == path.stat().st_size
    assert [event["step"] for events, _ in pieces for event in events] == list(range(1, 20_001))
    middle = pieces[0][1]
    assert [e["step"] for events, _ in eventlog.read(path, middle) for e in events][0] == len(pieces[0][0]) + 1
    assert list(eventlog.read(path, 10**9))[0][0][0]["step"] == 1  # written anew: from its beginning
    assert list(eventlog.read(run.dir / "none")) == []
