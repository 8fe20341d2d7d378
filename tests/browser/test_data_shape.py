"""The Data tab in the real page: files, mapping, rows kept back, formats, what the doctor mends, changed copies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import axe_violations
from tests.browser.test_data_model import ready, upload

__all__ = ["ready"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """A busy machine answers late; what is asserted is that it answers."""
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Rows with two labels, some of them twice, an address and a broken letter."""
    file = tmp_path / "reviews.jsonl"
    rows = [{"review": f"The parcel number {i} came in time", "verdict": "good"} for i in range(40)]
    rows += [{"review": f"The parcel number {i} was lost on the way", "verdict": "bad"} for i in range(8)]
    rows += rows[:3]
    rows += [{"review": "Write to ada.lovelace@example.org about the cafÃ© order", "verdict": "bad"}]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return file


def choose(page: Any, label: str, option: str) -> None:
    """Choose in a dropdown of Gradio's."""
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_several_files_become_one_set(ready: Any, reviews: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.csv"
    more.write_text("review,verdict\nnever again,bad\n", encoding="utf-8")
    ready.locator("#upload input[type=file]").set_input_files([reviews, more])
    expect(ready.locator("#job")).to_contain_text("53 rows")
    expect(ready.locator("#source")).to_contain_text("text and label")


def test_how_the_columns_are_read_can_be_overruled(ready: Any) -> None:
    ready.locator("input[type=radio][value=chat]").check()
    asked = ready.locator("#tokens .chat .mine")
    expect(asked).to_contain_text("Fatima")
    ready.get_by_text("How the columns are read").click()
    choose(ready, "Layout", "Text and label")
    expect(ready.locator("#source")).to_contain_text("text and label")
    choose(ready, "Layout", "Prompt and completion")
    choose(ready, "Prompt", "fields")
    expect(ready.locator("#field-data-roles")).to_contain_text("cannot be both")
    choose(ready, "Answer", "note")
    expect(ready.locator(".field-error")).to_have_count(0)
    expect(asked).to_contain_text('{"name"')
    choose(ready, "Layout", "Found from the rows")
    expect(asked).not_to_contain_text('{"name"')


def test_rows_are_kept_back_by_share_slice_and_fold(ready: Any) -> None:
    split = ready.locator("#split")
    expect(split).to_contain_text("1,080 to train on")
    ready.get_by_label("A slice or a file").check()
    expect(split).to_contain_text("120 to check with")
    field = ready.get_by_label("A slice, a split or a file")
    field.fill("[:100]")
    field.press("Enter")
    expect(split).to_contain_text("100 to check with")
    field.fill("nowhere.jsonl")
    field.press("Enter")
    expect(ready.locator("#field-data-validation-of-named .field-error")).to_contain_text("nowhere.jsonl")
    ready.get_by_label("K-fold").check()
    expect(split).to_contain_text("240 to check with")
    ready.get_by_label("Folds", exact=True).fill("4")
    ready.get_by_label("Folds", exact=True).press("Enter")
    expect(split).to_contain_text("300 to check with")
    ready.get_by_label("A share", exact=True).check()
    expect(split).to_contain_text("1,080 to train on")
    expect(ready.locator(".field-error")).to_have_count(0)


def test_a_known_format_with_a_system_prompt_beside_the_chat(ready: Any) -> None:
    ready.get_by_label("A known format").check()
    choose(ready, "Format", "ChatML")
    expect(ready.locator("#tokens")).to_contain_text("im_start")
    system = ready.locator("#field-data-system textarea")
    system.fill("Answer in JSON.")
    system.blur()
    chat = ready.locator("#tokens .chat li")
    expect(chat).to_have_count(3)
    expect(chat.first).to_contain_text("Answer in JSON.")
    expect(chat.last).to_have_class(re.compile("learn"))
    ready.get_by_label("All text").check()
    expect(chat.nth(1)).to_have_class(re.compile("learn"))
    assert axe_violations(ready) == []


def test_what_the_doctor_finds_is_mended_and_undone(ready: Any, reviews: Path) -> None:
    upload(ready, reviews)
    findings = ready.locator("#findings")
    expect(findings).to_contain_text("3 rows repeat")
    expect(findings).to_contain_text("ad…@example.org")
    findings.locator("[data-field='data.fixes'][data-value*=drop_duplicates]").first.click()
    expect(findings.locator(".mended")).to_contain_text("left out")
    expect(ready.locator("#job")).to_contain_text("49 rows")
    findings.locator("[data-field='data.fixes'][data-value*=mask_personal]").first.click()
    expect(findings.locator(".mended li")).to_have_count(2)
    expect(ready.locator("#rows")).not_to_contain_text("ada.lovelace")
    assert axe_violations(ready) == []
    findings.get_by_role("button", name="Undo").first.click()
    expect(findings.locator(".mended li")).to_have_count(1)
    findings.get_by_role("button", name="Undo").first.click()
    expect(findings.locator(".mended")).to_have_count(0)
    expect(ready.locator("#job")).to_contain_text("52 rows")


def test_copies_are_shown_before_and_after(ready: Any, reviews: Path) -> None:
    upload(ready, reviews)
    expect(ready.locator("#job")).to_contain_text("52 rows")
    ready.wait_for_function("!document.body.dataset.opening")
    ready.locator("#field-augmentation-copies input[type=range]").focus()
    ready.keyboard.press("ArrowRight")
    expect(ready.locator("#augmented .copies dd")).to_have_count(1)
    expect(ready.locator("#augmented ins").first).to_be_visible()
    expect(ready.locator("#augmented")).to_contain_text("changed copies")
    ready.get_by_label("Over-sample").check()
    expect(ready.locator("#augmented")).to_contain_text("each of 2 labels has 39 rows")
    assert axe_violations(ready) == []


def test_the_limit_shows_at_once_what_it_costs(ready: Any) -> None:
    figures = ready.locator("#lengths .figs dd")
    expect(figures.first).to_be_visible()
    before = figures.all_text_contents()
    limit = ready.locator("#lengths input[type=range]")
    limit.focus()
    for _ in range(6):
        limit.press("PageDown")
    assert figures.all_text_contents() != before
