"""Who may start and change what, how much, and once; the jobs themselves are processes that only sleep."""

import json
import os
import subprocess
import sys
import threading

import pytest

from core import limits
from core.config import RunConfig, build
from core.errors import InputError
from core.models.hub_access import FOR
from core.runs import jobs, rights, standby, store, turn
from core.runs.files import write_json
from core.runs.state import StateFile
from core.visitors import LOCAL, NOBODY, Visitor

A, B, OWNER = Visitor("a" * 32, False), Visitor("b" * 32, False), Visitor("c" * 32, True)
CONFIG = RunConfig()
ACTIONS = {
    "stop": lambda run, who: jobs.stop(run, who),
    "resume": lambda run, who: jobs.resume(run, visitor=who),
    "delete": lambda run, who: jobs.delete(run, who),
    "rename": lambda run, who: jobs.rename(run, "another", who),
    "merge": lambda run, who: jobs.merge(run, who),
    "evaluate": lambda run, who: jobs.start_evaluation(run, visitor=who),
    "export": lambda run, who: jobs.start_export(run, "cpu", "fp32", visitor=who),
    "push": lambda run, who: jobs.start_push(run, "package", "own/name", token="hf_typed", visitor=who),
    "stop the evaluation": lambda run, who: jobs.stop_evaluation(run, who),
    "stop the export": lambda run, who: jobs.stop_export(run, "cpu", "fp32", who),
    "stop the push": lambda run, who: jobs.stop_push(run, who),
}


