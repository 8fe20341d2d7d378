"""A loss by its name, ready to be called: ours, or one of the owner's, whose mistakes are told in a sentence."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from core.errors import InputError
from core.losses import own
from core.losses.classes import Criterion
from core.losses.table import FIELD, LOSSES, PAIRS, PLAIN
from core.settings import TrainingConfig

GIVEN = ("margin", "focal_gamma", "label_smoothing_factor")  # settings that an own loss gets if it has such an argument


def function(name: str) -> Callable[..., torch.Tensor]:
    """The function of a loss: (settings, what its heads give it ...) -> a number for each item (n,).

    What the owner's loss gives as one number is taken as the mean of all items.

    Raises:
        InputError: (training.loss) there is none of that name, or the owner's file is broken.
    """
    if name in LOSSES:
        module, _, attribute = LOSSES[name].target.partition(":")
        found: Callable[..., torch.Tensor] = getattr(importlib.import_module(module), attribute)
        return found
    mine, problems = own.found()
    if name not in mine:
        raise InputError(f"There is no loss {name!r}.{own.concerning(name, problems)}", FIELD)
    return _OwnLoss(mine[name])


def criterion(settings: TrainingConfig, head: str) -> Criterion:
    """The loss of a run for a head that chooses among classes (see core.losses.table.CLASSES).

    Raises:
        InputError: as `function`.
    """
    if head in PAIRS:
        raise ValueError(f"{head} chooses nothing")
    return Criterion(function(PLAIN[head] if settings.loss == "auto" else settings.loss), settings)


class _OwnLoss:
    """A loss of the owner, loaded, and told of its mistakes in sentences."""

    def __init__(self, loss: own.Own) -> None:
        self._loss = loss
        module = self._told(lambda: _import(loss))
        self._made = getattr(module, loss.attribute)
        self._call: Callable[..., Any] | None = None

    def __call__(self, settings: TrainingConfig, *given: Any) -> torch.Tensor:
        if self._call is None:
            self._call = self._told(lambda: self._ready(settings))
        call, wanted = self._call, 3 if self._loss.pairs else 2
        value = self._told(lambda: call(*given[:wanted]))
        count = len(given[0])
        name, file = self._loss.name, self._loss.file.name
        learns = torch.is_grad_enabled() and any(isinstance(x, torch.Tensor) and x.requires_grad for x in given)
        if isinstance(value, torch.Tensor) and (not value.is_floating_point() or learns and not value.requires_grad):
            raise InputError(
                f"Your loss {name} ({file}) gives numbers that nothing can be learned from ({_kind(value)}): reckon "
                "them from what it is given with operations that have a slope, and outside of torch.no_grad().",
                FIELD,
            )
        if not isinstance(value, torch.Tensor) or value.numel() not in (1, count):
            what = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)[:60]
            raise InputError(
                f"Your loss {name} ({file}) gave {what} for {count:,} items: give one number for each, or their mean.",
                FIELD,
            )
        return value.reshape(-1).expand(count) if value.numel() == 1 else value.reshape(-1)

    def _ready(self, settings: TrainingConfig) -> Callable[..., Any]:
        """What is called: a class is made, with those of our settings that it takes; a function gets them."""
        made = self._made
        taken = inspect.signature(made).parameters
        more = {name: getattr(settings, name) for name in GIVEN if name in taken}
        if not inspect.isclass(made):
            return lambda *given: made(*given, **more)
        ready: Any = made(**more)
        if isinstance(ready, torch.nn.Module) and any(p.requires_grad for p in ready.parameters()):
            raise InputError(
                f"Your loss {self._loss.name} ({self._loss.file.name}) has weights of its own, and nothing trains "
                "them: make them buffers, or leave them out.",
                FIELD,
            )
        call: Callable[..., Any] = ready
        return call

    def _told(self, work: Callable[[], Any]) -> Any:
        """What the owner's code gives; whatever it raises becomes one sentence with file and line."""
        try:
            return work()
        except InputError:
            raise
        # Anything may be wrong in it, and the owner should read where, not our traceback.
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [f.lineno for f in frames if f.filename == str(self._loss.file)]
            if isinstance(error, SyntaxError) and error.lineno:
                lines = [error.lineno]
            where = f", line {lines[-1]}" if lines else ""
            said = (str(error).strip().splitlines() or [""])[0][:200].rstrip(".")
            raise InputError(
                f"Your loss {self._loss.name} fails in {self._loss.file.name}{where}: {type(error).__name__}: {said}.",
                FIELD,
            ) from error


def _kind(value: torch.Tensor) -> str:
    """What is wrong with numbers that cannot be made small."""
    return "without a slope" if value.is_floating_point() else str(value.dtype).removeprefix("torch.")


def _import(loss: own.Own) -> ModuleType:
    name = f"tunesmith_own_{loss.file.stem}"
    spec = importlib.util.spec_from_file_location(name, loss.file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{loss.file.name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look themselves up there
    spec.loader.exec_module(module)
    return module
