"""bitsandbytes without the compiler: it hands functions to torch.compile while it is imported, and that loads it.

PEFT imports bitsandbytes wherever it is installed, and the compiler is a quarter of all that such a process imports.
Here a function that is handed over then is compiled when it is first called, which most processes never do. Nor does it
find, while it is imported, the package by which it would fetch native code from the Hub on some processors.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

NAME = "bitsandbytes"
FETCHES = "kernels"


class _Finder:
    """Finds bitsandbytes as the others do, and runs it with a torch.compile that waits."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name == NAME else None
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            loader.exec_module = _calmly(loader.exec_module)
        return spec


def _calmly(run: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def calm(module: ModuleType) -> None:
        import torch

        compiler, torch.compile = torch.compile, when_called
        fetching = sys.modules.get(FETCHES)
        sys.modules[FETCHES] = None  # type: ignore[assignment]  # as if it were not installed
        try:
            run(module)
        finally:
            torch.compile = compiler
            del sys.modules[FETCHES]
            if fetching is not None:
                sys.modules[FETCHES] = fetching

    return calm


def when_called(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """torch.compile(function, **options), which is done at the first call; without a function a decorator."""
    if function is None:
        return lambda one: when_called(one, **options)
    made: list[Callable[..., Any]] = []

    def call(*args: Any, **more: Any) -> Any:
        if not made:
            import torch

            made.append(torch.compile(function, **options))
        return made[0](*args, **more)

    return call


def install() -> None:
    """Have it so in this process."""
    sys.meta_path.insert(0, _Finder())
