"""Labels as tokens, and the columns that part rows into groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core import config as configs
from core.data.encode import encode
from core.data.sources import open_data
from core.data.template import render
from core.evaluation.rows import choose, groups, known, labels
from tests import factory
from tests.core.evaluation.conftest import TEMPLATE


@pytest.mark.parametrize("template", [TEMPLATE, "{phrase}\n-> [[{tone}]] (that is all)", None])
def test_a_label_is_the_tokens_that_training_sees(tokenizer: Any, rows_file: Path, template: str | None) -> None:
    config = configs.build({"data": {"path": str(rows_file), "template": template}})
    source = open_data(str(rows_file))
    found = labels(source, range(len(source.rows)), config, tokenizer, 200)
    assert found is not None and list(found) == ["angry", "calm", "joyful", "sad"]
    for row in source.rows:
        encoded = encode(render(row, source.layout, template, tokenizer), tokenizer, 512)
        assert found[row["tone"]] == [i for i in encoded.labels if i != -100]
    assert labels(source, range(len(source.rows)), config, tokenizer, 3) is None


def test_columns_that_part_the_rows(tmp_path: Path) -> None:
    rows = [
        row | {"names": "known" if i % 2 else "new", "id": i, "same": "x", "flag": i % 4 == 0, "list": [i % 2]}
        for i, row in enumerate(factory.tone_rows())
    ]
    path = factory.write_jsonl(tmp_path / "rows.jsonl", rows)
    config = configs.build({"data": {"path": str(path), "template": "{phrase}: {flag} {tone}"}})
    found = groups(choose(None, str(path), None, 100), config)
    assert set(found) == {"names"} and found["names"][:2] == ["new", "known"]


def test_known_rows_are_told_by_the_columns_that_are_used(tmp_path: Path) -> None:
    rows = factory.tone_rows(10)
    data = factory.write_jsonl(tmp_path / "train.jsonl", rows)
    held = factory.write_jsonl(tmp_path / "held.jsonl", [row | {"names": "new"} for row in rows[5:]] + [
        {"phrase": "other", "tone": "sad", "names": "new"}])  # fmt: skip
    config = configs.build({"data": {"path": str(data), "template": TEMPLATE}})
    chosen = choose(config, str(held), None, 100)
    assert known(chosen, open_data(str(data)), range(7), config) == 2
