"""Train, Evaluate and Export in the real page: a run that outlives page and server, its figures, its package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import expect

from core.config import build, dumps
from core.runs.files import write_json
from tests import factory
from tests.browser.conftest import Server, Watch, axe_violations, open_page
from tests.conftest import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

STARTS = re.compile("^(Start|Queue) ")  # the button that starts a run, whatever it says it starts
POINTS = "document.querySelector('.live-plot')?.data?.[0].x.length"
LAST = "document.querySelector('.live-plot')?.data?.[0].x.at(-1)"


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """A busy machine answers late; what is asserted is that it answers."""
    expect.set_options(timeout=180_000)
    yield
    expect.set_options(timeout=5_000)


def tab(page: Any, name: str) -> None:
    page.locator(f"#tab-{name}-button").click()


def live(page: Any, name: str) -> Any:
    """A piece of the Train tab that polls fill."""
    return page.locator(f"[data-live={name}]")


def button(page: Any, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


def written(server: Server, steps: range, state: str = "running") -> Path:
    """A run directory as a training process writes it; "running" is this process, which lives."""
    run = server.runs / f"20260101-0000{len(list(server.runs.iterdir())):02d}-written-lora"
    run.mkdir()
    (run / "config.yaml").write_text(dumps(build({"training": {"eval_steps": 10}})), encoding="utf-8")
    me, now = psutil.Process(), time.time()
    alive = {"pid": me.pid, "created": me.create_time(), "heartbeat": now, "started": now - 60}
    write_json(run / "state.json", {"state": state, "what": "training", **alive})
    add(run, steps)
    return run


def add(run: Path, steps: range) -> None:
    with open(run / "events.jsonl", "a", encoding="utf-8") as file:
        for step in steps:
            event = {"t": 1000.0 + step, "step": step, "kind": "log", "loss": 4 / step, "max_steps": 30_000}
            file.write(json.dumps(event | {"tokens_per_second": 500}) + "\n")
            if step % 10 == 0:
                event = {"t": 1000.0 + step, "step": step, "kind": "eval", "validation_loss": 4.2 / step}
                file.write(json.dumps(event) + "\n")


def test_the_curve_is_extended_in_place_and_keeps_its_zoom(new_page: Callable[..., Any], server: Server) -> None:
    run = written(server, range(1, 20_001))
    page = new_page()
    sizes: list[int] = []
    page.on(
        "response", lambda r: sizes.append(len(r.body())) if "component_server" in r.url and r.status == 200 else None
    )
    open_page(page, f"{server.url}?run={run.name}")
    tab(page, "train")
    expect(live(page, "strip")).to_contain_text("20,000")
    expect(page.get_by_role("figure")).to_have_attribute("aria-label", "Training and validation loss by step; "
                                                         "best validation loss 0.000 at step 20,000")  # fmt: skip
    assert page.evaluate(POINTS) <= 1000
    page.evaluate("Plotly.relayout(document.querySelector('.live-plot'), {'xaxis.range': [100, 200]})")
    page.evaluate("document.querySelector('.live-plot').firstChild.dataset.mine = 'yes'")
    first = max(sizes)
    sizes.clear()
    add(run, range(20_001, 20_004))
    page.wait_for_function(f"{LAST} === 20003")
    assert page.evaluate("document.querySelector('.live-plot').layout.xaxis.range") == [100, 200]
    assert page.evaluate("document.querySelector('.live-plot').firstChild.dataset.mine") == "yes"
    assert min(sizes) < 2_500 < first  # three points and a strip, not twenty thousand
    colour = "document.querySelector('.live-plot').data[1].line.color"
    light = page.evaluate(colour)
    page.get_by_role("button", name="Switch between light and dark").click()
    page.wait_for_function(f"{colour} !== '{light}'")
    assert page.evaluate("document.querySelector('.live-plot').layout.xaxis.range") == [100, 200]
    page.get_by_role("button", name="Log scale").click()
    page.wait_for_function("document.querySelector('.live-plot')._fullLayout.yaxis.type === 'log'")
    add(run, range(20_004, 20_006))
    page.wait_for_function(f"{LAST} === 20005")
    assert page.evaluate("document.querySelector('.live-plot')._fullLayout.yaxis.type") == "log"
    write_json(run / "state.json", {"state": "failed", "error": "There is no column 'x'.", "field": "data.template"})
    expect(live(page, "trouble")).to_contain_text("There is no column 'x'.")
    expect(page.get_by_role("button", name=STARTS)).to_be_visible()
    live(page, "trouble").get_by_role("link", name="Mend it under Data").click()
    expect(page.locator("#tab-data-button")).to_have_attribute("aria-selected", "true")


def test_a_press_is_one_run_and_other_settings_wait_for_their_turn(
    new_page: Callable[..., Any], own_server: Server
) -> None:
    page = open_page(new_page(), own_server.url)
    tab(page, "train")
    expect(page.get_by_text("No run yet")).to_be_visible()
    thrice = """b => { b.click(); b.click(); setTimeout(() => b.click(), 150); return 'busy' in b.dataset }"""
    assert button(page, "Start training").evaluate(thrice), "the button answers before the server does"
    expect(button(page, "Stop")).to_be_visible()
    tab(page, "data")
    page.locator("#tab-data .pick input[value=tone]").check()
    expect(page.locator("#job")).to_contain_text("tone · 900 rows")
    page.wait_for_function("document.body.dataset.opening === ''")
    expect(page.locator("#job")).to_contain_text("will queue behind 1 job")
    tab(page, "train")
    expect(page.locator("#job .of-run")).to_contain_text("fields")
    expect(page.locator("#job .next").first).to_be_hidden()
    button(page, "Queue a new run: tone · LoRA r 16").click()
    expect(live(page, "head")).to_contain_text("Waiting for its turn: 1 ahead")
    assert len(list(own_server.runs.glob("2*"))) == 2
    button(page, "Stop").click()
    expect(live(page, "head")).to_contain_text("Stopped")
    page.close()  # before its server


def test_nothing_of_the_file_before_stands_beside_a_new_one(page: Any, tmp_path: Path) -> None:
    tab(page, "data")
    expect(page.locator("#findings")).not_to_be_empty()
    page.wait_for_function("!document.body.dataset.opening")
    page.evaluate("tune.opening('rows')")
    for card in (".card.rows", ".card.star", ".card.lengths", ".card.doctor"):
        expect(page.locator(f"{card} > *").first).to_have_css("visibility", "hidden")
    expect(button(page, "Continue to model")).to_be_disabled()
    page.evaluate("tune.refused()")
    expect(page.locator("#rows table")).to_be_visible()
    (tmp_path / "mine.csv").write_text("text,label\n" + "".join(f"words {i},{i % 2}\n" for i in range(40)))
    page.set_input_files("#upload input[type=file]", str(tmp_path / "mine.csv"))
    page.wait_for_function("document.body.dataset.opening === 'rows'")
    page.wait_for_function("document.body.dataset.opening === ''")
    expect(page.locator("#rows")).to_contain_text("words 0")
    (tmp_path / "empty.csv").write_text("")
    page.set_input_files("#upload input[type=file]", str(tmp_path / "empty.csv"))
    expect(page.locator("#source")).to_contain_text("cannot be used")
    expect(page.locator("#rows")).to_contain_text("words 0")  # what was there is there again
    expect(button(page, "Continue to model")).to_be_enabled()


def test_a_draft_that_cannot_run_leads_to_what_is_wrong(
    new_page: Callable[..., Any], server: Server, watch: Watch
) -> None:
    watch.allow("422")
    page = open_page(new_page(), server.url)
    tab(page, "model")
    rate = page.locator("#field-training-learning_rate input")
    rate.fill("-1")
    rate.press("Tab")
    expect(page.locator("#job")).to_contain_text("to fix")
    tab(page, "train")
    page.get_by_role("button", name=STARTS).click()
    problem = page.locator(".block.problems")
    expect(problem).to_contain_text("-1 is too small")
    problem.get_by_role("link", name="Learning rate").click()
    expect(page.locator("#tab-model-button")).to_have_attribute("aria-selected", "true")


def test_a_run_outlives_the_page_and_the_server(new_page: Callable[..., Any], own_server: Server, watch: Watch) -> None:
    watch.allow(
        "ERR_CONNECTION|Failed to fetch|NetworkError|net::|404|Connection|AbortError|network error"
    )  # server is dead
    page = open_page(new_page(), own_server.url)
    tab(page, "train")
    expect(page.get_by_text("No run yet")).to_be_visible()
    button(page, "Start training").click()
    expect(button(page, "Stop")).to_be_visible()
    expect(live(page, "head")).to_contain_text("Running")
    page.wait_for_function(f"{POINTS} >= 2", timeout=300_000)
    seen = page.evaluate(LAST)

    page.reload()
    page.wait_for_selector("[role=tab]", state="visible")
    tab(page, "train")
    page.wait_for_function(f"{LAST} >= {seen}", timeout=120_000)

    own_server.stop(kill=True)
    assert own_server.jobs(), "the training ended with the server"
    expect(live(page, "head")).to_contain_text("The page cannot reach its server")
    own_server.start()
    open_page(page, own_server.url)
    tab(page, "train")
    page.wait_for_function(f"{LAST} > {seen}", timeout=300_000)
    assert page.evaluate("document.querySelector('.live-plot').data[0].x[0]") == 1
    expect(live(page, "log")).to_contain_text("step")

    button(page, "Stop").click()
    expect(button(page, "Resume")).to_be_visible()
    expect(live(page, "head")).to_contain_text("Stopped")
    expect(button(page, "Continue to evaluate")).to_be_visible()
    run = next(own_server.runs.glob("2*"))
    assert (run / "model").is_dir()
    psutil.wait_procs(own_server.jobs(), timeout=60)  # it may still be tidying up after its last word
    assert not own_server.jobs()
    assert not axe_violations(page)

    button(page, "Resume").click()
    expect(button(page, "Stop")).to_be_visible()
    own_server.jobs()[0].kill()
    expect(live(page, "trouble")).to_contain_text("was killed")
    expect(live(page, "trouble")).to_contain_text("It can be resumed from step")
    expect(button(page, "Resume")).to_be_visible()


@pytest.fixture(scope="module")
def tuned(server: Server, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a short real run on a tiny model, made on the command line."""
    folder = tmp_path_factory.mktemp("tuned")
    rows = factory.write_jsonl(folder / "rows.jsonl", factory.tone_rows())
    config = build(
        {
            "task": "classification",
            "model": {"path": str(tiny_llama)},
            "data": {"path": str(rows), "template": "{phrase} => {tone}", "validation": 0.3},
            "training": {"max_steps": 4, "eval_steps": 2, "save_steps": 2, "logging_steps": 1},
            "evaluation": {"max_new_tokens": 4},
        }
    )
    (folder / "config.yaml").write_text(dumps(config), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "core", "train", str(folder / "config.yaml"), "--json"],
        cwd=ROOT, env=os.environ | {"TUNESMITH_RUNS": str(server.runs)}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout.splitlines()[-1])["run"])


