"""Unequal labels and too few rows, counted among the rows that are trained on."""

from core.config import build
from core.data.checks import classes
from core.data.dataset import open_examples
from core.data.report import Remedy, findings
from tests.core.data.test_report import plain_rows
from tests.factory import write_jsonl


def found(tmp_path, rows, task="classification", balance="none", **data):
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    config = build(
        {"data": {"path": str(path), "validation": 0, **data}, "task": task, "augmentation": {"balance": balance}}
    )
    return {f.kind: f for f in findings(open_examples(config), config, None)}


def labelled(**counts):
    names = [name for name, count in counts.items() for _ in range(count)]
    return [{"phrase": row["phrase"], "tone": name} for row, name in zip(plain_rows(len(names)), names, strict=True)]


def test_a_rare_label_is_told_with_the_remedy(tmp_path):
    got = found(tmp_path, labelled(glad=80, sad=40, angry=8, calm=1))["imbalance"]
    assert got.message == "The labels are unequal: 'glad' has 80 rows, 'calm' has 1; 1 label has a single row."
    assert (got.count, got.rows) == (9, [120, 128]), "rows of the rare labels, and the first of each"
    assert got.examples == ["glad: 80 rows", "angry: 8 rows", "calm: 1 row"]
    assert got.remedy == Remedy("Repeat rows of the rare labels", "augmentation.balance", "over")
    assert "imbalance" not in found(tmp_path, labelled(glad=80, sad=40, angry=8, calm=1), balance="over")


def test_labels_that_are_nearly_equal_are_no_finding(tmp_path):
    assert found(tmp_path, labelled(glad=80, sad=9)) == {}
    assert found(tmp_path, labelled(glad=80)) == {}


def test_answers_that_are_no_labels_are_not_counted(tmp_path, monkeypatch):
    rows = [{"prompt": r["phrase"], "completion": r["tone"]} for r in labelled(glad=80, calm=1)]
    assert "imbalance" not in found(tmp_path, rows, "generation")
    assert "imbalance" in found(tmp_path, rows)
    monkeypatch.setattr(classes, "MOST", 1)
    assert "imbalance" not in found(tmp_path, rows)


def test_rows_kept_back_do_not_count(tmp_path):
    rows = labelled(glad=80, calm=10)
    assert "imbalance" not in found(tmp_path, rows)
    got = found(tmp_path, rows, validation="[84:]")
    assert got["imbalance"].examples == ["glad: 80 rows", "calm: 4 rows"]


def test_few_rows(tmp_path):
    got = found(tmp_path, plain_rows(49))["few_rows"]
    assert got.count == 49 and got.message.startswith("There are only 49 rows to train on")
    assert found(tmp_path, plain_rows(1))["few_rows"].message.startswith("There is only 1 row")
    assert "few_rows" not in found(tmp_path, plain_rows(50))
