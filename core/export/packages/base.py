"""A package's folder: its settings, and whether every file is as it was made."""

from __future__ import annotations

import hashlib
import json
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
        InputError: there is no such adapter.
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
        self.settings = json.loads((self.folder / "tunesmith.json").read_text(encoding="utf-8"))
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
            for name, want in self.settings["files"].items()
            if not (self.folder / name).is_file() or sha256(self.folder / name) != want
        ]


def sha256(path: Path) -> str:
    """The hash of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