def test_a_tuned_model_is_measured_and_exported(
    new_page: Callable[..., Any], server: Server, tuned: str, tmp_path: Path
) -> None:
    page = open_page(new_page(), f"{server.url}?run={tuned}")
    tab(page, "evaluate")
    expect(page.get_by_text("Not evaluated yet")).to_be_visible()
    button(page, "Evaluate").click()
    bar, ended = page.get_by_role("progressbar"), button(page, "Continue to export")
    expect(bar.or_(ended).first).to_be_visible()  # a process that waits with its libraries may end between two looks
    expect(ended).to_be_visible()
    expect(page.locator(".cards .figure")).to_have_count(3)
    expect(page.locator(".confusion")).to_be_visible()
    expect(page.locator(".answers tbody tr").first).to_be_visible()
    assert not axe_violations(page)

    wrong = page.locator(".segment label").filter(has_text="Wrong")
    wrong.click()
    expect(page.locator(".pager [role=status]")).to_contain_text(wrong.inner_text().split()[-1])
    page.get_by_placeholder("Search").fill("no such words at all")
    expect(page.get_by_text("No row is like that.")).to_be_visible()
    page.get_by_placeholder("Search").fill("")
    with page.expect_download() as saved:
        button(page, "Save as CSV").click()
    assert saved.value.suggested_filename == f"{tuned}-answers.csv"

    button(page, "Continue to export").click()
    expect(page.locator("#tab-export-button")).to_have_attribute("aria-selected", "true")
    page.locator(".segment:visible label").filter(has_text="fp32").click()
    button(page, "Export fp32 for CPU").click()
    link = page.get_by_role("link", name="Download")
    expect(link).to_be_visible()
    expect(page.locator(".detail .badge")).to_contain_text("Verified")
    expect(page.locator(".detail")).to_contain_text("Same answers")
    assert not axe_violations(page)
    with page.expect_download() as package:
        link.click()
    package.value.save_as(tmp_path / "package.zip")
    names = zipfile.ZipFile(tmp_path / "package.zip").namelist()
    assert any(name.endswith("/run.py") for name in names) and any(name.endswith("model.onnx") for name in names)

    # The package next to PyTorch, what would go to the Hub, and the run as a workflow of Olive's
    page.locator("#try-field-0 textarea").fill("The sea was calm at noon.")
    page.locator("#try-ask").click()
    expect(page.locator("#try-answers")).to_contain_text("The same answer")
    expect(page.locator("#try-answers .sides > div")).to_have_count(2)
    page.get_by_role("button", name="Send it to the Hugging Face Hub").click()
    page.locator("#field-export-repo").locator("input, textarea").fill("ada/tone")
    button(page, "Show what goes").click()
    expect(page.locator("#hub-note")).to_contain_text("private: only you")
    expect(page.locator("#hub-note tbody tr").filter(has_text="model.onnx").first).to_be_visible()
    page.get_by_role("button", name="As an Olive workflow").click()
    button(page, "Write it").click()
    expect(page.locator("#to-olive")).to_contain_text("input_model")
    assert not axe_violations(page)

    # A file for another tool; and an export that is cancelled leaves nothing
    page.locator(".pick.places label").filter(has_text="The adapter alone").click()
    button(page, "Write The adapter alone, fp32").click()
    expect(page.locator(".detail .badge").first).to_contain_text("Verified")
    page.locator(".pick.places label").filter(has_text="OpenVINO").click()
    expect(page.locator("#about-place")).to_contain_text("Intel")
    page.locator(".pick.places label").filter(has_text="CUDA").click()
    page.get_by_role("button", name="Compare all").click()  # one alone may be made before Cancel is clicked
    button(page, "Cancel").click()
    expect(button(page, "Cancel")).to_be_hidden()
    expect(page.get_by_role("table", name="Precisions for CUDA")).to_contain_text("Not made yet")


@pytest.mark.parametrize(("width", "dark"), [(375, False), (1280, True)])
def test_the_tabs_fit_a_phone_and_the_dark(
    new_page: Callable[..., Any], server: Server, tuned: str, width: int, dark: bool
) -> None:
    page = open_page(new_page(width=width, height=812, dark=dark), f"{server.url}?run={tuned}")
    for name, sign in (
        ("train", "#tab-train .figs"),
        ("evaluate", "#tab-evaluate h1"),
        ("export", ".pick.places label"),
    ):
        tab(page, name)
        expect(page.locator(sign).first).to_be_visible()
        page.wait_for_timeout(1500)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        assert not axe_violations(page), name
