"""core estimate through the command line: the pinned keys, words for a person, and status 2 for a wrong input."""

import json

import pytest

from core import config as configs
from core.__main__ import main
from tests.factory import tone_rows, write_jsonl


@pytest.fixture
def file(tmp_path):
    rows = write_jsonl(tmp_path / "rows.jsonl", tone_rows(40))
    given = configs.build({"data": {"path": str(rows), "template": "{phrase}\n{tone}"}})
    path = tmp_path / "config.yaml"
    path.write_text(configs.dumps(given), encoding="utf-8")
    return str(path)


@pytest.fixture(autouse=True)
def no_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNESMITH_RUNS", str(tmp_path / "runs"))


def test_the_pinned_keys(file, capsys):
    assert main(["estimate", file, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["peak_bytes"] == sum(result["parts"].values()) > 2**29
    assert result["seconds"] == pytest.approx(sum(result["times"].values())) and result["fits"] is True
    assert result["rows"] == {"train": 36, "validation": 4} and result["steps"] == 15
    assert result["longest"] > 5 and 0 <= result["padding"] < 1 and result["truncated"] == 0


def test_what_is_changed_changes_the_answer(file, capsys):
    assert main(["estimate", file, "--json", "--set", "augmentation.copies=1", "--set", "augmentation.case=0.5"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["train"] > 60
    assert main(["estimate", file, "--json", "--set", "method.name=full"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["trained"] == result["parameters"]


def test_for_a_person(file, capsys):
    assert main(["estimate", file]) == 0
    said = capsys.readouterr().out
    assert "it fits" in said and "15 updates" in said and "36 to train on, 4 kept back" in said and "MiB" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("data.template={phrase} {tine}", "Did you mean {tone}?"),
        ("model.path=/no/such/model", "There is no model folder"),
        ("data.path=none.jsonl", "none.jsonl"),
    ],
)
def test_one_sentence_for_a_wrong_input(file, capsys, change, words):
    assert main(["estimate", file, "--set", change, "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and "Traceback" not in err
