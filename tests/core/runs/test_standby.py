"""A spare process becomes the job, with the job's own environment and log; without one a job starts as ever."""

import json
import os
import time

import psutil
import pytest

from core.runs import standby
from core.runs.standby import Standby

SHOW = ("runs", "--json")


@pytest.fixture
def spare(monkeypatch):
    """A Standby in the place of the page's, switched on and empty at first."""
    monkeypatch.delenv("TUNESMITH_STANDBY", raising=False)
    made = Standby(settle_s=0)
    monkeypatch.setattr(standby, "STANDBY", made)
    yield made
    made.close()


def until(what, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def waiting(spare: Standby) -> psutil.Process:
    spare.prepare()
    until(lambda: spare.ready)
    return psutil.Process(spare.pid)


def test_without_a_spare_a_process_is_started(spare, tmp_path, runs_dir):
    process = standby.start(SHOW, standby.environment(), tmp_path / "log")
    assert process.wait(60) == 0 and "runs" in json.loads((tmp_path / "log").read_text())
    process = standby.start(("runs", "show", "none such"), standby.environment(), tmp_path / "log", piped=True)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and not out and "none such" in (tmp_path / "log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("piped", [False, True])
def test_a_spare_becomes_the_job(spare, tmp_path, runs_dir, piped):
    child = waiting(spare)
    (tmp_path / "log").write_text("before\n")
    there = tmp_path / "there"
    there.mkdir()
    env = standby.environment({"TUNESMITH_RUNS": str(there), "HF_TOKEN": "hf_" + "x" * 34})
    process = standby.start(SHOW, env, tmp_path / "log", piped=piped)
    assert process.pid == child.pid and not spare.ready, "the one that waited was taken, and only once"
    assert "hf_xxx" not in json.dumps([child.cmdline(), child.environ()])
    out = process.communicate(timeout=100)[0] if piped else b""
    assert process.wait(100) == 0
    log = (tmp_path / "log").read_text()
    assert log.startswith("before\n")
    assert json.loads(out or log.splitlines()[-1]) == {"runs": [], "dir": str(there)}


@pytest.mark.slow
def test_a_wrong_command_ends_as_ever(spare, tmp_path, runs_dir):
    waiting(spare)
    process = standby.start(("runs", "show", "none such"), standby.environment(), tmp_path / "log")
    assert process.wait(100) == 2 and "none such" in (tmp_path / "log").read_text()


def test_nobody_there_any_more(spare):
    child = waiting(spare)
    spare._spare.stdin.close()  # as when the page's process is killed
    until(lambda: spare._spare.poll() is not None)
    assert not child.is_running()
    assert not spare.ready
    spare.prepare()
    until(lambda: spare.ready)


def test_one_that_has_died_is_not_taken(spare, tmp_path, runs_dir):
    child = waiting(spare)
    child.kill()
    until(lambda: spare._spare.poll() is not None)
    process = standby.start(SHOW, standby.environment(), tmp_path / "log")
    assert process.pid != child.pid and process.wait(60) == 0


def test_it_waits_for_so_long_and_is_renewed_only_where_one_was_wanted(spare):
    spare.renew()
    assert spare._timer is None and not spare.ready
    spare.idle_minutes = 0.2 / 60
    child = waiting(spare)
    until(lambda: not child.is_running())
    assert not spare.ready
    spare.renew()
    assert spare._timer is None


def test_a_job_that_was_just_started_comes_first(spare, tmp_path, runs_dir):
    spare.prepare()
    until(lambda: spare.ready)
    process = standby.start(SHOW, standby.environment(), tmp_path / "log")
    spare.prepare()  # somebody is at work in the page
    assert spare._timer.interval > standby.BUSY_S - 10 and not spare.ready
    process.kill()
    process.wait()
    spare.ended()
    until(lambda: spare.ready)


def test_it_can_be_switched_off_and_wants_memory(spare, monkeypatch):
    monkeypatch.setenv("TUNESMITH_STANDBY", "0")
    spare.prepare()
    assert spare._timer is None and not spare.ready
    monkeypatch.delenv("TUNESMITH_STANDBY")
    monkeypatch.setattr(standby, "LEAST_FREE", 2**62)
    spare._make()
    assert not spare.ready and os.environ.get("TUNESMITH_STANDBY") is None


def test_a_spare_with_another_home_of_the_hub_is_left_to_others(spare, tmp_path, runs_dir):
    """The Hub's library reads its home and its token's place when it is imported, and not when it gets the command."""
    child = waiting(spare)
    for name in ("HF_HOME", "HF_HUB_CACHE", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        assert spare.take(SHOW, standby.environment({name: "1"}), tmp_path / "log", False) is None
        assert spare.ready and spare.pid == child.pid
    process = standby.start(SHOW, standby.environment(), tmp_path / "log", spare=False)
    assert process.pid != child.pid and spare.ready, "one that has to wait leaves it to one whose turn it is"
    assert process.wait(60) == 0
