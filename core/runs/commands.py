"""A command of ours in a process of its own, for what the page asks for and waits for: it needs no state of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from core.errors import InputError
from core.paths import ROOT
from core.runs.failures import of_dead
from core.runs.standby import environment
from core.visitors import Visitor

PATIENCE_S = 3600


def command(*words: str, visitor: Visitor | None = None, env: dict[str, str] | None = None) -> dict[str, Any]:
    """What `python -m core WORDS --json` answers.

    Args:
        visitor: whom it works for: see core.runs.standby.environment. env: more for its environment.

    Raises:
        InputError: the sentence with which it refused, or that it ended without one.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "core", *words, "--json"], cwd=ROOT, env=environment(env, visitor), capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=PATIENCE_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InputError("It took more than an hour, and was ended.") from None
    said = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode:
        told = bool(said) and done.returncode in (1, 2) and "Traceback (most recent call last):" not in said
        raise InputError(said[-1] if told else of_dead(done.returncode, said, words[0], restarted=False, began=True)[1])
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
