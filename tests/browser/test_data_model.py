"""Data and Model in the real page: an own file, the template, the limit, errors at their fields, YAML, a reload."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import FILLED, Server, Watch, axe_violations, open_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """A busy machine answers late; what is asserted is that it answers."""
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def ready(page: Any) -> Any:
    """The page with its first draft drawn: rows, tokens and lengths are there."""
    expect(page.locator("#rows tbody tr")).to_have_count(10)
    expect(page.locator("#tokens .answer .tok").first).to_be_visible()
    expect(page.locator("#lengths .bars")).to_be_visible()
    return page


def tab(page: Any, name: str) -> None:
    page.locator(f"#tab-{name}-button").click()


def template_of(page: Any) -> Any:
    return page.locator("#field-data-template textarea")


def card(page: Any, title: str) -> Any:
    """The radio of a choosable card, by the first words on it."""
    return page.locator(".pick label").filter(has_text=re.compile(rf"^\s*{title}\s")).locator("input")


def upload(page: Any, path: Path) -> None:
    page.locator("#upload input[type=file]").set_input_files(path)


def test_the_first_run_is_ready_to_be_started(ready: Any) -> None:
    expect(card(ready, "fields")).to_be_checked()
    expect(ready.locator("#job")).to_contain_text("fields · 1,200 rows")
    expect(ready.locator("#job")).to_contain_text("ready")
    expect(ready.locator("#split")).to_contain_text("to train on")
    expect(ready.locator("#tab-data-button")).to_have_attribute("data-state", "done")


def test_another_demo_set_brings_its_whole_config(ready: Any) -> None:
    card(ready, "tone").check()
    expect(ready.locator("#job")).to_contain_text("tone · 900 rows")
    expect(ready.get_by_label("Classification")).to_be_checked()
    expect(template_of(ready)).to_have_value(re.compile("phrase"))


def test_any_row_can_be_looked_at(ready: Any) -> None:
    head = ready.locator("#tokens .eyebrow")
    ready.get_by_role("button", name="Next").click()
    expect(head).to_contain_text("Row 2 of 1,200")
    ready.get_by_role("button", name="Look at row 7").click()
    expect(head).to_contain_text("Row 7 of 1,200")
    ready.get_by_role("button", name="Later").click()
    expect(ready.locator("#rows")).to_contain_text("Rows 11 to 20")
    ready.get_by_label("Row", exact=True).fill("99999")
    ready.get_by_label("Row", exact=True).press("Enter")
    expect(head).to_contain_text("Row 1,200 of 1,200")
    ready.get_by_label("Show the id under each token").check()
    token = ready.locator("#tokens .tok").first
    shown = token.evaluate("t => getComputedStyle(t, '::after').content")
    assert json.loads(shown) == token.get_attribute("data-id")


def test_a_lower_limit_drops_the_middle_of_the_prompt(ready: Any) -> None:
    limit = ready.get_by_label("Longest example (tokens)")
    limit.fill("60")
    limit.blur()
    expect(ready.locator("#tokens .tok.cut").first).to_be_visible()
    expect(ready.locator("#tokens .cutmark")).to_contain_text("dropped")
    expect(ready.locator("#findings")).to_contain_text("longer than 60 tokens")
    ready.get_by_role("button", name=re.compile("Raise the limit")).first.click()
    expect(ready.locator("#tokens .tok.cut")).to_have_count(0)
    expect(ready.locator("#findings")).to_contain_text("Nothing is wrong")


def test_the_limit_moves_with_the_arrow_keys(ready: Any) -> None:
    limit = ready.locator("#lengths input[type=range]")
    limit.focus()
    for _ in range(6):
        limit.press("PageDown")
    expect(ready.locator("#lengths output")).to_contain_text("are longer")
    value = limit.input_value()
    expect(ready.get_by_label("Longest example (tokens)")).to_have_value(value)


def test_a_template_that_names_no_column_says_which_was_meant(ready: Any) -> None:
    template = template_of(ready)
    template.fill("Note: {nota}\nJSON: {fields}")
    error = ready.locator("#field-data-template .field-error")
    expect(error).to_contain_text("nota")
    expect(error).to_contain_text("note")
    expect(template).to_have_attribute("aria-invalid", "true")
    expect(ready.locator("#tab-data-button")).to_have_attribute("data-state", "fix")
    template.fill("Note: {note}\nJSON: {fields}")
    expect(error).to_have_count(0)
    expect(ready.locator("#tab-data-button")).to_have_attribute("data-state", "done")


def test_an_own_file_is_read_and_what_is_in_it_is_never_run(ready: Any, tmp_path: Path) -> None:
    nasty = "</span><img src=x onerror=\"document.title='run'\"> ${document.title='run'} `x` {{value}} \\u0041"
    rows = [{"question": f"{nasty} {i}", "answer": f"Ünïcode — {i} ✓"} for i in range(12)]
    file = tmp_path / "my file (1).jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    upload(ready, file)
    expect(ready.locator("#source")).to_contain_text("my file")
    expect(ready.locator("#rows tbody tr").first).to_contain_text("onerror")
    expect(ready.locator("#tokens")).to_contain_text("✓")
    text = "".join(ready.locator("#tokens .tok").all_text_contents())
    assert "${document.title='run'}" in text
    assert "`x` {{value}}" in text
    assert ready.title() == "Tunesmith"
    expect(ready.locator("#findings")).to_contain_text("to train on")


def test_a_broken_file_says_its_line_and_changes_nothing(ready: Any, tmp_path: Path) -> None:
    file = tmp_path / "broken.jsonl"
    file.write_text('{"a": 1}\n{"a": \n', encoding="utf-8")
    upload(ready, file)
    expect(ready.locator("#source .say.bad")).to_contain_text("line 2")
    expect(ready.locator("#job")).to_contain_text("fields · 1,200 rows")
    empty = tmp_path / "empty.csv"
    empty.write_text("", encoding="utf-8")
    upload(ready, empty)
    expect(ready.locator("#source .say.bad")).to_contain_text("empty")


def test_the_chat_template_of_the_model(ready: Any) -> None:
    ready.locator("input[type=radio][value=chat]").check()
    expect(ready.locator("#tokens .tok.special").first).to_be_visible()
    expect(template_of(ready)).to_have_count(0)
    ready.locator("input[type=radio][value=text]").check()
    expect(template_of(ready)).to_have_value(re.compile("note"))


def test_errors_stand_at_their_fields_all_at_once(ready: Any) -> None:
    tab(ready, "model")
    rate = ready.get_by_label("Learning rate")
    rate.fill("-1")
    ready.get_by_label("Epochs").fill("")
    ready.get_by_label("Batch size").fill("2.5")
    ready.get_by_role("button", name="Check and continue").click()
    expect(ready.locator("#field-training-learning_rate .field-error")).to_contain_text("-1 is too small")
    expect(ready.locator("#field-training-num_train_epochs .field-error")).to_contain_text("cannot be empty")
    expect(ready.locator("#field-training-per_device_train_batch_size .field-error")).to_contain_text("whole number")
    expect(ready.locator("#model-problems")).to_contain_text("3 things to fix")
    expect(ready.locator("#job")).to_contain_text("3 to fix")
    assert axe_violations(ready) == []
    rate.fill("0.002")
    ready.get_by_label("Epochs").fill("1")
    ready.get_by_label("Batch size").fill("16")
    ready.get_by_label("Batch size").blur()
    expect(ready.locator(".field-error")).to_have_count(0)
    expect(ready.locator("#takes")).to_contain_text("Updates")
    ready.get_by_role("button", name="Check and continue").click()
    expect(ready.locator("#tab-train-button")).to_have_attribute("aria-selected", "true")


def test_yaml_fills_the_form_and_is_what_the_form_says(ready: Any, tmp_path: Path) -> None:
    tab(ready, "model")
    ready.get_by_text("The same settings as YAML").click()
    with ready.expect_download() as caught:
        ready.get_by_role("button", name="Download", exact=True).click()
    text = Path(caught.value.path()).read_text(encoding="utf-8")
    from core.config import dumps, loads

    assert dumps(loads(text)) == text
    file = tmp_path / "other.yaml"
    changed = text.replace("r: 16", "r: 4").replace("num_train_epochs: 3.0", "num_train_epochs: 7.0")
    file.write_text(changed, encoding="utf-8")
    ready.locator("input[type=file][accept*='yaml']").set_input_files(file)
    expect(ready.get_by_label("Rank r")).to_have_value("4")
    expect(ready.get_by_label("Epochs")).to_have_value("7")
    expect(ready.locator("#job")).to_contain_text("LoRA r 4")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("lora_alpha", "lora_alfa"), encoding="utf-8")
    ready.locator("input[type=file][accept*='yaml']").set_input_files(wrong)
    expect(ready.locator("#yaml-note")).to_contain_text("lora_alpha")
    expect(ready.get_by_label("Rank r")).to_have_value("4")


def test_a_model_that_is_none_is_said_at_its_field(ready: Any) -> None:
    tab(ready, "model")
    ready.get_by_text("Another model: a folder on this machine").click()
    ready.get_by_label("Folder or Hub id").fill("/nowhere/at all")
    ready.get_by_role("button", name="Use", exact=True).click()
    expect(ready.locator("#field-model-path .field-error")).to_be_visible()
    expect(ready.locator("#model-facts .say.bad")).to_be_visible()
    tab(ready, "data")
    expect(ready.locator("#tokens .empty")).to_contain_text("Go to Model")
    tab(ready, "model")
    card(ready, "Demo").check()
    expect(ready.locator(".field-error")).to_have_count(0)


def test_the_draft_is_found_again_after_a_reload(ready: Any, server: Server, watch: Watch) -> None:
    watch.allow("AbortError|Connection errored out")  # what Gradio says of answers that a reload did not wait for
    card(ready, "summary").check()
    expect(ready.locator("#job")).to_contain_text("summary")
    tab(ready, "model")
    ready.locator("input[type=radio][value=full]").check()
    rate = ready.get_by_label("Learning rate")
    expect(rate).to_have_value("")  # that of LoRA would be too high
    rate.fill("0.00007")
    rate.blur()
    expect(ready.locator("#job")).to_contain_text("Full")
    ready.get_by_text("The same settings as YAML").click()
    expect(ready.locator("#yaml .cm-content")).to_contain_text("learning_rate: 7.0e-05")
    open_page(ready, server.url)
    expect(ready.locator("#job")).to_contain_text("summary · 1,000 rows")
    expect(ready.locator("#job")).to_contain_text("Full")
    expect(card(ready, "summary")).to_be_checked()
    tab(ready, "model")
    expect(ready.get_by_label("Learning rate")).to_have_value("0.00007")


def test_nothing_can_be_typed_before_the_draft_is_there_to_overwrite_it(
    new_page: Callable[..., Any], server: Server
) -> None:
    page, held, late = new_page(), [], True
    page.route("**/queue/join*", lambda route: held.append(route) if late else route.continue_())
    page.goto(server.url)
    tab(page, "model")
    rate = page.get_by_label("Learning rate")
    expect(rate).to_be_visible()
    assert not rate.evaluate("field => (field.focus(), document.activeElement === field)")
    late = False
    for request in held:
        request.continue_()
    page.wait_for_function(FILLED)
    rate.fill("-1")
    rate.press("Tab")
    expect(page.locator("#job")).to_contain_text("to fix")


def test_radios_are_one_stop_and_arrow_keys_move(ready: Any) -> None:
    card(ready, "fields").focus()
    ready.keyboard.press("ArrowDown")
    expect(card(ready, "tone")).to_be_checked()
    expect(ready.locator("#job")).to_contain_text("tone")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 375])
def test_no_accessibility_violation_and_nothing_wider_than_the_window(
    new_page: Callable[..., Any], server: Server, dark: bool, width: int
) -> None:
    page = open_page(new_page(width=width, dark=dark), server.url)
    expect(page.locator("#tokens .answer .tok").first).to_be_visible()
    for name in ("data", "model", "runs"):
        tab(page, name)
        page.wait_for_timeout(600)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        assert axe_violations(page) == [], name


def test_the_web_process_needs_no_torch(ready: Any, server: Server) -> None:
    for name in ("model", "runs", "data"):
        tab(ready, name)
        ready.wait_for_timeout(300)
    heavy = {m for m in server.modules() if m.partition(".")[0] in ("torch", "peft", "datasets", "onnxruntime")}
    assert not heavy
    assert not {m for m in server.modules() if m.startswith("transformers.models.")}
