"""Processes of ours, `python -m core COMMAND`: at once where a spare one waits that has imported the libraries already.

A job spends its first ten seconds importing torch, transformers and PEFT. While somebody has the page open, one process
that has done that therefore waits (its own side: core.runs.waiting). Whoever starts a job or a worker takes it, and the
next one is made when the job has ended, or somebody is at work in the page again; but not in the first minute of a job,
whose own loading it would slow down.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import psutil

from core.models.hub_access import FIXED, environment_for
from core.paths import ROOT
from core.runs.environment import threads
from core.runs.files import open_log
from core.telemetry import OFF
from core.visitors import Visitor

IDLE_MINUTES = 15.0
SETTLE_S = 2.0  # the page that was just opened comes first
BUSY_S = 60.0  # the job that was just started comes first
LEAST_FREE = 3 * 2**30  # bytes of memory: with less a spare process, which holds 600 MB, would be in the way


def environment(more: dict[str, str] | None = None, visitor: Visitor | None = None, token: str = "") -> dict[str, str]:
    """What a process of ours has in its environment.

    Args:
        visitor: whom it works for, and with whose rights (core.models.hub_access); None on a public page: a stranger.
        token: for the Hub, that the visitor typed.
    """
    ours = {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": str(threads())}
    return {**environment_for(visitor, token, os.environ), **ours, **(more or {}), **OFF}


class Standby:
    """At most one process that waits for its command. Safe to call from threads."""

    def __init__(self, idle_minutes: float = IDLE_MINUTES, settle_s: float = SETTLE_S, busy_s: float = BUSY_S) -> None:
        self.idle_minutes, self.settle_s, self.busy_s = idle_minutes, settle_s, busy_s
        self._lock = threading.Lock()
        self._spare: subprocess.Popen[bytes] | None = None
        self._made_for: list[str | None] = []  # what the spare one has read of its environment for good
        self._timer: threading.Timer | None = None
        self._wanted = False
        self._busy_until = 0.0  # of time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether a process waits, or is still importing."""
        return self._spare is not None and self._spare.poll() is None

    @property
    def pid(self) -> int | None:
        """Of the process that waits; None where there is none."""
        return self._spare.pid if self._spare is not None else None

    def prepare(self) -> None:
        """Have a process wait, soon, for some idle minutes from now on. TUNESMITH_STANDBY=0 switches this off."""
        if os.environ.get("TUNESMITH_STANDBY") == "0":
            return
        with self._lock:
            self._wanted = True
            if self.ready:
                self._after(self.idle_minutes * 60, self.close)
            elif self._timer is None or self._spare is not None:
                self._spare = None  # one that has died
                self._after(max(self.settle_s, self._busy_until - time.monotonic()), self._make)

    def ended(self) -> None:
        """A job has ended: have a process wait again, at once, where one was wanted before."""
        with self._lock:
            self._busy_until = 0.0
            if not self.ready:
                self._after(None)  # what was put off for the job's sake
        self.renew()

    def renew(self) -> None:
        """Have a process wait again, where one was wanted before."""
        if self._wanted:
            self.prepare()

    def take(
        self, command: Sequence[str], env: dict[str, str], log: Path, piped: bool
    ) -> subprocess.Popen[bytes] | None:
        """The process that waits, now at work on a command; None where there is none. See `start`."""
        with self._lock:
            if self.ready and _fixed(env) != self._made_for:
                return None  # it has imported the Hub's library with another home than this one is to have
            process, self._spare = self._spare, None
            self._after(None)
            self._busy_until = time.monotonic() + self.busy_s
        if process is None:
            return None
        line = json.dumps({"command": list(command), "env": env, "log": str(log), "piped": piped})
        try:
            _pipe(process.stdin).write(line.encode() + b"\n")
            _pipe(process.stdin).flush()
        except OSError:  # it has just ended
            _end(process)
            return None
        if not piped:
            _shut(process)
        return process

    def close(self) -> None:
        """End the process that waits."""
        with self._lock:
            process, self._spare, self._wanted = self._spare, None, False
            self._after(None)
        if process is not None:
            _end(process)

    def _make(self) -> None:
        with self._lock:
            self._timer = None
            if self.ready or psutil.virtual_memory().available < LEAST_FREE:
                return
            env = environment()
            self._made_for = _fixed(env)
            self._spare = subprocess.Popen(
                [sys.executable, "-m", "core.runs.waiting"],
                cwd=ROOT,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                creationflags=windows_flags(),
            )
            calm(self._spare.pid)
            self._after(self.idle_minutes * 60, self.close)

    def _after(self, seconds: float | None, what: Any = None) -> None:
        """Do something later, and nothing else that was to be done later."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if seconds is not None:
            self._timer = threading.Timer(seconds, what)
            self._timer.daemon = True
            self._timer.start()


def _fixed(env: dict[str, str]) -> list[str | None]:
    return [env.get(name) for name in FIXED]


STANDBY = Standby()


def start(
    command: Sequence[str], env: dict[str, str], log: Path, *, piped: bool = False, spare: bool = True
) -> subprocess.Popen[bytes]:
    """Start `python -m core COMMAND`, at a lower priority than the page.

    Args:
        env: see `environment`. log: what it prints is added to this file.
        piped: its standard input and output are pipes of ours, and it ends with us; else it is detached.
        spare: whether to take the one that waits; not for a job that has to wait itself.
    """
    with open_log(log) as stream:
        process = STANDBY.take(command, env, log, piped) if spare else None
        if process is not None:
            return process
        process = subprocess.Popen(
            [sys.executable, "-m", "core", *command],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else stream,
            stderr=stream,
            start_new_session=not piped,
            creationflags=windows_flags(),
        )
    calm(process.pid)
    return process


def calm(pid: int) -> None:
    """The page comes first: the process gets a lower priority. One that has ended already needs none."""
    with contextlib.suppress(psutil.NoSuchProcess):
        if sys.platform == "win32":
            psutil.Process(pid).nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            psutil.Process(pid).nice(10)


def windows_flags() -> int:
    """How Windows is to start a process of ours: without a window, and not ended by the page's Ctrl-C."""
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _shut(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            _pipe(pipe).close()


def _end(process: subprocess.Popen[bytes]) -> None:
    _shut(process)
    process.kill()
    process.wait()
