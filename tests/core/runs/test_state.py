"""A state is never believed blindly."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from core.errors import InputError
from core.runs import state
from core.runs.state import StateFile, Stopped, ask_to_stop, read


@pytest.fixture
def file(tmp_path):
    return StateFile(tmp_path / "state.json")


def dead_pid():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_queued_running_done(file):
    assert read(file.path) is None
    file.queue()
    assert read(file.path).state == "queued"
    with file.working("training") as job:
        job.progress(3, 10, "training")
        job.say("saving")  # how far the work before it was says nothing of this one
        now = read(file.path)
        assert (now.state, now.what, now.done, now.total, now.pid) == ("running", "saving", 0, 0, os.getpid())
        assert now.under_way and not now.hung
    assert read(file.path).state == "done"
    assert not (file.folder / ".reserve").exists()


def test_the_heart_beats(file, monkeypatch):
    monkeypatch.setattr(state, "BEAT_S", 0.02)
    beats = []
    with file.working(on_beat=lambda: beats.append(1)) as job:
        before = read(file.path).heartbeat
        job.progress(1, 2)
        deadline = time.time() + 5
        while (len(beats) < 2 or read(file.path).done != 1) and time.time() < deadline:
            time.sleep(0.01)
        assert read(file.path).heartbeat > before and read(file.path).done == 1


def test_an_error_is_written_in_words_with_its_field(file):
    with pytest.raises(InputError), file.working():
        raise InputError("There are no rows.", "data.path")
    now = read(file.path)
    assert (now.state, now.error, now.field, now.reason) == ("failed", "There are no rows.", "data.path", "input")


def test_a_second_process_is_refused_and_changes_nothing(file):
    with file.working("first"):
        with pytest.raises(InputError, match="at work"), StateFile(file.path).working("second"):
            pass
        assert read(file.path).what == "first"


def test_a_running_state_without_its_process_has_failed(file):
    file.path.write_text(json.dumps({"state": "running", "pid": dead_pid(), "created": time.time(), "heartbeat": 1.0}))
    now = read(file.path)
    assert now.state == "failed" and now.reason == "killed" and "killed (perhaps out of memory)" in now.error


def test_another_process_with_the_same_number_is_not_ours(file):
    values = {"state": "running", "pid": os.getpid(), "created": time.time() - 9999, "heartbeat": time.time()}
    file.path.write_text(json.dumps(values))
    assert read(file.path).state == "failed"


def test_a_process_that_was_to_stop_and_is_gone_has_stopped(file):
    file.path.write_text(json.dumps({"state": "running", "pid": dead_pid(), "created": time.time()}))
    file.stop_file.touch()
    assert read(file.path).state == "stopped"


def test_a_silent_process_is_called_hung(file):
    with file.working() as job:
        job._values["pid"] = os.getpid()
        values = json.loads(file.path.read_text()) | {"heartbeat": time.time() - 999}
        file.path.write_text(json.dumps(values))
        assert read(file.path).hung


def test_a_zombie_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.time() + 10
    while state.alive(child.pid, None) and time.time() < deadline:
        time.sleep(0.01)
    assert not state.alive(child.pid, None)
    child.wait()


def test_queued_and_never_started(file):
    file.path.write_text(json.dumps({"state": "queued", "heartbeat": time.time() - 99}))
    assert read(file.path).reason == "never_started"


def test_queued_and_dead_before_the_first_word(file):
    file.queue()
    file.log.write_text("Traceback (most recent call last):\nModuleNotFoundError: No module named 'torch'\n")
    file.job.write_text(json.dumps({"pid": dead_pid(), "created": None, "exit": 1, "log_from": 0, "name": "export"}))
    now = read(file.path)
    assert now.state == "failed" and "export process" in now.error and "No module named 'torch'" in now.error


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "dancing"}'])
def test_a_broken_state_is_shown_as_such(file, text):
    file.path.write_text(text)
    assert read(file.path).reason == "unreadable"


def test_stop_is_asked_by_file_and_seen(file):
    with file.working(graceful=True) as job:
        assert not job.stop_asked
        ask_to_stop(file.path)
        assert read(file.path).state == "stopping"
        assert job.stop_asked
        job.finish("stopped")
    assert read(file.path).state == "stopped"
    assert not file.stop_file.exists()


def test_an_old_request_to_stop_is_forgotten_a_new_one_before_the_start_is_not(file):
    file.stop_file.touch()
    with file.working(graceful=True) as job:
        assert not job.stop_asked
    file.queue()
    ask_to_stop(file.path)
    with file.working(graceful=True) as job:
        assert job.stop_asked


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to send to oneself")
def test_sigterm_stops(file):
    with pytest.raises(Stopped), file.working():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert read(file.path).state == "stopped"
    with file.working(graceful=True) as job:
        os.kill(os.getpid(), signal.SIGTERM)
        deadline = time.time() + 5
        while not job.stop_asked and time.time() < deadline:
            time.sleep(0.01)
        assert job.stop_asked
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_full_disk_still_gets_its_last_word(file, monkeypatch):
    real, full = state.write_json, {"on": False}

    def write(path, value, *, sync=False):
        if full["on"] and file.reserve.exists():
            raise OSError(28, "No space left on device")
        real(path, value, sync=sync)

    monkeypatch.setattr(state, "write_json", write)
    with pytest.raises(OSError), file.working():
        full["on"] = True
        raise OSError(28, "No space left on device")
    now = read(file.path)
    assert now.state == "failed" and now.reason == "disk_full" and "disk is full" in now.error


@pytest.mark.parametrize("ahead", [5, 86_400, 10**9])
def test_a_queued_run_from_a_time_that_is_yet_to_come_can_be_deleted(file, ahead):
    file.path.write_text(json.dumps({"state": "queued", "heartbeat": time.time() + ahead}))
    assert (read(file.path).state, read(file.path).reason) == ("failed", "never_started")
    file.stop_file.touch()
    assert read(file.path).state == "stopped"


def test_a_process_that_nobody_noted_is_not_signalled(file, monkeypatch):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        file.path.write_text(json.dumps({"state": "running", "pid": other.pid, "heartbeat": time.time()}))
        assert read(file.path).state == "failed"  # its number alone is no proof
        ask_to_stop(file.path)
        file.path.write_text(json.dumps({"state": "queued", "heartbeat": time.time()}))
        file.job.write_text(json.dumps({"pid": other.pid, "created": None}))
        ask_to_stop(file.path)
        ask_to_stop(file.path)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


WORK = """
import hashlib, sys, time
from core.runs import state
from core.runs.state import StateFile
state.LOST_S = 1.0
with StateFile(sys.argv[1]).working("training", graceful=True) as job:
    print("begun", flush=True)
    {}
