"""Memory that is given back to the system: glibc keeps what was freed, and a large model then counts twice."""

from __future__ import annotations

import ctypes
import gc
import sys

MMAP_THRESHOLD = -3  # of mallopt(3)
LARGE = 2**20  # bytes


def give_back() -> None:
    """Let go of what nobody holds any more, and from now on of each large block as soon as it is freed."""
    gc.collect()
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    for name, arguments in (("mallopt", (MMAP_THRESHOLD, LARGE)), ("malloc_trim", (0,))):
        if function := getattr(libc, name, None):  # musl has neither
            function(*arguments)
