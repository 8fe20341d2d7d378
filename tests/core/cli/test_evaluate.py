"""The command evaluate: its one line of JSON, its states, its exit statuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import __main__ as cli
from core import config as configs
from core.runs import store
from core.runs.state import StateFile
from core.runs.store import Run
from tests import factory

TEMPLATE = "{phrase}\n-> {tone}"


@pytest.fixture
def run_dir(tiny_llama: Path, rows_file: Path, runs_dir: Path) -> Run:
    """A run whose tuned model is its base: all figures are equal."""
    values: dict[str, Any] = {
        "task": "classification",
        "model": {"path": str(tiny_llama)},
        "data": {"path": str(rows_file), "template": TEMPLATE, "validation": 0.3},
        "method": {"name": "full"},
        "evaluation": {"max_new_tokens": 4},
    }
    run = store.create(configs.build(values))
    (run.dir / "model").symlink_to(tiny_llama)
    return run


def test_a_run_by_its_id(run_dir: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", run_dir.id, "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["rows"] == 7 and result["metrics"] == result["baseline"]
    assert result["difference"]["accuracy"] == {"mean": 0, "low": 0, "high": 0, "p": 1}
    assert "answering with the base model, row 7 of 7" in err
    assert run_dir.evaluation() == result
    state = run_dir.evaluation_state()
    assert state is not None and state.state == "done" and state.done == state.total > 0


def test_a_model_alone_for_a_person(tiny_llama: Path, rows_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = [
        "evaluate",
        str(tiny_llama),
        "--data",
        f"{rows_file}[:6]",
        "--template",
        TEMPLATE,
        "--task",
        "classification",
    ]
    assert cli.main([*line, "--metrics", "accuracy, perplexity"]) == 0
    out = capsys.readouterr().out
    assert "on 6 rows of " in out and "task classification" in out
    assert "Accuracy" in out and "lower is better" in out and "6 rows are few" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--metrics", "acuracy"], "Did you mean 'accuracy'?"),
        (["--metrics", " , "], "names no metric"),
        (["--rows", "0"], "--rows"),
        (["--split", "first half"], "--split 'first half' is not known"),
        (["--data", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--template", "{phrase} {tone}"], "brings its task and template"),
        (["--baseline", "no/such"], "no/such"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(
    run_dir: Run, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["evaluate", run_dir.id, "--json", *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err.splitlines()[-1] and "Traceback" not in err


def test_no_such_run_or_model(capsys: pytest.CaptureFixture[str], rows_file: Path) -> None:
    assert cli.main(["evaluate", "no such thing", "--data", str(rows_file)]) == 2
    assert "no such thing" in capsys.readouterr().err


def test_a_run_without_weights_says_so_and_so_does_its_state_where_the_page_asked(
    run_dir: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_dir.dir / "model").unlink()
    assert cli.main(["evaluate", run_dir.id, "--baseline", "none"]) == 2
    assert "no tuned model yet" in capsys.readouterr().err
    assert not (run_dir.dir / "evaluation").exists()  # who typed it has read it: nothing is left behind
    StateFile(run_dir.dir / "evaluation" / "state.json").queue()  # as the page does
    assert cli.main(["evaluate", run_dir.id, "--baseline", "none"]) == 2
    state = run_dir.evaluation_state()
    assert state is not None and state.state == "failed" and "no tuned model yet" in state.error


@pytest.mark.slow
def test_the_whole_command(run_dir: Run, tmp_path: Path, command: Callable[..., Any]) -> None:
    held = factory.write_jsonl(tmp_path / "held out é.jsonl", factory.tone_rows(9))
    answer = command("evaluate", run_dir.id, "--data", held, "--baseline", "none", "--json")
    assert (answer.status, answer.json["rows"], answer.json["baseline"]) == (0, 9, None)
