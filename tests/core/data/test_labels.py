"""Labels are counted on either side of the split, as counting row by row does it."""

import json
from collections import Counter

import pytest

from core.config import build
from core.data.dataset import open_examples
from core.data.labels import count_labels
from core.data.split import split_source


@pytest.mark.parametrize("fixes", [[], ["strip_control"]])
def test_labels_are_counted(tmp_path, fixes):
    labels = ["a"] * 30 + ["b"] * 11 + [None] * 4 + [3] * 5
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"t": f"text {i}", "y": y}) for i, y in enumerate(labels)), "utf-8")
    config = build({"data": {"path": f"{path}[2:]", "validation": 0.2, "stratify": "y", "fixes": fixes}})
    source = open_examples(config)
    parts = split_source(source, config)
    found = count_labels(source.rows, parts, "y")
    wanted = Counter(str(source.rows[i]["y"] or "") for i in parts.train)
    assert {c.label: c.train for c in found} == wanted
    assert sum(c.train + c.kept for c in found) == len(source.rows)
    assert found[0].label == "a"
    assert found == sorted(found, key=lambda c: -c.train - c.kept)
