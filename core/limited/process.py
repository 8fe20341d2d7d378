"""One child of the pool: started with a bare environment, asked, and ended when it takes too much."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import IO, Any

import psutil

from core.limited import watch
from core.limited.child import ENVIRONMENT
from core.limited.watch import too_large, too_slow
from core.paths import ROOT
from core.runs.standby import calm, windows_flags

MODEL, TEMPLATE = "model.path", "data.template"
KEPT = (  # of our environment; nothing else gets to a child, tokens least of all
    "PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME",
    "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "WINDIR", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "XDG_CACHE_HOME",
    "HF_HOME", "HF_HUB_CACHE", "SPACE_ID", "TUNESMITH_RUNS", "TUNESMITH_UPLOADS", "TUNESMITH_CACHE",
    "TUNESMITH_PUBLIC",
)  # fmt: skip
LOOK_S = 0.1  # how often a child that is at work is looked at
GRACE_S = 1.0  # for a child to find by itself that it takes too long, and to say at what
LOADED = 8  # models that a child keeps (core.models.tokenizer)


@dataclass(frozen=True)
class Bounds:
    """What questions may take.

    Attributes:
        seconds: of a question that somebody waits for. long_seconds: of one about many rows. loading_seconds: before
            that, to load the tokenizer. start_seconds: before that, for a new child to come up.
        bytes: of memory, beyond what the child takes by itself. question, answer: bytes of JSON.
        idle_seconds: so long a child waits for a question. wait_seconds: so long one waits for a child.
        remembered_seconds: so long what overran is refused at once.
    """

    seconds: float = field(default_factory=watch.seconds)
    long_seconds: float = 60.0
    loading_seconds: float = 20.0
    start_seconds: float = 60.0
    bytes: int = 2**30
    question: int = 128 * 2**20
    answer: int = 64 * 2**20
    idle_seconds: float = 20.0
    wait_seconds: float = 60.0
    remembered_seconds: float = 300.0


@dataclass(frozen=True)
class Subject:
    """Whose model a question is about, and what answers or overruns together.

    Attributes:
        name: of the model, for a sentence. mark: tells its files and the template from others.
        template: whether a chat template is rendered: what is probably at fault where nothing says.
        trusted: bundled with the project.
    """

    name: str
    mark: Hashable
    template: bool = False
    trusted: bool = False


class Child:
    """A child process and what it has loaded."""

    def __init__(self, bounds: Bounds) -> None:
        self.turn: Any = None  # whose it is, while it is at work
        self.loaded: deque[Hashable] = deque(maxlen=LOADED)
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "core.limited.child",
                str(bounds.bytes),
                str(bounds.answer),
                str(bounds.idle_seconds),
            ],
            cwd=ROOT,
            env={name: os.environ[name] for name in KEPT if name in os.environ} | ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=sys.platform != "win32",  # Ctrl-C is for us
            creationflags=windows_flags(),
        )
        calm(self.process.pid)
        self._heard: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._ready, self._size = False, 0
        name, arguments = f"limited-{self.process.pid}", (self.process, self._heard, bounds.answer)
        threading.Thread(target=_listen, args=arguments, name=name, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it is still there."""
        return self.process.poll() is None

    def answer(self, line: str, subject: Subject, seconds: float, bounds: Bounds) -> dict[str, Any]:
        """What it says to a question; {} where it has just ended for want of any.

        One that takes too much ends it, and that is the answer.
        """
        field = TEMPLATE if subject.template else MODEL
        if not self._ready and (why := self._hear(bounds.start_seconds, bounds.bytes).get("ended")):
            self.end()
            return {"error": f"The process that looks at models did not start: it {why}. Try again.", "field": MODEL}
        self._ready = True
        with contextlib.suppress(psutil.Error):
            self._size = self._size or psutil.Process(self.process.pid).memory_info().rss
        stdin = opened(self.process.stdin)
        with contextlib.suppress(OSError):  # it has just ended: its listener says so
            stdin.write(line.encode() + b"\n")
            stdin.flush()
        heard = self._hear(bounds.loading_seconds, bounds.bytes)
        if "loaded" in heard:
            self.loaded.append(subject.mark)
            heard = self._hear(seconds + GRACE_S, bounds.bytes)
        if "ended" in heard and self.process.poll() == 0:
            return {}
        if "ended" in heard:
            self.end()
            what = f"The chat template or the tokenizer of {subject.name!r}"
            remedy = "Choose another model" + (", or write a text template." if subject.template else ".")
            return {"error": f"{what} {heard['ended']}: it is not used. {remedy}", "field": field, "overran": True}
        return heard

    def _hear(self, seconds: float, most: int) -> dict[str, Any]:
        """The next thing that it says; {"ended": why} where it takes too much or is gone."""
        began, computed = time.monotonic(), self._computed()
        while True:
            with contextlib.suppress(queue.Empty):
                heard = self._heard.get(timeout=LOOK_S)
                return heard if heard is not None else {"ended": self._end_in_words()}
            if watch.spent(time.monotonic() - began, self._computed() - computed) > seconds:
                return {"ended": too_slow(seconds)}
            with contextlib.suppress(psutil.Error):
                if self._size and psutil.Process(self.process.pid).memory_info().rss - self._size > most:
                    return {"ended": too_large(most)}

    def _computed(self) -> float:
        """Seconds that it has computed so far; 0 where it is gone."""
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(self.process.pid).cpu_times()
            return float(times.user + times.system)
        return 0.0

    def _end_in_words(self) -> str:
        """Why it is gone, after what it was asked."""
        code = self.process.wait()
        return f"ended the process that tried it (exit code {code})"

    def end(self) -> None:
        """End it, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            opened(self.process.stdin).close()


def opened(stream: IO[bytes] | None) -> IO[bytes]:
    """A pipe of a process that was started with it."""
    if stream is None:
        raise ValueError("the process has no such pipe")
    return stream


def _listen(process: subprocess.Popen[bytes], heard: queue.Queue[dict[str, Any] | None], most: int) -> None:
    """Pass on what a child says, a JSON object a line; None at its end. One that says too much is ended."""
    stdout = opened(process.stdout)
    pieces, size = list[bytes](), 0
    while chunk := os.read(stdout.fileno(), 2**20):
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            try:
                heard.put(json.loads(b"".join([*pieces, line])))
            except ValueError:  # nothing that a child of ours writes
                process.kill()
            pieces, size = [], 0
        pieces.append(rest)
        size += len(rest)
        if size > most + 2**20:
            process.kill()
            break
    heard.put(None)
    stdout.close()
