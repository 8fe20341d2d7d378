"""What went wrong, in words: from an exception, or from what a process that is gone has left behind."""

from __future__ import annotations

import errno
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from core.errors import InputError, Overran
from core.paths import quoted
from core.runs.masking import mask

FULL = (errno.ENOSPC, errno.EDQUOT)
DISK_FULL_TEXT = ("no space left on device", "os error 28", "disk quota exceeded", "not enough space on the disk")
NO_ACCESS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR
)  # fmt: skip
NO_ACCESS_TEXT = ("permission denied (os error 13)", "read-only file system (os error 30)")
NO_MEMORY_TEXT = (
    "out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "unable to allocate",
    "failed to allocate", "memory allocation of", "bad_alloc", "failed to map segment", "cannot map zero-fill pages",
    "can't start new thread", "thread creation failed", "pthread_create failed",
)  # fmt: skip
NOT_OF_MEMORY = "static tls"  # of the loader: "cannot allocate memory in static TLS block"
LESS = "A smaller batch size (with more gradient accumulation), shorter examples or a smaller model need less."
TORN_WRITE_TEXT = ("pytorchstreamwriter failed", "file write failed", "unexpected pos", "requested and")  # last: numpy
LAST = 5  # lines of a log in which a process that ends at once says why, as std::terminate does
ERROR_LINE = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b.*$")


def explain(error: BaseException, folder: Path) -> tuple[str, str]:
    """(reason, sentence) of an exception: reason is input, disk_full, out_of_memory, no_access or error.

    `folder` is where the work was writing: a library's vague "failed to write" counts as a full disk when it is full.
    """
    if isinstance(error, InputError | Overran):
        return "input", mask(str(error))
    for cause in _causes(error):
        text = str(cause).lower()
        if (
            (isinstance(cause, OSError) and cause.errno in FULL)
            or any(t in text for t in DISK_FULL_TEXT)
            or (any(t in text for t in TORN_WRITE_TEXT) and _free(folder) < 64 * 2**20)
        ):
            return (
                "disk_full",
                f"The disk is full: nothing more could be written to {folder}. Free some space and try again.",
            )
        if (
            isinstance(cause, MemoryError)
            or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM)
            or "OutOfMemory" in type(cause).__name__
            or of_memory(text)
        ):
            if isinstance(cause, ImportError):
                return "out_of_memory", (
                    "There was not enough memory to load the libraries, which need about 3 GB of address space: close "
                    "other programs, or raise the limit (ulimit -v)."
                )
            return "out_of_memory", f"There was not enough memory. {LESS}"
    if isinstance(error, OSError) and error.errno in NO_ACCESS and error.filename is not None:
        return "no_access", mask(f"{quoted(str(error.filename))} cannot be used: {(error.strerror or '').lower()}.")
    if any(t in str(error).lower() for t in NO_ACCESS_TEXT):
        return "no_access", mask(f"A file in {folder} cannot be used: {str(error).strip().splitlines()[0][:200]}.")
    first = mask((str(error).strip().splitlines() or [""])[0])[:300]
    return "error", f"{type(error).__name__}: {first}" if first else type(error).__name__


def of_memory(text: str) -> bool:
    """Whether a text of a library, or of a process that is gone, says in small letters that memory ran out."""
    return NOT_OF_MEMORY not in text and any(t in text for t in NO_MEMORY_TEXT)


def of_dead(exit_code: int | None, log: list[str], what: str, restarted: bool, began: bool) -> tuple[str, str]:
    """(reason, sentence) for a process that is gone and has not said why.

    Args:
        exit_code: as subprocess has it (negative: a signal), or None where nobody saw the end.
        log: the last lines that it printed. what: its name, such as "training". restarted: the machine was started
        after it. began: it had got so far as to write that it runs.
    """
    line = last_error(log, anything=not began or exit_code == 2)
    said = f" Its last line was: {line}" if line else ""
    if restarted:
        return "restarted", f"The machine was restarted while the {what} process ran."
    if exit_code == 2 and line:  # a sentence of ours, also where it came too late for the state to say so
        return "input", line
    if exit_code != 2 and any(of_memory(one.lower()) for one in [line, *log[-LAST:]]):
        return "out_of_memory", f"The {what} process ended because there was not enough memory. {LESS}"
    if (exit_code or 0) > 0 and exit_code != 137 or (exit_code is None and line):
        return "error", f"The {what} process ended with an error.{said}"
    if exit_code in (None, -9, 137):
        return "killed", f"The {what} process was killed (perhaps out of memory).{said}"
    if exit_code:
        name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else f"signal {-exit_code}"
        return "killed", f"The {what} process was ended by {name}.{said}"
    return "error", f"The {what} process ended without writing its result.{said}"


def last_error(lines: list[str], anything: bool = False) -> str:
    """The line of a log that names the error of its last traceback; with `anything` else its last line at all."""
    full = [mask(line.strip()) for line in lines if line.strip()]
    starts = [n for n, line in enumerate(full) if line.startswith("Traceback (most recent call last)")]
    named = [line for line in full[starts[-1] :] if ERROR_LINE.match(line)] if starts else []
    chosen = named[-1:] or (full[-1:] if anything else [])
    return chosen[0][:300] if chosen else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 2**62