@pytest.fixture
def launched(runs_dir, monkeypatch):
    """What was launched, as (command, env, spare): in the place of each job a process that sleeps."""
    found, processes = [], []

    def start(command, env, log, *, spare=True):
        found.append((command, env, spare))
        processes.append(subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(300)"]))
        return processes[-1]

    monkeypatch.setattr(standby, "start", start)
    yield found
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def public(monkeypatch, tmp_path):
    """A page that is open to everybody."""
    monkeypatch.setenv("TUNESMITH_PUBLIC", "1")
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(FOR, raising=False)


def other(number):
    """A config that is not like another."""
    return build({"training": {"seed": number}})


def tuned(visitor):
    """A run of a visitor that is done, with something that counts as weights."""
    run = store.create(CONFIG)
    rights.sign(run, visitor)
    (run.dir / "model").mkdir()
    write_json(run.dir / "model" / "adapter_config.json", {"peft_type": "LORA"})
    write_json(run.dir / "state.json", {"state": "stopped"})
    return run


@pytest.mark.parametrize("action", ACTIONS)
def test_only_who_started_it_and_the_owner(public, launched, action):
    run = tuned(A)
    before = {path: path.read_bytes() for path in run.dir.rglob("*") if path.is_file()}
    for stranger in (B, NOBODY, None):
        assert not rights.may(run, stranger)
        with pytest.raises(InputError, match="somebody else started it|allow cookies"):
            ACTIONS[action](run, stranger)
    assert {path: path.read_bytes() for path in run.dir.rglob("*") if path.is_file()} == before and not launched
    if action != "merge":  # which is a real process, and has a test of its own
        ACTIONS[action](run, A)
        assert run.dir.exists() == (action != "delete")


def test_every_action_on_a_run_asks(public):
    """Whatever is added to core.runs.jobs and takes a run takes a visitor, too, and is in the table above."""
    import inspect

    found = {n: inspect.signature(f).parameters for n, f in vars(jobs).items() if inspect.isfunction(f) and f.__module__ == jobs.__name__}
    takes = {n for n, parameters in found.items() if "run" in parameters and not n.startswith("_")} - {"push_state"}
    assert all("visitor" in found[n] for n in takes) and len(takes) == len(ACTIONS), takes


def test_the_owner_may_all_and_older_runs_are_theirs(public, launched):
    assert rights.may(tuned(A), OWNER) and rights.may(tuned(A), LOCAL)
    older = store.create(CONFIG)
    assert rights.may(older, OWNER) and not rights.may(older, A) and not rights.may(older, NOBODY)
    for damaged in ("", "[]", "{", '{"visitor": ""}', '{"visitor": null}', '{"visitor": 7}', '{"visitor": ["' + A.id + '"]}'):
        (older.dir / rights.FILE).write_text(damaged)
        assert not rights.may(older, A) and not rights.may(older, NOBODY) and rights.may(older, OWNER)


def test_on_ones_own_machine_everybody_is_the_owner(launched, monkeypatch):
    monkeypatch.setenv("TUNESMITH_PUBLIC", "0")
    run = jobs.start_training(CONFIG)
    assert not (run.dir / rights.FILE).exists() and rights.may(run, None)
    jobs.stop(run)


def test_a_run_names_its_starter_and_its_job_has_their_rights(public, launched, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "machines")
    run = jobs.start_training(CONFIG, visitor=A)
    assert json.loads((run.dir / rights.FILE).read_text()) == {"visitor": A.id}
    assert launched[0][1][FOR] == "visitor" and "HF_TOKEN" not in launched[0][1]
    jobs.start_training(other(1), token="hf_typed", visitor=A)
    assert launched[1][1]["HF_TOKEN"] == "hf_typed"
    jobs.start_training(CONFIG, visitor=OWNER)
    assert launched[2][1][FOR] == "owner" and launched[2][1]["HF_TOKEN"] == "machines"
    jobs.start_push(tuned(OWNER), "package", "own/name", visitor=OWNER)  # with the machine's token
    with pytest.raises(InputError, match="a token of your own"):
        jobs.start_push(tuned(A), "package", "own/name", visitor=A)


# Turns


def test_only_the_first_is_given_the_spare_process_and_a_ticket_says_whose(public, launched):
    first, second = jobs.start_training(CONFIG, visitor=A), jobs.start_training(CONFIG, visitor=B)
    assert [spare for _, _, spare in launched] == [True, False]
    assert second.state().state == "queued" and second.state().what == "Waiting for its turn: 1 ahead"
    assert first.state().what == ""
    there = turn.line()
    assert [ticket.starter for ticket in there] == [A.id, B.id]
    assert [env[turn.TICKET] for _, env, _ in launched] == [str(ticket.number) for ticket in there]
    assert [ticket.state for ticket in there] == [str(run.dir / "state.json") for run in (first, second)]
    assert [ticket.pid for ticket in there] == [run.state().pid for run in (first, second)]


def test_a_push_waits_for_nobody(public, launched):
    jobs.start_training(CONFIG, visitor=A)
    jobs.start_push(tuned(A), "package", "own/name", token="hf_typed", visitor=A)
    assert launched[1][2] and turn.TICKET not in launched[1][1] and len(turn.line()) == 1


def test_a_job_that_cannot_be_started_leaves_neither_run_nor_ticket(public, runs_dir, monkeypatch):
    def full(*args, **kw):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(standby, "start", full)
    with pytest.raises(InputError, match="The training cannot be started: The disk is full"):
        jobs.start_training(CONFIG, visitor=A)
    assert not store.list_runs() and not turn.line()
    assert [path.name for path in runs_dir.iterdir()] == [turn.FOLDER]


# Once


def test_the_same_twice_at_once_is_one_run(public, launched):
    runs, gate = [], threading.Barrier(4)

    def click(visitor):
        gate.wait()
        runs.append((visitor, jobs.start_training(CONFIG, visitor=visitor)))

    threads = [threading.Thread(target=click, args=(who,)) for who in (A, A, A, B)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.id for who, run in runs if who == A}) == 1 and len({run.id for _, run in runs}) == 2
    assert len(launched) == len(store.list_runs()) == 2
    assert jobs.start_training(other(1), visitor=A).id not in {run.id for _, run in runs}, "other settings, another run"


def test_a_later_start_and_one_after_the_end_are_runs_of_their_own(launched, monkeypatch):
    first = jobs.start_training(CONFIG)
    assert jobs.start_training(CONFIG) == first and jobs.start_training(CONFIG, "named") != first
    monkeypatch.setattr(jobs, "TWICE_S", 0.0)
    second = jobs.start_training(CONFIG)
    assert second != first
    monkeypatch.setattr(jobs, "TWICE_S", 1e6)
    assert jobs.start_training(CONFIG) == second
    write_json(second.dir / "state.json", {"state": "failed"})
    third = jobs.start_training(CONFIG)
    assert third not in (first, second)
    store.delete(second)


