"""A state is never believed blindly."""

import json
import os
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
