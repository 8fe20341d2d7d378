"""Rows that do not fit a task are refused before a second of training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.config import RunConfig, build
from core.data.sources import open_data
from core.errors import InputError
from core.models.tokenizer import load_tokenizer
from core.tasks import fit


def config_of(path: Path, task: str, answers: list[str]) -> RunConfig:
    path.write_text("".join(json.dumps({"q": f"question {i}", "a": a}) + "\n" for i, a in enumerate(answers)))
    return build({"task": task, "data": {"path": str(path), "template": "{q}\n{a}"}})


def reasons(config: RunConfig) -> list[str]:
    source = open_data(config.data.path)
    return fit.unfit(source, range(len(source.rows)), config, load_tokenizer("assets/demo-model"))


def test_free_text_is_no_set_of_labels(tmp_path: Path) -> None:
    config = config_of(tmp_path / "a.jsonl", "classification", [f"This is sentence number {i}" for i in range(5000)])
    assert "free text" in reasons(config)[0]
    source = open_data(config.data.path)
    with pytest.raises(InputError, match="free text") as caught:
        fit.require(source, range(10), config, load_tokenizer("assets/demo-model"))
    assert caught.value.field == "task"


def test_labels_and_fields_fit(tmp_path: Path) -> None:
    assert reasons(config_of(tmp_path / "a.jsonl", "classification", ["glad", "sad"] * 10)) == []
    assert reasons(config_of(tmp_path / "b.jsonl", "extraction", ['{"a": 1}'] * 10)) == []


def test_rows_that_cannot_be_rendered_are_left_to_the_encoding(tmp_path: Path) -> None:
    config = config_of(tmp_path / "a.jsonl", "extraction", ["x"])
    wrong = config.model_copy(update={"data": config.data.model_copy(update={"template": "{nothing}"})})
    assert reasons(wrong) == []
