"""What the texts of rows hold is found in every column, at every depth, and counted once a row."""

from core.config import build
from core.data.checks.batch import batches
from core.data.checks.reading import Reading
from core.data.dataset import open_examples
from core.data.report import findings
from core.data.sources import open_data
from tests.core.data.test_report import plain_rows
from tests.factory import write_jsonl


def found(tmp_path, rows, **data):
    config = build({"data": {"path": str(write_jsonl(tmp_path / "a.jsonl", rows)), "validation": 0, **data}})
    return {f.kind: f for f in findings(open_examples(config), config, None)}


def test_nested_texts_and_columns_that_are_not_trained_on_count(tmp_path):
    rows = [{**row, "meta": {"from": ["nobody", ""]}, "id": i} for i, row in enumerate(plain_rows(60))]
    rows[7]["meta"]["from"] = ["x", "ada@example.org", "bob@example.org"]
    rows[9]["phrase"] = "cafÃ©"
    rows[11]["meta"]["from"] = ["a\u200bb", "password=hunter2!"]
    got = found(tmp_path, rows, template="{phrase} {tone}")
    assert {k: (f.count, f.rows) for k, f in got.items()} == {
        "personal": (1, [7]), "encoding": (1, [9]), "control": (1, [11]), "secret": (1, [11]),
        "unused": (60, []),
    }  # fmt: skip
    assert "2 e-mail addresses" in got["personal"].message
    assert got["personal"].examples == ["a…@example.org", "b…@example.org"]


def test_letters_that_are_lost_cannot_be_mended(tmp_path):
    rows = [*plain_rows(60), {"phrase": "the caf\ufffd", "tone": "sad"}]
    finding = found(tmp_path, rows)["encoding"]
    assert finding.remedy is None and "for good" in finding.message
    both = found(tmp_path, [*rows, {"phrase": "the cafÃ©", "tone": "sad"}])["encoding"]
    assert both.count == 2 and both.remedy.value == ["fix_encoding"]


def test_a_fix_that_is_on_stays_in_the_list(tmp_path):
    rows = [*plain_rows(60), {"phrase": "a\u200bb@example.org", "tone": "sad"}]
    remedy = found(tmp_path, rows, fixes=["drop_duplicates", "strip_control"])["personal"].remedy
    assert remedy.value == ["strip_control", "mask_personal", "drop_duplicates"]


def test_a_batch_finds_the_texts_that_hold_a_word_or_a_pattern(tmp_path):
    import re

    rows = [{"a": "one Key here", "b": "nothing"}, {"a": "İstanbul", "b": "no"}, {"a": "", "b": "my KEY and key"}]
    source = open_data(str(write_jsonl(tmp_path / "a.jsonl", rows)))
    for size in (2, 3):  # with and without a letter whose small one is longer
        taken = source.rows if size == 3 else source.rows.take([0, 2])
        (batch,) = batches(taken, Reading.of(source.layout, source.columns, None))
        last = size - 1
        assert list(batch.holding(["key", "absent"])) == [(0, "one Key here"), (last, "my KEY and key")]
        assert list(batch.having(re.compile("[Kk][Ee][Yy]"))) == [(0, "one Key here"), (last, "my KEY and key")]
        assert "" not in batch.texts and len(batch.texts) == len(batch.owners)
