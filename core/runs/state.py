"""state.json: what a job is doing, written by the one who works, read by everybody, and never believed blindly."""

from __future__ import annotations

import _thread
import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from core.errors import InputError, Overran
from core.runs import records
from core.runs.failures import explain, of_dead
from core.runs.files import locked, remove, tail, write_json
from core.runs.minutes import Minutes
from core.runs.typed import Unreadable

BEAT_S = 1.0
HUNG_S = 60.0
START_S = 30.0
LOST_S = 6.0  # from the interrupt of a main thread whose folder is gone to the end of its process
CLOCK_S = 30.0  # a clock that is set moves the times at which processes were made, too
UNDER_WAY = ("queued", "running", "stopping")


class Removed(InputError):
    """The folder that a job writes into is not there any more: somebody deleted or moved it while it was at work."""


class Stopped(KeyboardInterrupt):
    """Somebody asked this job to end: the command line exits with 130, and the state becomes `stopped`."""


@dataclass(frozen=True)
class State:
    """What is known of a job. Times are seconds since 1970; `done` of `total` is in the unit that `what` names."""

    state: str  # queued, running, stopping, stopped, done, failed
    what: str = ""  # in words, such as "training" or "loading the model"
    done: float = 0.0
    total: float = 0.0
    error: str = ""  # one sentence, when it failed
    field: str = ""  # the config field that the error concerns, or ""
    # input, error, killed, restarted, disk_full, out_of_memory, never_started, unreadable; stopped: time_limit
    reason: str = ""
    pid: int | None = None
    created: float | None = None  # when the process was made, which tells it from a later one with its number
    started: float | None = None
    ended: float | None = None
    heartbeat: float | None = None
    hung: bool = False  # alive, but silent for a minute

    @property
    def under_way(self) -> bool:
        """Whether it is still going on, or about to."""
        return self.state in UNDER_WAY

    @property
    def seconds(self) -> float:
        """How long it has been working so far, or did."""
        return max(0.0, (self.ended or time.time()) - self.started) if self.started else 0.0


_KNOWN = {f.name for f in fields(State)} - {"hung"}


class Job:
    """The work in hand, as the block inside `StateFile.working` sees it."""

    def __init__(self, file: StateFile, values: dict[str, Any]) -> None:
        self._file, self._values = file, values
        self._writing = threading.Lock()
        self._signalled = False
        self._home = _identity(file.folder)
        self.removed = False  # whether the folder is gone
        self.in_main = False  # whether the work is in the main thread, where signals arrive
        self._minutes = Minutes(file.stop_file)

    def progress(self, done: float, total: float, what: str = "") -> None:
        """How far it is. Costs nothing: the next heartbeat, at most a second away, writes it down."""
        self._values.update(done=done, total=total, **({"what": what} if what else {}))

    def say(self, what: str) -> None:
        """What is being done now, written at once; how far the work before it was is not how far this is."""
        self._values.update(what=what, done=0, total=0)
        self._write(sync=False)

    @property
    def stop_asked(self) -> bool:
        """Whether somebody asked it to end (a signal, or a file named `stop` beside state.json)."""
        return self.removed or self._signalled or os.path.lexists(self._file.stop_file)

    def check(self) -> None:
        """Raise Stopped when somebody asked it to end, Removed when its folder is gone."""
        if self.removed:
            raise self.loss
        if self.stop_asked:
            raise Stopped

    @property
    def loss(self) -> Removed:
        """What to say when the folder is gone."""
        return Removed(f"The folder {self._file.folder} was removed while it was in use: the work in it is given up.")

    def look(self) -> None:
        """See whether the folder is still the one in which the work began."""
        if self._home is not None and _identity(self._file.folder) != self._home:
            self.removed = True

    def finish(self, state: str) -> None:
        """How it will have ended when the block is left without an error: "done" (as it would anyway) or "stopped"."""
        self._values["end"] = state

    def _write(self, sync: bool) -> None:
        with self._writing:
            values = {k: v for k, v in self._values.items() if k != "end"}
            write_json(self._file.path, values | {"heartbeat": time.time()}, sync=sync)

    def _end(self, state: str, **more: Any) -> None:
        """The last word. It must reach the disk even if that is full: the reserve is given up for it."""
        self._values.update(state=state, ended=time.time(), **more)
        try:
            self._write(sync=True)
        except OSError:
            self._file.reserve.unlink(missing_ok=True)
            self._write(sync=False)
        self._file.reserve.unlink(missing_ok=True)
        remove(self._file.stop_file)


