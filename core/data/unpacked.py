"""A file packed with gzip, as a stream that ends before a small file has become a flood."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import IO, Any

from core.data.parsers import fail

RATIO = 200  # text is packed to a fifth or a tenth; gzip's best, a thousandth, takes one byte over and over
HARMLESS = 256 << 20  # bytes that are unpacked whatever the ratio
BUFFER = 1 << 20


class _Counted(io.RawIOBase):
    def __init__(self, path: Path) -> None:
        self.name, self.file = path.name, gzip.open(path, "rb")
        self.most = max(HARMLESS, path.stat().st_size * RATIO)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        count = self.file.readinto(buffer)
        if self.file.tell() > self.most:
            fail(
                f"{self.name} unpacks to more than {RATIO} times its size, which no file of examples does. Unpack it "
                "and look at what it holds."
            )
        return count

    def close(self) -> None:
        self.file.close()
        super().close()


def unpacked(path: Path) -> IO[bytes]:
    """The content of a file in gzip.

    Raises:
        InputError: while it is read: it is far more than such a file can hold.
    """
    return io.BufferedReader(_Counted(path), BUFFER)
