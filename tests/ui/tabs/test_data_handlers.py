"""The handlers of the Data tab, without a browser."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ui import dataset, form
from ui.shared import first_draft
from ui.tabs import data_handlers as handlers
from ui.tabs import data_view as shown


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNESMITH_UPLOADS", str(tmp_path / "kept"))
    path = tmp_path / "rows.jsonl"
    made = [{"note": f"<b>note {i}</b>", "label": "yes" if i % 2 else "no"} for i in range(23)]
    path.write_text("\n".join(map(json.dumps, made)), encoding="utf-8")
    return path


def event(**data: Any) -> Any:
    return SimpleNamespace(**data)


def test_a_demo_set_brings_its_whole_config() -> None:
    draft, filled, *_ = handlers.take_demo("tone", {}, 3)
    assert draft["data"]["path"].endswith("tone/train.jsonl") and draft["task"] == "classification" and filled == 4


def test_an_upload_becomes_the_data_with_a_template_and_a_task(rows: Path) -> None:
    draft, filled, *_ = handlers.take_upload(str(rows), first_draft(), 0)
    assert filled == 1 and draft["data"]["path"] != str(rows)
    assert draft["evaluation"]["data"] is None  # the held-out file of the demo set is not this file's
    assert "{label}" in draft["data"]["template"]
    assert dataset.problems(draft) == {}


def test_what_cannot_be_read_is_said_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"a": 1}\n{', encoding="utf-8")
    draft, filled, words, _ = handlers.take_path(str(tmp_path / "broken.jsonl"), first_draft(), 0)
    assert not isinstance(draft, dict) or "data" not in draft
    assert "line 2" in words and "say bad" in words


def test_the_table_is_a_page_of_escaped_rows(rows: Path) -> None:
    draft = dataset.with_data(first_draft(), str(rows))
    html = shown.table(draft, 20, 21)
    assert "Rows 21 to 23 of 23" in html and html.count("<tr data-row") == 3
    assert "<b>note" not in html and "&lt;b&gt;note 20" in html
    assert 'data-first="30" disabled' in html.replace('"30"disabled', '"30" disabled')
    assert shown.table(draft, 10**9, 0).count("<tr data-row") == 3


def test_rows_that_are_asked_for_are_rows_that_there_are(rows: Path) -> None:
    draft = dataset.with_data(first_draft(), str(rows))
    assert handlers.go_to(draft, 0) == 0 and handlers.go_to(draft, 10**9) == 22 and handlers.go_to(draft, None) == 0
    assert handlers.pick(draft, event(row=-5)) == 0
    assert handlers.step("Previous", draft, 0) == 22 and handlers.step("Next", draft, 22) == 0
    assert 0 <= handlers.step("Random", draft, 3) < 23
    assert handlers.step("Longest", draft, 3) == dataset.lengths(draft).longest


def test_the_view_is_what_training_will_read(rows: Path) -> None:
    draft = dataset.with_data(first_draft(), str(rows))
    view, number = shown.looked_at(draft, 4)
    assert number == 5 and 'class="answer"' in view and "&lt;" in view
    bad, _ = shown.looked_at(form.with_value(draft, "data.template", "{nota} {label}"), 4)
    assert "Mend the template" in bad


def test_without_a_model_the_view_leads_to_it(rows: Path) -> None:
    draft = form.with_value(first_draft(), "model.path", "/no/such/folder")
    view, _ = shown.looked_at(draft, 0)
    assert 'data-tab="model"' in view
    lengths, split = shown.measured(draft)
    assert "measured as soon as" in lengths and "to train on" in split
    assert "cannot look yet" in shown.doctor(draft)


def test_the_doctor_mends_what_it_can() -> None:
    draft = form.with_value(first_draft(), "data.max_tokens", 60)
    assert "Raise the limit to" in shown.doctor(draft)
    mended, value = handlers.mend(draft, event(limit=max(dataset.lengths(draft).tokens)))
    assert mended["data"]["max_tokens"] == value
    assert "Raise the limit" not in shown.doctor(mended)


def test_chat_and_text_keep_each_other(rows: Path) -> None:
    draft = dataset.with_data(first_draft(), str(rows))
    words = draft["data"]["template"]
    chat, *_ = handlers.put_kind("chat", words, draft)
    assert chat["data"]["template"] is None
    assert handlers.put_template("late", chat) == chat
    assert handlers.put_template("{label}", draft)["data"]["template"] == "{label}"
    text, *_ = handlers.put_kind("text", words, chat)
    assert text["data"]["template"] == words
    assert handlers.put_kind("text", "", chat)[0]["data"]["template"] == words  # suggested from the layout
