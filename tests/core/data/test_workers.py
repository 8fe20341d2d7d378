"""Work on many pieces by several processes: order, errors, deaths, and an end that leaves nobody behind."""

import contextlib
import multiprocessing
import os
import subprocess
import sys

import psutil
import pytest

from core.data import workers
from core.data.workers import spread
from tests.conftest import ROOT


def double(piece):
    if piece == "fail":
        raise ValueError("no such piece")
    if isinstance(piece, tuple):  # (the number, who may live through it)
        if os.getpid() != piece[1]:
            os._exit(1)
        piece = piece[0]
    return piece * 2, os.getpid()


@pytest.fixture(autouse=True)
def nobody_is_left():
    yield
    assert not multiprocessing.active_children()


def test_results_come_in_order_from_other_processes():
    found = list(spread(double, range(40), 2))
    assert [value for value, _ in found] == [2 * n for n in range(40)]
    assert os.getpid() not in {pid for _, pid in found}


def test_one_process_does_it_alone():
    assert list(spread(double, iter([1, 2]), 1)) == [(2, os.getpid()), (4, os.getpid())]


def test_an_error_comes_when_its_piece_does():
    found = spread(double, [1, 2, "fail", 4, 5], 2)
    assert [next(found)[0], next(found)[0]] == [2, 4]
    with pytest.raises(ValueError, match="no such piece"):
        next(found)


def test_what_a_dead_worker_left_is_done_here():
    pieces = [1, (2, os.getpid()), 3, (4, os.getpid()), 5, 6]
    found = list(spread(double, pieces, 2))
    assert [value for value, _ in found] == [2, 4, 6, 8, 10, 12]
    assert [pid for _, pid in found][3:] == [os.getpid()] * 3  # both have died


def test_where_no_process_can_be_started_this_one_does_it(monkeypatch):
    context = multiprocessing.get_context("spawn")

    def refuse(self):
        raise OSError("no more processes")

    monkeypatch.setattr(context.Process, "start", refuse)
    assert list(spread(double, [1, 2, 3], 2)) == [(n * 2, os.getpid()) for n in (1, 2, 3)]


def called(piece):
    return piece() if callable(piece) else (piece, os.getpid())


def test_what_cannot_be_sent_is_done_here():
    pieces = [1, lambda: (2, os.getpid()), 3, lambda: (4, os.getpid())]
    found = list(spread(called, pieces, 2))
    assert [value for value, _ in found] == [1, 2, 3, 4]
    assert [pid == os.getpid() for _, pid in found] == [False, True, False, True]
    assert list(spread(lambda piece: (piece, os.getpid()), [1, 2], 2)) == [(1, os.getpid()), (2, os.getpid())]


def test_pieces_are_not_drawn_far_ahead():
    drawn = []
    with contextlib.closing(spread(double, (drawn.append(n) or n for n in range(1000)), 2)) as found:
        next(found)
        assert len(drawn) <= 2 * workers.AHEAD + 2


def test_workers_are_light_and_end_with_their_parent():
    code = (
        "import os, sys, time\n"
        "from core.data.workers import spread\n"
        "from tests.core.data.test_workers import modules\n"
        "found = spread(modules, iter(int, 1), 2)\n"
        "print(*next(found), flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pid, heavy = parent.stdout.readline().split(maxsplit=1)
        assert heavy.strip() == "set()"
        worker = psutil.Process(int(pid))
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    psutil.wait_procs([worker], timeout=20)
    assert not worker.is_running()


def modules(piece):
    import core.data.bulk  # noqa: F401

    return os.getpid(), {"torch", "datasets", "pandas"} & set(sys.modules)
