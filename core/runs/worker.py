"""A worker process seen from the page: started when it is asked, warm between questions, gone when nobody asks it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.runs import standby
from core.runs.failures import of_dead
from core.runs.files import tail

IDLE_MINUTES = 15.0
ANSWER_S = 600.0  # without a word from the worker; loading a base may take minutes
LOOK_S = 0.2  # how often to see whether a question is still wanted
WITHDRAWN = "The question was withdrawn."
PASSING = ("state", "piece")  # keys of what is said while it works; "error" ends a question, and anything else does


class Worker:
    """Speaks JSON lines with a process of its own (the other side: core.runs.serving). Safe to call from threads.

    The process is started at the first question, and again when it has ended. It ends after some idle minutes, at
    `close()`, and when the process that made it ends.

    Args:
        command: of `python -m core`; it gets --idle-minutes N too. what: its name in a sentence, such as "model".
    """

    def __init__(
        self, command: Sequence[str], what: str, idle_minutes: float = IDLE_MINUTES, answer_s: float = ANSWER_S
    ) -> None:
        self.command, self.what = tuple(command), what
        self.idle_minutes, self.answer_s = idle_minutes, answer_s
        self._one_at_a_time = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self._closed = False
        self._numbers = itertools.count(1)

    @property
    def alive(self) -> bool:
        """Whether the process is there and warm."""
        return self._process is not None and self._process.poll() is None

    def question(
        self,
        asked: dict[str, Any],
        on_word: Callable[[dict[str, Any]], None],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """The answer to a question; waits while another one is being answered.

        Args:
            on_word: told what the worker says on the way: {"state": what is being done}, {"piece": ...}.
            should_stop: asked now and then; then the question is withdrawn, and the worker stays warm.

        Raises:
            InputError: what the worker found wrong; that it ended; or that the question was withdrawn.
        """
        while not self._one_at_a_time.acquire(timeout=LOOK_S):
            if should_stop():
                raise InputError(WITHDRAWN)
        number = next(self._numbers)
        try:
            if not self.alive:
                on_word({"state": "starting"})
                self._start()
            self._send(asked | {"number": number})
            withdrawn, silent_since = False, time.monotonic()
            while True:
                heard = self._hear()
                if heard and heard.pop("number", number) != number:
                    continue  # the rest of an answer that nobody waited for
                silent_since = time.monotonic() if heard else silent_since
                if heard and "error" in heard:
                    gone = self._closed or heard.get("withdrawn")
                    raise InputError(WITHDRAWN if gone else heard["error"], heard.get("field", ""))
                if heard and not set(heard).intersection(PASSING):
                    return heard
                if heard and not withdrawn:
                    on_word(heard)
                if not withdrawn and should_stop():
                    self._send({"withdraw": number})
                    withdrawn = True
                if time.monotonic() - silent_since > self.answer_s:
                    self.close()
                    raise InputError(
                        f"The model gave no answer for {self.answer_s:,.0f} seconds, and was stopped: "
                        "ask for fewer tokens."
                    )
        except BaseException:
            self._send({"withdraw": number})  # where it was answered or has ended, that does nothing
            raise
        finally:
            self._one_at_a_time.release()

    def close(self) -> None:
        """End the process, whatever it is doing: a question that it is answering is withdrawn."""
        self._closed = True
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()

    def _start(self) -> None:
        handle, name = tempfile.mkstemp(prefix=f"tunesmith-{self.what}-", suffix=".log")
        os.close(handle)
        command = (*self.command, "--idle-minutes", str(self.idle_minutes))
        process = standby.start(command, standby.environment(), Path(name), piped=True)
        standby.STANDBY.renew()  # this one stays: the next job wants another
        self._process, self._heard, self._closed = process, queue.Queue(), False
        arguments = (process, self._heard, Path(name), self.what)
        threading.Thread(target=_listen, args=arguments, name=f"{self.what}-{process.pid}", daemon=True).start()

    def _send(self, line: dict[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError, ValueError):  # it has just ended: its listener says so
            process.stdin.write(json.dumps(line).encode() + b"\n")
            process.stdin.flush()

    def _hear(self) -> dict[str, Any] | None:
        """The next thing that it says, an error where it has ended; None after a moment of silence."""
        try:
            return self._heard.get(timeout=min(LOOK_S, self.answer_s))
        except queue.Empty:
            return None


def _listen(process: subprocess.Popen[bytes], heard: queue.Queue[dict[str, Any]], log: Path, what: str) -> None:
    """Pass on what the worker says, a JSON object a line; at its end say how it ended, and leave nothing behind."""
    for line in process.stdout or ():
        heard.put(json.loads(line))
    code = process.wait()
    _, sentence = of_dead(code, tail(log), what, restarted=False, began=True)
    heard.put({"error": f"{sentence} Ask again: it is started anew."})
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not read by a process that is gone
            pipe.close() if pipe else None
    with contextlib.suppress(OSError):
        log.unlink()
