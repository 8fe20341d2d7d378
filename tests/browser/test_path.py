"""The whole path in the real page, from an uploaded file to a package that runs; it takes the README's pictures.

`make pictures` runs it with the demo's own settings and writes to assets/pictures; otherwise the training is short.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Server, Watch, axe_violations, open_page
from tests.browser.test_train_evaluate_export import button, live, patience, tab
from tests.conftest import ROOT

__all__ = ["patience"]  # a fixture that applies by itself
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1500)]

PICTURES = os.environ.get("TUNESMITH_PICTURES", "")
X = "document.querySelector('.live-plot')?.data?.[0]?.x"  # the plot mounts late
POINTS, LAST = f"({X}?.length ?? 0)", f"({X}?.at(-1) ?? 0)"
HEAVY = ("torch", "peft", "datasets", "bitsandbytes", "onnxruntime", "evaluate")
NOTE = "Please send 4 kettles to Dublin for Ruth Vance by 3 May."


def picture(page: Any, name: str, full: bool = True) -> None:
    """A picture of the page as it stands, light and dark, where the README finds it."""
    folder = Path(PICTURES) if PICTURES else ROOT / "test-results" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    for scheme in ("light", "dark"):
        page.evaluate(f"tune.theme({json.dumps(scheme == 'dark')})")
        page.wait_for_timeout(400)
        page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=full)
    page.evaluate("tune.theme(false)")
    page.wait_for_timeout(400)  # colours fade over; axe would measure them half way


def upload_and_look(page: Any, folder: Path) -> None:
    """Data: an own file is read, paged through and split; then the demo set takes its place again."""
    lines = (ROOT / "assets/data/fields/train.jsonl").read_text(encoding="utf-8").splitlines()[:120]
    own = folder / "my orders.jsonl"
    own.write_text("\n".join(lines), encoding="utf-8")
    page.locator("#upload input[type=file]").set_input_files(own)
    expect(page.locator("#job")).to_contain_text("my orders · 120 rows")
    expect(page.locator("#tokens .answer .tok").first).to_be_visible()
    button(page, "Next").click()
    expect(page.locator("#tokens .eyebrow")).to_contain_text("Row 2 of 120")
    words = "".join(page.locator("#tokens .answer .tok").all_text_contents())
    assert json.loads(lines[1])["fields"] in words
    page.locator(".pick label").filter(has_text="fields").first.locator("input").check()
    expect(page.locator("#job")).to_contain_text("fields · 1,200 rows")
    expect(page.locator("#tokens .eyebrow")).to_contain_text("of 1,200")
    picture(page, "data")


def test_from_a_file_to_a_package_that_runs(
    new_page: Callable[..., Any], own_server: Server, watch: Watch, tmp_path: Path
) -> None:
    watch.allow(
        "ERR_CONNECTION|Failed to fetch|NetworkError|net::|404|Connection|AbortError|network error"
    )  # server is dead
    page = open_page(new_page(width=1440, height=1100), own_server.url)
    expect(page.locator("#rows tbody tr")).to_have_count(10)
    upload_and_look(page, tmp_path)

    button(page, "Continue to model").click()
    if not PICTURES:
        for fold in ("Schedule and optimiser", "Checks, checkpoints"):
            page.get_by_role("button", name=fold).click()
        page.locator("#field-training-max_steps input").fill("40")
        page.locator("#field-training-eval_steps input").fill("20")
        page.locator("#field-training-eval_steps input").press("Tab")
        expect(page.locator("#takes")).to_contain_text("40")
    picture(page, "model")
    button(page, "Check and continue").click()

    button(page, "Start training").click()
    expect(live(page, "head")).to_contain_text("Running")
    page.wait_for_function(f"{POINTS} >= 2", timeout=300_000)
    seen = page.evaluate(LAST)
    own_server.stop(kill=True)
    own_server.start()
    open_page(page, own_server.url)
    tab(page, "train")
    page.wait_for_function(f"{LAST} > {seen}", timeout=300_000)
    if PICTURES:
        page.wait_for_function(f"{LAST} >= 260", timeout=600_000)
        picture(page, "train-live")
    expect(button(page, "Continue to evaluate")).to_be_visible(timeout=900_000)
    assert page.evaluate(f"{X}[0]") == 1
    expect(live(page, "head")).to_contain_text("loaded back")
    page.get_by_role("button", name="Log scale").click()
    picture(page, "train")

    button(page, "Continue to evaluate").click()
    button(page, "Evaluate").click()
    expect(button(page, "Continue to export")).to_be_visible(timeout=900_000)
    expect(page.locator(".group h3").filter(has_text="new")).to_be_visible()
    wrong = page.locator(".segment label").filter(has_text="Wrong")
    wrong.click()
    expect(page.locator(".pager [role=status]")).to_contain_text(wrong.inner_text().split()[-1])
    page.locator(".segment:visible label").filter(has_text="All").first.click()
    picture(page, "evaluate")

    button(page, "Continue to export").click()
    button(page, "Compare all 4" if PICTURES else "Export int8 for CPU").click()
    if PICTURES:
        expect(button(page, "Cancel")).to_be_visible()
        expect(button(page, "Cancel")).to_be_hidden(timeout=900_000)
        page.locator("#try-field-0 textarea").fill(NOTE)
        page.locator("#try-ask").click()
        expect(page.locator("#try-answers")).to_contain_text("answer")
    link = page.get_by_role("link", name="Download")
    expect(link).to_be_visible(timeout=900_000)
    expect(page.locator(".detail .badge")).to_contain_text("Verified")
    picture(page, "export")
    with page.expect_download() as package:
        link.click()
    package.value.save_as(tmp_path / "package.zip")
    with zipfile.ZipFile(tmp_path / "package.zip") as archive:
        archive.extractall(tmp_path / "package")
    run = next((tmp_path / "package").rglob("run.py"))
    said = subprocess.run(
        [sys.executable, run.name, "--field", f"note={NOTE}"],
        cwd=run.parent,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert said.returncode == 0, said.stderr
    assert "{" in said.stdout and '"name"' in said.stdout

    tab(page, "runs")
    expect(page.get_by_role("row").filter(has_text="fields").first).to_be_visible()
    picture(page, "runs")
    assert not axe_violations(page)
    loaded = own_server.modules()
    assert not {m for m in loaded if m.split(".")[0] in HEAVY or m.startswith("transformers.models.")}


@pytest.mark.skipif(not PICTURES, reason="pictures of the phone are taken by make pictures only")
def test_the_pictures_of_a_phone(new_page: Callable[..., Any], server: Server) -> None:
    page = open_page(new_page(width=375, height=812), server.url)
    expect(page.locator("#tokens .answer .tok").first).to_be_visible()
    picture(page, "data-phone")
