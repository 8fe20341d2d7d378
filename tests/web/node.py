"""Node with transformers.js from npm's own files: installed once, outside of the repository, at pinned versions."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
NEEDS = "Node 20 or newer and npm, which run transformers.js, are not installed"


@functools.cache
def modules() -> Path:
    """The folder that holds node_modules; skips the test where there is no Node, or npm cannot install."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip(NEEDS)
    lock = (HERE / "package-lock.json").read_bytes()
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tunesmith-tests"
    folder = kept / f"transformers-js-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.is_dir():
        kept.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(dir=kept))
        try:
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(HERE / name, half / name)
            line = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(line, cwd=half, capture_output=True, text=True, timeout=110)
            if done.returncode:
                pytest.skip(f"npm cannot install transformers.js here: {done.stderr.strip().splitlines()[-1:]}")
            with contextlib.suppress(OSError):  # another process was faster
                half.rename(folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return folder


class Node:
    """A Node process that holds transformers.js; see ask.mjs for what it can be asked."""

    def __init__(self, folder: Path) -> None:
        script = folder / "ask.mjs"
        script.write_bytes((HERE / "ask.mjs").read_bytes())
        self._process = subprocess.Popen(
            ["node", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, want: str, folder: Path, rows: list[Any]) -> list[Any]:
        """What transformers.js makes of rows; AssertionError with its words where it fails."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"want": want, "folder": str(folder), "rows": rows}) + "\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        assert "error" not in found, found["error"]
        made: list[Any] = found["found"]
        return made

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A Node process for the tests of a file; without Node they are skipped."""
    process = Node(modules())
    yield process
    process.close()
