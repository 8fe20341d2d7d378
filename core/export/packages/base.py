"""A package's folder: its settings, whether every file is as it was made, and how its run.py ends."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError


class Folder:
    """A package.

    Args:
        path: holds tunesmith.json and what it names. adapter: which of several adapters answers; None: the first.

    Attributes:
        settings: tunesmith.json, with what the adapter says of its own prompts laid over it.

    Raises:
        InputError: there is no such adapter, or tunesmith.json is damaged.
    """

    settings: dict[str, Any]
    adapter: str | None

    def __init__(self, path: Path, adapter: str | None = None) -> None:
        self.folder = path
        self.switch(adapter)

    def switch(self, adapter: str | None) -> None:
        """Let another of several adapters answer from now on; None: the first. What is loaded stays.

        Raises:
            InputError: there is no such adapter.
        """
        try:
            self.settings = dict(json.loads((self.folder / "tunesmith.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise InputError("tunesmith.json is missing or damaged: make or unpack the package again.") from None
        several = self.settings.get("adapters") or {}
        if adapter is not None and adapter not in several:
            known = f"Known: {', '.join(several)}." if several else "It has none."
            raise InputError(f"This package has no adapter {adapter!r}. {known}")
        self.adapter = adapter or next(iter(several), None)
        if self.adapter is not None:
            self.settings |= several[self.adapter]

    def graph(self, name: str) -> Path:
        """The file of a graph by the name that it was built under: a web package has it elsewhere."""
        return self.folder / str(self.settings.get("graphs", {}).get(name, name))

    def check(self) -> list[str]:
        """The files that are missing or were changed since the package was made."""
        return [
            name
            for name, want in self.settings.get("files", {"tunesmith.json": ""}).items()
            if not (self.folder / name).is_file() or sha256(self.folder / name) != want
        ]


def sha256(path: Path) -> str:
    """The hash of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fields_of(items: Sequence[str]) -> dict[str, str]:
    """Fields of a prompt as they stand on a command line: NAME=VALUE each. InputError where one is not."""
    for item in items:
        if "=" not in item:
            raise InputError(f"--field {item!r} has no value: write --field NAME=VALUE.")
    return dict(item.split("=", 1) for item in items)


def checked(folder: Path) -> int:
    """Say whether every file of a package is as it was made. Exit status: 0 it is, 1 it is not."""
    wrong = Folder(folder).check()
    print(f"Missing or changed: {', '.join(wrong)}." if wrong else "Every file is as it was made.")
    return 1 if wrong else 0


def ending(work: Callable[[], int], folder: Path) -> int:
    """Do the work of a run.py. Exit status: what it says; 2 the input is wrong, 1 the package is damaged."""
    try:
        return work()
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except (EOFError, KeyboardInterrupt):
        return 0
    except BrokenPipeError:  # whoever read has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except Exception:
        if wrong := Folder(folder).check():
            print(f"The package is damaged ({', '.join(wrong)} missing or changed): make it again.", file=sys.stderr)
            return 1
        raise
