"""A watch over calls into somebody's template or tokenizer, in the process that makes them: none goes on for ever.

A thread looks at the calls that are under way. One that takes too long, or with which the process grows too much, is
interrupted between two steps of Python: it ends in `core.errors.Overran`, which is no Exception, so that nothing takes
it for the fault of one row. One that is deep in native code cannot be interrupted; after some grace the process says
why and ends with status 2. Native code of tokenizers lets other threads run meanwhile, and what an operator in a
template can compute in a single step of Python is bounded (`bound_arithmetic`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil

from core.errors import Overran

LOOK_S = 0.1
GRACE_S = 20.0  # for native code to come back before the process is ended
LARGEST = 1_000_000  # characters, items, or bits of a number, that one operator in a template may make


@dataclass
class Limits:
    """What one call may take: seconds, bytes by which the process may grow meanwhile, and characters that it writes."""

    seconds: float
    bytes: int = 2 * 2**30
    text: int = 50_000_000


def seconds() -> float:
    """What one row may take, in seconds: TUNESMITH_ROW_SECONDS, or 5."""
    given = os.environ.get("TUNESMITH_ROW_SECONDS", "")
    return float(given) if re.fullmatch(r"\d{1,4}(\.\d+)?", given) and float(given) > 0 else 5.0


LIMITS = Limits(2 * seconds())  # a job shares its processor with nobody that it must answer


@dataclass
class _Call:
    what: str
    field: str
    thread: int
    began: float
    computed: float = 0.0  # seconds of the process when it was first looked at
    size: int | None = None  # of the process when it was first looked at
    reason: str = ""
    done: bool = False


_CALLS: dict[int, _Call] = {}  # thread -> the call that is under way in it
_LATE: dict[int, _Call] = {}  # thread -> the call that was interrupted last in it
_LOCK = threading.Lock()
_STARTED = threading.Event()


def overran(what: str, reason: str, field: str) -> Overran:
    """The error of a call. Args: what: "The chat template", say. reason: what it did not do."""
    return Overran(f"{what} {reason}: it is not used. Choose another {_remedy(field)}.", field)


def _remedy(field: str) -> str:
    return "model, or write a text template" if field == "data.template" else "model"


class _Late(Overran):
    """What a call ends in: made in its own thread, without arguments."""

    def __init__(self) -> None:
        call = _LATE[threading.get_ident()]
        made = overran(call.what, call.reason, call.field)
        super().__init__(str(made), made.field)

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, as what it says."""
        return Overran, (str(self), self.field)


def spent(passed: float, computed: float) -> float:
    """The seconds that count of a call: those in which it computed, on a machine that has other things to do.

    A call that waits, which none should, has ten times as long.
    """
    return max(min(passed, computed), passed / 10)


def too_slow(seconds: float) -> str:
    """What to say of time."""
    return f"did not come to an end within {seconds:g} seconds"


def too_large(size: float) -> str:
    """What to say of memory."""
    return f"took more than {size / 2**30:.2g} GB of memory"


@contextlib.contextmanager
def watched(what: str, field: str) -> Iterator[None]:
    """Watch what this thread does in the block; a block within a watched block counts to the outer one.

    Args:
        what: the beginning of a sentence, such as "The model's chat template". field: of the config.

    Raises:
        Overran: it took more than `LIMITS` say.
    """
    thread = threading.get_ident()
    if thread in _CALLS:
        yield
        return
    if not _STARTED.is_set():
        _start()
    call = _CALLS[thread] = _Call(what, field, thread, time.monotonic())
    try:
        yield
    except MemoryError:
        raise overran(what, "needs more memory than there is", field) from None
    finally:
        _finish(call)


def _finish(call: _Call) -> None:
    """No interruption of this call comes after this."""
    try:
        with _LOCK:
            call.done = True
            _CALLS.pop(call.thread, None)
    except Overran:  # it came at this very moment, and comes but once
        with _LOCK:
            call.done = True
            _CALLS.pop(call.thread, None)
        raise
    if call.reason:
        _interrupt(call.thread, None)  # where it has not come yet, it does not come any more


def _start() -> None:
    with _LOCK:
        if not _STARTED.is_set():
            threading.Thread(target=_look, name="watch", daemon=True).start()
            _STARTED.set()


def _look() -> None:
    me = psutil.Process()
    while True:
        time.sleep(LOOK_S)
        for call in list(_CALLS.values()):
            size, times = me.memory_info().rss, me.cpu_times()
            if call.size is None:
                call.size, call.computed = size, times.user + times.system
            passed = spent(time.monotonic() - call.began, times.user + times.system - call.computed)
            reason = too_slow(LIMITS.seconds) if passed > LIMITS.seconds else ""
            if size - call.size > LIMITS.bytes:
                reason = too_large(LIMITS.bytes)
            with _LOCK:
                if reason and not call.done and not call.reason:
                    call.reason = reason
                    _LATE[call.thread] = call
                    _interrupt(call.thread, _Late)
            if call.reason and not call.done and passed > LIMITS.seconds + GRACE_S:
                end_process(overran(call.what, call.reason, call.field))


def _interrupt(thread: int, error: type[BaseException] | None) -> None:
    """Have an error raised in a thread before its next step of Python; None takes back one that is still to come."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error) if error else None)


def end_process(error: Overran) -> None:
    """Say why and end with status 2, from whichever thread: nothing else would come through."""
    sys.stderr.write(f"{error}\n")
    sys.stderr.flush()
    os._exit(2)


def bound_arithmetic() -> None:
    """In this process no template computes for minutes in a single step, such as 9 ** 9 ** 9 or a text times 10 ** 12.

    Jinja's sandbox lets operators be replaced; one that is replaced is not computed at compile time either.
    """
    from jinja2.sandbox import SandboxedEnvironment

    if "**" not in SandboxedEnvironment.intercepted_binops:
        SandboxedEnvironment.intercepted_binops = frozenset({*SandboxedEnvironment.intercepted_binops, "**", "*"})
        table = SandboxedEnvironment.default_binop_table
        SandboxedEnvironment.default_binop_table = table | {"**": _power, "*": _times}


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * max(right, 0) > LARGEST:
        raise OverflowError("a number in it becomes too large")
    return left**right


def _times(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        size = left.bit_length() + right.bit_length()
    else:
        text, count = (right, left) if isinstance(left, int) else (left, right)
        size = len(text) * count if isinstance(text, str | bytes | list | tuple) and isinstance(count, int) else 0
    if size > LARGEST:
        raise OverflowError("a value in it becomes too large")
    return left * right
