"""core check through the command line: the pinned keys, and status 2 with one sentence for a wrong input."""

import json

import pytest

from core.__main__ import main
from tests.factory import tone_rows, write_jsonl


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
