"""Whose turn it is: real processes that wait by themselves, past ones that were killed, without anybody who hands out."""

import json
import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from core.errors import InputError
from core.paths import ROOT
from core.runs import turn
from core.runs.state import StateFile, ask_to_stop, read
from core.runs.turn import TICKET, Ticket, draw, line

SLEEP = "import time; time.sleep(300)"


class Waiting:
    """`python -m core runs list` with a ticket and a state.json, as core.runs.jobs starts it."""

    def __init__(self, folder, starter="", **env):
        self.file = StateFile(folder / "state.json")
        self.file.queue()
        self.ticket = draw(starter, self.file.path)
        command = [sys.executable, "-m", "core", "runs", "list", "--json"]
        env = os.environ | {TICKET: str(self.ticket.number)} | env
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        created = psutil.Process(self.process.pid).create_time()
        self.file.job.write_text(json.dumps({"name": "training", "pid": self.process.pid, "created": created}))
        turn.hand_over(self.ticket, self.process.pid, created)

    @property
    def says(self):
        return self.file.path.is_file() and json.loads(self.file.path.read_text())["what"]

    def ends(self):
        out, _ = self.process.communicate(timeout=100)
        return self.process.returncode, out


@pytest.fixture
def started():
    """Processes that are ended when the test is over, by their ids."""
    found = []
    yield found
    for process in found:
        process.kill()
        process.wait()


def until(what, seconds=100):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def holder(started):
    """A process that has its turn and keeps it."""
    ticket = draw()
    process = subprocess.Popen([sys.executable, "-S", "-c", SLEEP])
    started.append(process)
    turn.hand_over(ticket, process.pid, psutil.Process(process.pid).create_time())
    return process


def test_first_come_first_served_and_past_the_killed(runs_dir, tmp_path, started):
    first = holder(started)
    second, third, fourth = (Waiting(tmp_path / name) for name in ("second", "third", "fourth"))
    started += [second.process, third.process, fourth.process]
    until(lambda: fourth.says == "Waiting for its turn: 3 ahead" and second.says == "Waiting for its turn: 1 ahead")
    state = read(second.file.path)
    assert state.state == "queued" and state.pid == second.process.pid and not state.hung
    third.process.kill()  # one that waits, and nobody is there who would tell the others
    until(lambda: fourth.says == "Waiting for its turn: 2 ahead")
    assert second.process.poll() is None and fourth.process.poll() is None
    first.kill()  # the one whose turn it is
    first.wait()
    assert second.ends()[0] == 0 and fourth.ends()[0] == 0
    assert line() == [] and list((runs_dir / turn.FOLDER).glob("0*")) == []


def test_stopped_while_it_waits(runs_dir, tmp_path, started):
    holder(started)
    one, two = Waiting(tmp_path / "one"), Waiting(tmp_path / "two")
    started += [one.process, two.process]
    until(lambda: one.says and two.says == "Waiting for its turn: 2 ahead")
    ask_to_stop(one.file.path)
    code, out = one.ends()
    assert code and not out and read(one.file.path).state == "stopped"
    until(lambda: two.says == "Waiting for its turn: 1 ahead")
    two.file.stop_file.touch()  # asked by file alone, as before its process was known
    code, out = two.ends()
    assert code == 130 and not out and read(two.file.path).state == "stopped" and len(line()) == 1


def test_as_many_at_once_as_are_allowed(runs_dir, tmp_path, started, monkeypatch):
    holder(started)
    two = Waiting(tmp_path / "two", TUNESMITH_JOBS="2")
    assert two.ends()[0] == 0
    for said, count in (("3", 3), ("0", 1), ("", 1), ("many", 1), ("-2", 1), ("9" * 40, 1), ("²", 1)):
        monkeypatch.setenv(turn.JOBS, said)
        assert turn.at_once() == count


def test_a_command_without_a_ticket_waits_for_nobody(runs_dir, command, started):
    holder(started)
    assert command("runs", "list", "--json").status == 0 and len(line()) == 1
    assert command("runs", "list", "--json", **{TICKET: "../x"}).status == 0


def test_no_number_is_drawn_twice(runs_dir):
    drawn = []
    threads = [threading.Thread(target=lambda: drawn.extend(draw() for _ in range(5))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ticket.number for ticket in drawn) == list(range(1, 31)) and len(line()) == 30
    for ticket in drawn:
        ticket.give_back()
    assert draw().number == 31  # a late look at number 1 must not remove another's
    (runs_dir / turn.FOLDER / "last").write_text("[broken")
    assert draw().number == 32


def test_what_is_no_ticket_of_a_living_process_is_removed(runs_dir, started):
    mine = draw()
    folder, gone = runs_dir / turn.FOLDER, holder(started)
    gone.kill()
    gone.wait()
    me = psutil.Process()
    for number, text in enumerate(("", "[]", "{", '{"pid": "x"}', '{"pid": -1}', '{"pid": true}', '{"pid": 1e99}', "\0"), 50):
        (folder / f"{number:09d}.json").write_text(text)
    Ticket(folder / "000000070.json", me.pid, me.create_time() - 9_000, "", "").write()  # the number was another's before
    assert line() == [mine] and [p.name for p in folder.glob("0*")] == [mine.path.name]


def test_nothing_is_drawn_where_it_is_not_allowed(runs_dir):
    mine = draw("a" * 32)

    def allowed(there):
        assert [ticket.starter for ticket in there] == ["a" * 32]
        raise InputError("Enough.")

    with pytest.raises(InputError, match="Enough"):
        draw(allowed=allowed)
    assert line() == [mine]
