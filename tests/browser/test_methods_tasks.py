"""Each method and each task in the real page: what is chosen is trained, and its result is looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests import factory
from tests.browser.conftest import Server, Watch, axe_violations, open_page
from tests.browser.test_train_evaluate_export import button, live, patience, tab

__all__ = ["patience"]  # a fixture that applies by itself
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]

WORDS = ["red", "green", "small", "old", "new", "round", "tall", "cold"]
THINGS = ["house", "river", "kettle", "garden", "lamp", "boat"]


def rows_of(kind: str) -> list[dict[str, Any]]:
    """Forty short rows of a layout."""
    pairs = [(WORDS[i % 8], THINGS[i // 8 % 6]) for i in range(40)]
    if kind == "labels":
        return factory.tone_rows(40)
    if kind == "tags":
        return [{"tokens": ["the", w, t, "of", "Ghent"], "tags": ["O", "O", "O", "O", "B-PLACE"]} for w, t in pairs]
    if kind == "pairs":
        return [
            {"sentence1": f"the {w} {t}", "sentence2": f"a {t} that is {w if i % 2 else 'gone'}", "score": float(i % 2)}
            for i, (w, t) in enumerate(pairs)
        ]
    if kind == "fields":
        return [{"note": f"one {t}, {w}", "fields": f'{{"what": "{t}", "how": "{w}"}}'} for w, t in pairs]
    if kind == "summaries":
        return [{"document": f"There is a {t} here. It is {w}. It was made long ago.", "summary": f"A {w} {t} is here."}
                for w, t in pairs]  # fmt: skip
    return [{"prompt": f"What is {w}?", "completion": f"The {t} is {w}."} for w, t in pairs]


# (rows, task, model: "demo" or a family, method): each method and each task once at least
CASES = [
    ("prompts", "generation", "demo", "full"),
    ("labels", "classification", "demo", "lora"),
    ("labels", "classification", "bert", "adapter"),
    ("tags", "extraction", "bert", "ia3"),
    ("fields", "extraction", "demo", "qlora"),
    ("summaries", "summarization", "demo", "prompt"),
    ("summaries", "summarization", "t5", "lora"),
    ("pairs", "similarity", "distilbert", "lora"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny models of the families."""
    folder = tmp_path_factory.mktemp("models")
    return {name: factory.tiny_model(name, folder / f"tiny-{name}") for name in ("bert", "distilbert", "t5")}


@pytest.fixture(scope="module")
def visit(browser: Any, server: Server) -> Iterator[Any]:
    """One visit for all cases: what is set stays set, as for a person who tries one thing after another."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    watch = Watch()
    page = open_page(watch.page(context.new_page()), server.url)
    page.set_default_timeout(60_000)
    tab(page, "model")
    for fold, name, value in (
        ("Schedule and optimiser", "max_steps", "4"),
        ("Checks, checkpoints and logs", "eval_steps", "2"),
        ("Checks, checkpoints and logs", "save_steps", "2"),
    ):
        box = page.locator(f"#field-training-{name} input")
        if not box.is_visible():
            page.get_by_role("button", name=fold).click()
        box.fill(value)
        box.press("Tab")
    yield page
    context.close()
    watch.allow("AbortError|Failed to fetch|ERR_ABORTED")
    watch.check()


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case))
def test_a_run_of_each_method_and_each_task(
    case: tuple[str, str, str, str], visit: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    rows, task, model, method = case
    page = visit
    tab(page, "data")
    file = factory.write_jsonl(tmp_path / f"{rows} {model}.jsonl", rows_of(rows))
    page.locator("#upload input[type=file]").set_input_files(file)
    expect(page.locator("#job")).to_contain_text(f"{rows} {model} · 40 rows")
    page.locator("#field-task label").filter(has_text=task.capitalize()).locator("input").check()

    button(page, "Continue to model").click()
    expect(page.locator("#base-cards")).to_be_visible()
    if model == "demo":
        page.locator("#base-cards label").filter(has_text="Demo").locator("input").check()
    else:
        path = page.locator("#field-model-path").locator("input, textarea")
        if not path.is_visible():
            page.get_by_text("Another model: a folder on this machine").click()
        path.fill(str(models[model]))
        button(page, "Use").click()
        expect(page.locator("#model-facts")).to_contain_text("Parameters")
        expect(page.locator("#job")).to_contain_text(f"tiny-{model}")
    page.locator(f"#field-method-name input[value={method}]").check()
    button(page, "Check and continue").click()
    expect(page.locator("#tab-train-button")).to_have_attribute("aria-selected", "true")

    page.get_by_role("button", name=re.compile("^(Start|Queue) ")).click()
    expect(live(page, "head")).to_contain_text("loaded back", timeout=300_000)
    expect(live(page, "strip")).to_contain_text("of 4")
    expect(live(page, "samples").locator("table").first.locator("tbody tr").first).to_be_visible()
    expect(live(page, "samples")).to_contain_text("Asked")


def test_a_seldom_used_setting_reaches_the_run_and_a_wrong_one_is_said_at_its_field(
    new_page: Callable[..., Any], server: Server
) -> None:
    page = open_page(new_page(), server.url)
    tab(page, "model")
    page.get_by_text("The same settings as YAML").click()
    for fold in ("More of LoRA", "Schedule and optimiser", "Batches and memory"):
        page.get_by_role("button", name=fold).click()
    page.get_by_label("Weight-decomposed (DoRA)").check()
    page.locator("#field-training-batching input").click()
    page.get_by_role("option", name="packed").click()
    expect(page.locator("#yaml")).to_contain_text("batching: packed")
    page.locator("#field-method-name input[value=prompt]").check()
    expect(page.locator("#field-training-batching .field-error")).to_contain_text("in front of each")
    page.locator("#presets label").filter(has_text="Quick try").locator("input").check()
    expect(page.locator("#preset-changes")).to_contain_text("Mend what is wrong first")
    page.locator("#field-method-name input[value=lora]").check()
    button_of = page.get_by_role("button", name="Apply")
    expect(button_of).to_be_visible()
    button_of.click()
    expect(page.locator("#field-training-max_steps input")).to_have_value("60")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#field-training-max_steps input")).to_have_value("")
    assert axe_violations(page) == []