"""


@pytest.mark.slow
@pytest.mark.parametrize("busy", ["time.sleep(120)", 'hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2**31 - 1)'])  # the second hears no signal
def test_work_whose_folder_is_gone_is_given_up_and_makes_none_anew(tmp_path, busy):
    folder = tmp_path / "run"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", WORK.format(busy), folder / "state.json"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "begun\n"
    shutil.rmtree(folder)
    out, err = process.communicate(timeout=100)
    assert process.returncode and f"The folder {folder} was removed while it was in use" in err
    assert not folder.exists()


def test_work_in_a_folder_that_is_gone_raises_that_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "BEAT_S", 0.01)
    file = StateFile(tmp_path / "run" / "state.json")
    file.queue()
    with pytest.raises(state.Removed, match="was removed while it was in use"), file.working() as job:
        file.folder.rename(tmp_path / "other")
        file.folder.mkdir()  # another of the same name is not the one in which the work began
        deadline = time.time() + 20
        while time.time() < deadline:
            job.check()
            time.sleep(0.01)
    assert not list(file.folder.iterdir())


def test_what_is_refused_leaves_nothing_where_nobody_had_queued_it(tmp_path):
    file = StateFile(tmp_path / "evaluation" / "state.json")
    with pytest.raises(InputError), file.working(forget=True):
        raise InputError("No.")
    assert not file.folder.exists()
    file.queue()
    with pytest.raises(InputError), file.working(forget=True):
        raise InputError("No.")
    assert read(file.path).error == "No."
