"""How a row becomes text, and which row is looked at."""

from pathlib import Path

from tests.ui.tabs.data.conftest import event
from ui import dataset, form
from ui.shared import first_draft
from ui.tabs.data import measured, words


def test_rows_that_are_asked_for_are_rows_that_there_are(draft: dict) -> None:
    assert words.go_to(draft, 0) == 0
    assert words.go_to(draft, 10**9) == 22
    assert words.go_to(draft, None) == 0
    assert words.pick(draft, event(row=-5)) == 0
    assert words.step("Previous", draft, 0) == 22
    assert words.step("Next", draft, 22) == 0
    assert 0 <= words.step("Random", draft, 3) < 23
    assert words.step("Longest", draft, 3) == dataset.longest(draft)


def test_the_view_is_what_training_will_read(draft: dict) -> None:
    view, number = words.looked_at(draft, 4)
    assert number == 5
    assert 'class="answer"' in view
    assert "&lt;" in view
    assert 'class="theirs learn"' in view
    bad, _ = words.looked_at(form.with_value(draft, "data.template", "{nota} {label}"), 4)
    assert "Mend the template" in bad


def test_without_a_model_the_view_leads_to_it() -> None:
    draft = form.with_value(first_draft(), "model.path", "/no/such/folder")
    view, _ = words.looked_at(draft, 0)
    assert 'data-tab="model"' in view
    lengths, split = measured(draft)
    assert "measured as soon as" in lengths
    assert "to train on" in split


def test_text_chat_and_formats_keep_each_other(draft: dict) -> None:
    text = draft["data"]["template"]
    chat, *_ = words.put_kind("chat", text, "chatml", draft)
    assert chat["data"]["template"] is None
    assert words.put_template("late", chat) == chat
    assert words.put_template("{label}", draft)["data"]["template"] == "{label}"
    named, *_ = words.put_kind("named", text, "chatml", chat)
    assert named["data"]["template"] == "chatml"
    assert words.kind_of(named) == "named"
    assert "im_start" in words.looked_at(named, 0)[0]
    back, template, *_ = words.put_kind("text", text, "chatml", named)
    assert back["data"]["template"] == text
    assert template["value"] == text
    assert words.put_kind("text", "", "chatml", chat)[0]["data"]["template"] == text  # suggested from the layout


def test_the_system_prompt_is_for_chats(draft: dict) -> None:
    chat, *_ = words.put_kind("chat", "", "chatml", draft)
    chat = words.put_system(" Be brief. ", chat)
    assert chat["data"]["system"] == "Be brief."
    assert "Be brief." in words.looked_at(chat, 0)[0]
    text, *_ = words.put_kind("text", "", "chatml", chat)
    assert text["data"]["system"] is None
    assert words.put_system("  ", chat)["data"]["system"] is None


def test_the_loss_can_be_on_all_text(draft: dict) -> None:
    everything = form.with_value(draft, "data.train_on", "all")
    some, every = (dataset.preview(d, 0).n_trained for d in (draft, everything))
    assert some < every == dataset.preview(draft, 0).n_tokens


def test_the_task_that_the_rows_look_like_is_said(draft: dict) -> None:
    assert words.note(draft) == ""
    assert "classification" in words.note(form.with_value(draft, "task", "generation"))


def test_an_own_file_shows_its_columns(rows: Path, draft: dict) -> None:
    assert 'data-insert="{note}"' in words.columns(draft)
