"""Copies and balance: the draft, and one row before and after."""

from ui import dataset, form
from ui.header import strip
from ui.shared import first_draft
from ui.tabs.data import augment


def test_the_first_copy_brings_a_change_with_it(draft: dict) -> None:
    changed, *shares = augment.put_copies(2.0, draft)
    assert changed["augmentation"]["copies"] == 2
    assert form.errors(changed) == {}
    assert max(shares) == changed["augmentation"]["typo"] > 0
    none, *_ = augment.put_copies(0.0, changed)
    assert none["augmentation"]["copies"] == 0


def test_a_row_is_shown_before_and_after_with_its_text_escaped(draft: dict) -> None:
    parts = dataset.counts(draft)
    changed = augment.put("swap", 0.5, augment.put("copies", 2, draft))
    html = augment.drawn(changed, parts.train[0])
    assert "<ins>" in html
    assert "<del>" in html
    assert "<b>note" not in html
    assert f"{len(parts.train)} rows to train on become" in html
    assert "<ins>" not in augment.drawn(changed, parts.validation[0])  # it is kept back, and never changed


def test_nothing_is_said_plainly_when_nothing_is_added(draft: dict) -> None:
    assert "Nothing is added" in augment.drawn(draft, 0)


def test_what_cannot_be_made_is_said(draft: dict) -> None:
    changed = form.with_value(augment.put("swap", 0.5, augment.put("copies", 1, draft)), "data.template", "[[{note}]]")
    assert "could be changed" in augment.drawn(changed, 0)


def test_labels_in_equal_number_are_told() -> None:
    draft = augment.put("balance", "under", first_draft())
    html = augment.drawn(draft, 0)
    assert "say mute" in html or "become" in html


def test_a_copy_without_a_change_is_said_at_its_field_and_on_the_data_tab(draft: dict) -> None:
    changed = augment.put("typo", 0.0, augment.put_copies(1.0, draft)[0])
    assert "nothing would be changed" in dataset.problems(changed)["augmentation.copies"].lower()
    assert 'data-mark="data:fix"' in strip(changed)


def test_a_broken_list_of_synonyms_names_its_line(draft: dict) -> None:
    changed = augment.put("synonym", 0.5, augment.put("copies", 1, draft))
    changed = augment.put_synonyms("big = large\nsmall tiny", changed)
    assert "line 2" in augment.drawn(changed, dataset.counts(draft).train[0]).lower()
