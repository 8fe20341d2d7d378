"""The list of runs and what can be done with them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.config import build
from core.runs import store
from tests.ui.conftest import set_state
from ui.shared import first_draft
from ui.tabs import runs


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNESMITH_RUNS", str(tmp_path))
    return tmp_path


def event(act: str, run: str) -> Any:
    return SimpleNamespace(act=act, run=run)


def test_open_and_delete() -> None:
    run = store.create(build(first_draft()))
    chosen, again, note, _, tabs = runs.act("", 0, "", event("open", run.id))
    assert (chosen, again, note, tabs["selected"]) == (run.id, 1, "", "train")
    set_state(run, "done")
    chosen, again, note, _, _ = runs.act(run.id, 1, "", event("delete", run.id))
    assert (chosen, again, note) == ("", 2, "") and not run.dir.exists()


@pytest.mark.parametrize("bad", ["../../etc", "no-such-run", "", "/", "a\x00b"])
def test_an_id_that_is_none_is_refused_in_a_sentence(bad: str) -> None:
    *_, note, _, _ = runs.act("", 0, "", event("delete", bad))
    assert "That did not work" in note
