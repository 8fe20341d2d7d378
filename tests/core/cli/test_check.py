"""core check through the command line: the pinned keys, and status 2 with one sentence for a wrong input."""

import json

import pytest

from core.__main__ import main
from core.config import load
from tests.factory import tone_rows, write_jsonl


def load_config(folder, file, override):
    path = folder / "config.yaml"
    path.write_text(f"data: {{path: '{file}'}}\n", encoding="utf-8")
    return load(path, [override])


@pytest.fixture
def file(tmp_path):
    return str(write_jsonl(tmp_path / "rows.jsonl", [*tone_rows(24), tone_rows(1)[0]]))


def test_the_pinned_keys(file, tokenizer_dir, capsys):
    assert main(["check", file, "--model", str(tokenizer_dir), "--split", "0.2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["rows"], result["layout"], result["columns"]) == (25, "text_label", ["phrase", "tone"])
    assert result["split"] == {"train": 20, "validation": 5}
    duplicate = next(f for f in result["findings"] if f["kind"] == "duplicate")
    assert (duplicate["count"], duplicate["rows"]) == (1, [24])


def test_for_a_person_with_a_slice(file, tokenizer_dir, capsys):
    assert (
        main(["check", file, "--model", str(tokenizer_dir), "--split", "train[:10]", "--template", "{phrase}\n{tone}"])
        == 0
    )
    assert ": 10 rows, text_label" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--template", "{phrase} {tine}"], "Did you mean {tone}?"),
        (["--task", "clasification"], "Did you mean 'classification'?"),
        (["--split", "many"], "neither a validation share"),
        (["--split", "0.9"], "at most 0.5"),
        (["--model", "/no/such/model"], "There is no model folder"),
    ],
)
def test_wrong_input_is_one_sentence(file, tokenizer_dir, capsys, more, words):
    model = [] if "--model" in more else ["--model", str(tokenizer_dir)]
    assert main(["check", file, *model, *more]) == 2
    captured = capsys.readouterr()
    assert words in captured.err and len(captured.err.strip().splitlines()) == 1 and not captured.out


def test_a_finding_says_why_and_its_fix_which_can_be_tried(file, tokenizer_dir, capsys):
    line = ["check", file, "--model", str(tokenizer_dir)]
    assert main(line) == 0
    said = capsys.readouterr().out
    assert "1 row repeats an earlier row" in said and "why: " in said and "e.g. " in said
    assert "fix: Leave repeats out: --set 'data.fixes=[drop_duplicates]'" in said
    assert main([*line, "--fix", "strip_control", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    finding = next(f for f in found if f["kind"] == "duplicate")
    assert set(finding) == {"kind", "count", "rows", "message", "severity", "why", "examples", "remedy"}
    remedy = {"label": "Leave repeats out", "field": "data.fixes", "value": ["strip_control", "drop_duplicates"]}
    assert finding["remedy"] == remedy
    assert main([*line, "--fix", "strip_control", "--fix", "drop_duplicates", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["rows"] == 24 and "1 row left out that repeats another." in result["notes"]
    assert not any(f["kind"] == "duplicate" for f in result["findings"])


def test_the_command_of_a_remedy_is_one_that_train_takes(file, tmp_path):
    config = load_config(tmp_path, file, "data.fixes=[drop_duplicates, mask_personal]")
    assert config.data.fixes == ("drop_duplicates", "mask_personal")


def test_rows_are_kept_together_by_a_column(file, tokenizer_dir, capsys):
    assert main(["check", file, "--model", str(tokenizer_dir), "--group-by", "tone", "--split", "0.3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["split"]["validation"] > 0
    assert main(["check", file, "--model", str(tokenizer_dir), "--group-by", "tune"]) == 2
    assert "Did you mean 'tone'?" in capsys.readouterr().err
