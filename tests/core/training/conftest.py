"""A small run, trained in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.config import RunConfig, build
from tests import factory


@pytest.fixture
def config(tiny_llama: Path, tmp_path: Path, runs_dir: Path) -> Callable[..., RunConfig]:
    """A function that gives a config on the tiny model and 40 rows; `training.x=...` as training={...}."""
    rows = factory.write_jsonl(tmp_path / "rows" / "train.jsonl", factory.tone_rows(40))

    def make(
        method: str | dict[str, Any] = "lora",
        data: dict[str, Any] | None = None,
        model: dict[str, Any] | None = None,
        augmentation: dict[str, Any] | None = None,
        **training: Any,
    ) -> RunConfig:
        few = {"max_steps": 6, "eval_steps": 2, "save_steps": 2, "logging_steps": 1, "learning_rate": 1e-2}
        return build(
            {
                "model": {"path": str(tiny_llama)} | (model or {}),
                "data": {"path": str(rows), "template": "{phrase}\n{tone}", "max_tokens": 64} | (data or {}),
                "method": {"name": method} if isinstance(method, str) else method,
                "training": few | training,
                "augmentation": augmentation or {},
                "evaluation": {"max_new_tokens": 4},
            }
        )

    return make