class StateFile:
    """One state.json, with the files beside it: `stop`, `.lock`, `job.json` (the launcher's) and `output.log`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.folder = self.path.parent
        self.stop_file = self.folder / "stop"
        self.lock = self.folder / ".lock"
        self.job = self.folder / "job.json"
        self.log = self.folder / "output.log"
        self.reserve = self.folder / ".reserve"

    def queue(self, what: str = "") -> None:
        """Write that the job is about to start, or waits as `what` says, and forget an earlier request to stop."""
        self.folder.mkdir(parents=True, exist_ok=True)
        remove(self.stop_file)
        remove(self.job)
        write_json(self.path, {"state": "queued", "what": what, "heartbeat": time.time()})

    def wait(self, what: str) -> None:
        """Write that the job still waits, and for what. On a full disk it waits without words."""
        with contextlib.suppress(OSError):
            write_json(self.path, {"state": "queued", "what": what, "heartbeat": time.time()})

    @contextlib.contextmanager
    def working(
        self, what: str = "", *, graceful: bool = False, forget: bool = False, on_beat: Callable[[], None] | None = None
    ) -> Iterator[Job]:
        """Do the work in this block: state.json says so, beats once a second, and ends in done, stopped or failed.

        An error is written in words and raised again. SIGTERM and Ctrl-C raise Stopped; with `graceful` they only set
        `job.stop_asked`, and the block ends by itself in its own good time (a second Ctrl-C does not wait).

        Args:
            what: what is being done, in words. forget: where nobody had queued it and what is asked is wrong, nothing is
            left behind: whoever gave the command reads why. on_beat: called from the heartbeat's thread once a second.

        Raises:
            InputError: another process is at work here, or nothing can be written here. Stopped: somebody asked it to
                end. Removed: the folder was deleted; nothing more is written, and a main thread that does not listen
                is ended.
        """
        forget = forget and not os.path.lexists(self.path)
        with locked(self.lock) as mine:
            if not mine:
                raise InputError(f"Another process is at work in {self.folder}. Wait for it, or stop it first.")
            if (records.STATE.find(self.path) or {}).get("state") != "queued":
                remove(self.stop_file)  # one that was queued keeps it: it was asked for this very start
            me = psutil.Process()
            job = Job(self, {"state": "running", "what": what, "done": 0, "total": 0, "pid": me.pid})
            job._values.update(created=me.create_time(), started=time.time())
            with contextlib.suppress(OSError):
                self.reserve.write_bytes(b"\0" * 16384)
            over = threading.Event()
            beat = threading.Thread(target=_beat, args=(job, over, on_beat), name="heartbeat", daemon=True)
            with _signals(job, graceful):
                try:
                    job._write(sync=True)
                    beat.start()
                    yield job
                    _quiet(over, beat)
                    _still_there(job)
                    job._end(job._values.pop("end", "done"))
                except KeyboardInterrupt:
                    _quiet(over, beat)
                    _still_there(job)
                    job._end("stopped")
                    raise
                except BaseException as error:
                    _quiet(over, beat)
                    _still_there(job)
                    if forget and isinstance(error, InputError):
                        self._forget()
                        raise
                    reason, sentence = explain(error, self.folder)
                    field = error.field if isinstance(error, InputError | Overran) else ""
                    job._end("failed", error=sentence, reason=reason, field=field)
                    raise

    def _forget(self) -> None:
        """Remove what this job has written, and its folder where that held nothing else."""
        with contextlib.suppress(OSError):
            for file in (self.path, self.reserve, self.stop_file, self.lock):
                file.unlink(missing_ok=True)
            self.folder.rmdir()


def read(path: str | Path) -> State | None:
    """The state of a job as it really is, or None where there is no state.json.

    A job that says it runs while its process is gone has failed (or was stopped, if that was asked); the reason is read
    from the exit code, where the process that started it is still there, and from the log.
    """
    file = StateFile(path)
    try:
        values = records.STATE.read(file.path)
    except Unreadable as error:
        return State("failed", reason="unreadable", error=str(error))
    if values is None:
        return None
    state = State(**{k: v for k, v in values.items() if k in _KNOWN})
    return _judge(state, file) if state.under_way else state


def _judge(state: State, file: StateFile) -> State:
    """What a job that claims to be under way really does."""
    launched = records.JOB.find(file.job) or {}
    began = state.state != "queued"
    pid, created = (state.pid, state.created) if began else (launched.get("pid"), launched.get("created"))
    stop = os.path.lexists(file.stop_file)
    age = time.time() - (state.heartbeat or 0.0)
    if age < -BEAT_S:  # the clock was set back since: a time that is yet to come says nothing
        age = math.inf
    if pid is None and age < START_S:
        return replace(state, state="stopping" if stop else "queued")
    if pid is not None and created is not None and alive(pid, created):
        now = "stopping" if stop else state.state
        return replace(state, state=now, pid=pid, created=created, hung=began and age > HUNG_S)
    again = records.STATE.find(file.path) or {}
    if again.get("state") not in (*UNDER_WAY, None) or (not began and again.get("state") == "running"):
        return read(file.path) or state  # it wrote its end between our two looks
    ended = state.heartbeat
    if stop:
        return replace(state, state="stopped", ended=ended, pid=pid)
    if pid is None:
        return replace(
            state, state="failed", reason="never_started", error="The process was never started.", ended=ended
        )
    code = launched.get("exit") if launched.get("pid") == pid else None
    log = tail(file.log, int(launched.get("log_from") or 0), 16384) if launched.get("pid") == pid else []
    name = str(launched.get("name") or "training")
    restarted = (created or state.heartbeat or time.time()) < psutil.boot_time() - CLOCK_S
    reason, sentence = of_dead(code, log, name, restarted, began)
    return replace(state, state="failed", reason=reason, error=sentence, ended=ended, pid=pid)


def alive(pid: int, created: float | None) -> bool:
    """Whether this very process runs: its number, the time it was made, and it is no zombie."""
    try:
        process = psutil.Process(pid)
        if created is not None and abs(process.create_time() - created) > CLOCK_S:
            return False
        return bool(process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _beat(job: Job, over: threading.Event, on_beat: Callable[[], None] | None) -> None:
    """Write the state once a second. A full disk is not its business: the work itself will meet it, and say so.

    A folder that is gone is: the work has nowhere to go, and is ended.
    """
    while not over.wait(BEAT_S):
        job.look()
        if job.removed:
            return _give_up(job, over)
        with contextlib.suppress(OSError):
            job._minutes.look(job._values)
            job._write(sync=False)
            if on_beat is not None:
                on_beat()


def _give_up(job: Job, over: threading.Event) -> None:
    """Interrupt the main thread, where the work is there; where that is deep in a long computation, end the process."""
    if not job.in_main:
        return
    _thread.interrupt_main()
    if not over.wait(LOST_S):
        print(job.loss, file=sys.stderr, flush=True)
        os._exit(2)


def _still_there(job: Job) -> None:
    """Raise Removed, whatever else went wrong, where the folder is gone: what went wrong comes of that."""
    job.look()
    if job.removed:
        raise job.loss from None


def _identity(folder: Path) -> tuple[int, int] | None:
    """Which folder this is, whatever its name; None where there is none."""
    try:
        found = os.stat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _quiet(over: threading.Event, beat: threading.Thread) -> None:
    over.set()
    if beat.is_alive():
        beat.join()


@contextlib.contextmanager
def _signals(job: Job, graceful: bool) -> Iterator[None]:
    """SIGTERM and Ctrl-C ask the job to end; what they did before is restored afterwards."""

    def asked(number: int, frame: FrameType | None) -> None:
        if job.removed:
            raise job.loss
        again = job._signalled and number == signal.SIGINT
        job._signalled = True
        if again or not graceful:
            raise Stopped

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if name in signal.Signals.__members__]
    before = {number: signal.signal(number, asked) for number in numbers}
    job.in_main = True
    try:
        yield
    finally:
        job.in_main = False
        for number, handler in before.items():
            signal.signal(number, handler)


def ask_to_stop(path: str | Path) -> None:
    """Ask the job of a state.json to end. One that has not begun is ended at once; one that does not listen, by force.

    A second request half a minute after the first kills it.
    """
    file, state = StateFile(path), read(path)
    if state is None or not state.under_way:
        return
    first = not os.path.lexists(file.stop_file)
    if first:
        file.stop_file.touch()
    asked = time.time() - os.lstat(file.stop_file).st_mtime
    stubborn = not first and not -BEAT_S <= asked <= START_S  # a time to come: the clock was set back since
    waiting = records.STATE.find(file.path) or {}
    if waiting.get("state") == "queued" or stubborn:
        end(state, kill=stubborn)


def end(state: State, kill: bool = False) -> None:
    """End the process of a job by a signal; only if it is surely this one, by the time at which it was made."""
    if state.pid is None or state.created is None or not alive(state.pid, state.created):
        return
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        process = psutil.Process(state.pid)
        process.kill() if kill else process.terminate()
