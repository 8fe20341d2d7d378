"""The model worker, seen from the page: a process that holds a base with its adapters, and answers one after another."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.paths import ROOT
from core.runs.environment import threads
from core.runs.failures import of_dead
from core.runs.files import tail
from core.runs.jobs import calm, windows_flags

IDLE_MINUTES = 15.0
ANSWER_S = 600.0  # without a word from the worker; loading a base may take minutes

Prompt = str | dict[str, Any]  # a text, or a row: column -> value


@dataclass(frozen=True)
class Said:
    """One answer.

    Attributes:
        name: who gave it: the id of a run, or "base". text: without the end. ended: by itself, not at the limit.
        tokens: how many were written.
    """

    name: str
    text: str
    ended: bool
    tokens: int


@dataclass(frozen=True)
class Answers:
    """The answers to one question, in the order of the names; seconds: for all of them, loading not counted.

    `batches` are the names that went through the model together; `loading` is what loading took, in seconds.
    """

    said: list[Said]
    seconds: float
    loading: float
    batches: list[list[str]]


class ModelWorker:
    """Starts the process at the first question, and again when it has ended. Safe to call from several threads.

    The process ends after some idle minutes, at `close()`, and when the process that made it ends.
    """

    def __init__(self, idle_minutes: float = IDLE_MINUTES, answer_s: float = ANSWER_S) -> None:
        self.idle_minutes, self.answer_s = idle_minutes, answer_s
        self._one_at_a_time = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether the process is there and warm."""
        return self._process is not None and self._process.poll() is None

    def ask(
        self,
        prompt: Prompt,
        names: Sequence[str],
        max_new_tokens: int = 128,
        base: str | None = None,
        revision: str | None = None,
        on_state: Callable[[str], None] = lambda what: None,
    ) -> Answers:
        """Ask the same of several models on one base, in one batch; waits while another question is being answered.

        Args:
            prompt: the text that a person would fill in (the one field of the run's template, or what a user says), or
                a row with all of its columns. names: ids of runs whose adapters share a base, and "base" for the base
                itself. base, revision: which base, where no run is named. on_state: told what is being done, in words.

        Raises:
            InputError: no such run, runs that do not share a base, a prompt that does not fit; or the worker ended.
        """
        question = {"prompt": prompt, "names": list(names), "max_new_tokens": max_new_tokens}
        with self._one_at_a_time:
            if not self.alive:
                on_state("starting")
                self._start()
            self._send(question | {"base": base, "revision": revision})
            while "said" not in (heard := self._hear()):
                if "error" in heard and self._closed:
                    raise InputError("The question was withdrawn.")
                if "error" in heard:
                    raise InputError(heard["error"], heard.get("field", ""))
                on_state(str(heard.get("state", "")))
        return Answers([Said(**one) for one in heard["said"]], heard["seconds"], heard["loading"], heard["batches"])

    def close(self) -> None:
        """End the process, whatever it is doing: a question that it is answering is withdrawn."""
        self._closed = True
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()

    def _start(self) -> None:
        handle, name = tempfile.mkstemp(prefix="tunesmith-model-", suffix=".log")
        command = [
            sys.executable,
            "-m",
            "core",
            "adapters",
            "serve",
            "--idle-minutes",
            str(self.idle_minutes),
            "--json",
        ]
        env = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": str(threads())}
        with open(handle, "wb") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                creationflags=windows_flags(),
            )  # fmt: skip
        calm(process.pid)
        self._process, self._heard, self._closed = process, queue.Queue(), False
        arguments = (process, self._heard, Path(name))
        threading.Thread(target=_listen, args=arguments, name=f"model-{process.pid}", daemon=True).start()

    def _send(self, question: dict[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise RuntimeError("the worker was not started")
        with contextlib.suppress(OSError):  # it has just ended: its listener says so
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        """The next thing that it says; an error where it has ended. InputError when it is silent for too long."""
        try:
            return self._heard.get(timeout=self.answer_s)
        except queue.Empty:
            self.close()
            raise InputError(
                f"The model gave no answer for {self.answer_s:,.0f} seconds, and was stopped: ask for fewer tokens."
            ) from None


def _listen(process: subprocess.Popen[bytes], heard: queue.Queue[dict[str, Any]], log: Path) -> None:
    """Pass on what the worker says, a JSON object a line; at its end say how it ended, and leave nothing behind."""
    for line in process.stdout or ():
        heard.put(json.loads(line))
    code = process.wait()
    _, sentence = of_dead(code, tail(log), "model", restarted=False, began=True)
    heard.put({"error": f"{sentence} Ask again: it is started anew."})
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not read by a process that is gone
            pipe.close() if pipe else None
    with contextlib.suppress(OSError):
        log.unlink()


@functools.cache
def shared() -> ModelWorker:
    """The one worker of this process: a base is in memory once, whoever asks."""
    return ModelWorker()
