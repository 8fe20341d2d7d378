"""Tokens of the Hub never reach a file: whatever text leaves a job has them struck out."""

from __future__ import annotations

import io
import os
import re
import sys

NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY")
SHAPE = re.compile(r"hf_[A-Za-z0-9]{16,}")  # as the Hub makes them: hf_ and 34 letters and digits
STRUCK = "[token]"
SHORTEST = 8  # characters; a shorter value of such a variable is no secret, and may be a word


def mask(text: str) -> str:
    """The text without tokens: those of this process's environment, and whatever looks like one."""
    for name in NAMES:
        value = os.environ.get(name, "").strip()
        if len(value) >= SHORTEST and value in text:
            text = text.replace(value, STRUCK)
    return SHAPE.sub(STRUCK, text) if "hf_" in text else text


class Masked(io.TextIOWrapper):
    """A stream of text that strikes tokens out of what is written at once."""

    def write(self, text: str) -> int:
        """As of any stream; the count is that of the text as it was given."""
        super().write(mask(text))
        return len(text)


def mask_output() -> None:
    """Standard output and error of this process are masked from now on, tracebacks included."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        made = Masked(stream.buffer, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        setattr(sys, name, made)
