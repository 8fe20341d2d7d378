"""The handlers of the Model tab, without a browser."""

from pathlib import Path

import pytest

from core.config import build, dumps, loads
from core.models.catalog import DEMO
from ui import form
from ui.shared import first_draft
from ui.tabs import model_handlers as handlers


def test_yaml_is_what_the_command_line_reads() -> None:
    draft = first_draft()
    text = handlers.as_yaml(draft)
    assert text == dumps(build(draft)) and loads(text) == build(draft)
    assert "learning_rate: -1" in handlers.as_yaml(form.with_value(draft, "training.learning_rate", -1))


def test_yaml_with_problems_says_them_all_and_changes_nothing() -> None:
    text = handlers.as_yaml(first_draft()).replace("r: 16", "r: 0").replace("seed: 42", "sead: 42")
    draft, filled, words = handlers.take_yaml(text, 5)
    assert not isinstance(filled, int) and "method.r" in words and "seed" in words
    assert "line 2" in handlers.take_yaml("a: 1\n  b: [", 0)[2]
    draft, filled, _ = handlers.take_yaml(handlers.as_yaml(first_draft()), 5)
    assert draft == first_draft() and filled == 6


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in handlers.take_yaml_file(str(tmp_path / "x.yaml"), 0)[2]
    assert "No file" in handlers.take_yaml_file(None, 0)[2]


def test_everything_is_checked_at_once() -> None:
    draft = first_draft()
    values = form.filled(draft)
    ok, words, go = handlers.check(draft=draft, method="lora", **values)
    assert words == "" and go["selected"] == "train" and ok == draft
    wrong = values | {"training__learning_rate": -1, "training__num_train_epochs": None}
    draft, words, _ = handlers.check(draft=form.with_value(draft, "data.path", "gone.csv"), method="lora", **wrong)
    assert "3 things to fix first" in words and "On the Data tab" in words and "Learning rate" in words


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_whole_draft_fills_the_form(method: str) -> None:
    draft = form.collected(first_draft(), method, form.filled(first_draft()))
    keys = [s.key for s in form.all_settings()]
    base, path, chosen, *rest = handlers.fill(draft, keys, ["full", "lora", "lora"])
    assert (base, path, chosen) == (DEMO, "", method)
    assert form.collected(draft, method, dict(zip(keys, rest[: len(keys)], strict=True))) == draft


def test_a_model_that_is_not_here_says_so() -> None:
    draft = form.with_value(first_draft(), "model.path", "/no/such <b>folder")
    words = handlers.facts(draft)
    assert "say bad" in words and "<b>folder" not in words
    assert "Parameters" in handlers.facts(first_draft())
    assert [path for _, path in handlers.cards()] == handlers.known()
