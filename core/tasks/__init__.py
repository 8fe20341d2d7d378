"""What a model can be tuned for: how it is asked and how its answers are scored. Light; models come in as arguments."""

from __future__ import annotations

import importlib
from typing import cast

from core.errors import InputError, unknown
from core.tasks.base import Answer, Task

__all__ = ["TASKS", "Answer", "Task", "get"]

TASKS: dict[str, str] = {
    "generation": "core.tasks.generation",
    "classification": "core.tasks.classification",
    "extraction": "core.tasks.extraction",
    "summarization": "core.tasks.summarization",
    "similarity": "core.tasks.similarity",
}


def get(name: str) -> Task:
    """The module of a task. InputError, with the nearest name, where there is none."""
    if name not in TASKS:
        raise InputError(unknown("task", name, TASKS), "task")
    return cast(Task, importlib.import_module(TASKS[name]))