# How much


def refused(visitor, words, config=CONFIG):
    count = len(store.list_runs())
    with pytest.raises(InputError, match=words):
        jobs.start_training(config, visitor=visitor)
    assert len(store.list_runs()) == count, "what is refused leaves nothing behind"


def test_how_many_under_way_or_waiting(public, launched, monkeypatch):
    run = jobs.start_training(other(1), visitor=A)
    jobs.start_training(other(2), visitor=A)
    refused(A, "You have 2 trainings, evaluations or exports under way or waiting", other(3))
    with pytest.raises(InputError, match="You have 2"):
        jobs.start_evaluation(tuned(A), visitor=A)
    monkeypatch.setenv("TUNESMITH_MAX_WAITING", "3")
    jobs.start_training(other(3), visitor=B)
    refused(B, "takes no more than 3", other(4))
    jobs.start_training(other(4), visitor=OWNER)
    jobs.stop(run, A)
    monkeypatch.setenv("TUNESMITH_MAX_WAITING", "0")  # no limit
    monkeypatch.setenv("TUNESMITH_MAX_JOBS", "3")
    for number in (5, 6):
        jobs.start_training(other(number), visitor=A)
    refused(A, "You have 3", other(7))


def test_how_many_runs_and_how_much_disk(public, launched, monkeypatch):
    mine = tuned(A)
    monkeypatch.setenv("TUNESMITH_MAX_RUNS", "1")
    refused(A, "You keep 1 runs, and this page, which is open to everybody, keeps 1")
    jobs.start_training(CONFIG, visitor=B)
    monkeypatch.setenv("TUNESMITH_MAX_RUNS", "")
    (mine.dir / "model" / "adapter_model.safetensors").write_bytes(b"x" * 2_000_000)
    monkeypatch.setenv("TUNESMITH_MAX_OWN_GB", "0.001")
    refused(A, "Your runs take 0.0 GB")
    monkeypatch.setenv("TUNESMITH_MAX_OWN_GB", "1")
    monkeypatch.setattr(limits, "KEPT_S", 1e-9)
    monkeypatch.setenv("TUNESMITH_MAX_DISK_GB", "0.001")
    refused(A, "The runs and uploads of this page take 0.0 GB")
    for start in (jobs.start_evaluation, lambda run, visitor: jobs.start_export(run, "cpu", "fp32", visitor=visitor)):
        with pytest.raises(InputError, match="runs and uploads"):
            start(mine, visitor=A)
    jobs.start_training(CONFIG, visitor=OWNER)


def test_nobody_starts_anything(public, launched):
    refused(NOBODY, "allow cookies for this page")
    refused(None, "allow cookies for this page")
    assert not launched and not os.listdir(store.runs_dir())


def test_a_combination_is_whose_who_asked_for_it(public, launched, monkeypatch):
    parts, asked = [tuned(B).id, tuned(OWNER).id], []

    def answer(*words, visitor, env):
        asked.append((words, visitor, env, [ticket.starter for ticket in turn.line()]))
        return {"run": store.create(CONFIG).id, "title": "both"}

    monkeypatch.setattr(jobs, "answer_of", answer)
    made = store.open_run(jobs.combine(parts, "cat", "0.5,-0.5", "--x", A)["run"])
    assert rights.may(made, A) and not rights.may(made, B)
    words, visitor, env, starters = asked[0]
    assert "--weights=0.5,-0.5" in words and "--name=--x" in words and visitor == A and starters == [A.id]
    assert env[turn.TICKET] == "1" and not turn.line()
    with pytest.raises(InputError, match="no run"):
        jobs.combine([parts[0], "../../etc"], "cat", visitor=A)


def test_the_state_of_one_that_waits_is_not_given_up(launched):
    """A waiting job lives as long as its process, however old its last sign of life is."""
    run = jobs.start_training(CONFIG)
    write_json(run.dir / "state.json", {"state": "queued", "what": "Waiting for its turn: 1 ahead", "heartbeat": 5.0})
    state = run.state()
    assert (state.state, state.what, state.hung) == ("queued", "Waiting for its turn: 1 ahead", False)
    assert StateFile(run.dir / "state.json").job.is_file()
