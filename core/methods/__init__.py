"""Methods: how a model's parameters are made trainable, one module each. To add one, write a module and an entry here.

A method module has:
    prepare(model, settings, base, revision, head) -> model   what is trained requires gradients, in float32
    save(model, folder) -> None                  the tuned weights, as safetensors
    frozen_base: bool                            whether the base stays as it is, and may be in half precision
    mergeable: str                               "" where the tuned weights can be merged into the base; or why not
    quantization(settings, on) -> dict | None    how the base is quantised: arguments of BitsAndBytesConfig
"""

from __future__ import annotations

import importlib
from types import ModuleType

from core.errors import InputError, unknown

METHODS: dict[str, str] = {
    "full": "core.methods.full",
    "lora": "core.methods.lora",
    "qlora": "core.methods.qlora",
    "adapter": "core.methods.adapter",
    "ia3": "core.methods.ia3",
    "prompt": "core.methods.prompt",
}


def method(name: str) -> ModuleType:
    """The module of a method. Raises InputError, with the nearest name, when there is none."""
    if name not in METHODS:
        raise InputError(unknown("method", name, METHODS), "method.name")
    return importlib.import_module(METHODS[name])
