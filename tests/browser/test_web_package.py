"""The package for a browser, opened in one: Chromium runs it in wasm, from npm's own files and nothing else."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.export.web import layout
from core.models.tokenizer import load_tokenizer
from tests import factory
from tests.browser.conftest import Watch, axe_violations
from tests.watched import Collector
from tests.web import packages
from tests.web.node import modules

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
SHOTS = os.environ.get("TUNESMITH_WEB_SHOTS")  # a folder for pictures, to be looked at
FORM = "### Phrase: {phrase}\n### Tone: {tone}"
SURE = ("My towel does not work.", "Turn this into its opposite.")  # see test_web_answers.py


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Python's own server, without its words."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Packages in folders of one site, by Python's server; web/vendor as `npm start` fills it."""
    work, root = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("site")
    node_modules = modules() / "node_modules"
    base = factory.write_tokenizer(work / "base", "wordpiece", chat=None)
    shutil.copyfile(packages.DEMO / "config.json", base / "config.json")
    size = len(load_tokenizer(base))
    packages.tagger(work / "tags.onnx", size, 3)
    packages.embedder(work / "vector.onnx", size)
    packages.labeller(work / "label.onnx", size, 3)
    made = [packages.reader_package(root / kind, kind, work / f"{kind}.onnx", base) for kind in packages.HEADS]
    made.append(packages.demo_package(root / "chat", "int8"))
    made.append(packages.demo_package(root / "form", "fp32", FORM, inside=0, chunk=5_000_000))
    (made[0] / "node_modules").symlink_to(node_modules)
    subprocess.run(["npm", "run", "--silent", "vendor"], cwd=made[0], check=True, timeout=60)
    for package in made[1:]:
        (package / "web" / "vendor").symlink_to(made[0] / "web" / "vendor")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def ready(page: Any, url: str) -> Any:
    """Open a package's page and wait until its model is there."""
    page.goto(url)
    page.wait_for_selector("#ask", state="visible", timeout=60_000)
    return page


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"web-{name}.png", full_page=True)


def narrow(page: Any) -> bool:
    """Whether the page is no wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@functools.cache
def pytorch(text: str, form: bool = False) -> str:
    """What the demo model answers in PyTorch, greedily, as text."""
    import torch

    from core.models.load import load_base

    tokenizer = load_tokenizer(packages.DEMO)
    said = (
        FORM.partition(" {tone}")[0].format(phrase=text)
        if form
        else tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        )
    )
    ids = tokenizer.backend_tokenizer.encode(said, add_special_tokens=False).ids
    with torch.inference_mode():
        made = load_base(str(packages.DEMO)).generate(
            torch.tensor([ids]), max_new_tokens=24, do_sample=False, eos_token_id=2
        )
    return str(tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True)).strip()


def test_a_conversation_answers_as_pytorch_does(new_page: Callable[..., Any], site: str) -> None:
    page = ready(new_page(width=1000, height=760), f"{site}/chat/")
    assert page.title() == "Demo" and page.inner_text("#where") == "on the processor (wasm)"
    page.keyboard.type(SURE[0])  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_selector("#talk li:nth-child(2) small", timeout=60_000)
    assert page.inner_text("#talk li:nth-child(2) .text") == pytorch(SURE[0])
    assert "tokens" in page.inner_text("#talk li:nth-child(2) small")
    shot(page, "chat-light")
    page.click("text=New conversation")
    assert page.locator("#talk li").count() == 0
    page.keyboard.type(SURE[1])
    page.keyboard.press("Shift+Enter")
    assert page.input_value("textarea") == f"{SURE[1]}\n" and page.locator("#talk li").count() == 0
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    page.wait_for_selector("#talk li:nth-child(2) small", timeout=60_000)
    assert page.inner_text("#talk li:nth-child(2) .text") == pytorch(SURE[1])
    page.fill("textarea", "<img src=x onerror=alert(1)><b>bold</b> {x}")
    page.keyboard.press("Enter")
    page.wait_for_selector("#talk li:nth-child(4) small", timeout=60_000)
    assert page.inner_text("#talk li:nth-child(3) .text") == "<img src=x onerror=alert(1)><b>bold</b> {x}"
    assert page.locator("#talk img, #talk li .text *").count() == 0


def test_it_speaks_to_its_own_server_alone(browser: Any, new_page: Callable[..., Any], site: str) -> None:
    """All that leaves this machine would go to the collector, whatever part of the browser asks for it."""
    collector = Collector()
    try:
        proxy = {"server": collector.url, "bypass": "127.0.0.1"}
        page = ready(new_page(proxy=proxy), f"{site}/label/")
        page.get_by_label("Phrase").fill("I want my money back today")
        page.click("#go")
        page.wait_for_selector("#shown .bar", timeout=60_000)
        assert collector.of_pages() == []
        context = browser.new_context(proxy=proxy)
        context.new_page().evaluate("fetch('http://collector.invalid/', {mode: 'no-cors'}).catch(() => 0)")
        context.close()
        assert any("collector.invalid" in line for line in collector.heard)
    finally:
        collector.close()


def test_an_answer_can_be_stopped(new_page: Callable[..., Any], site: str) -> None:
    page = ready(new_page(), f"{site}/chat/")
    page.evaluate("document.querySelector('#stop').addEventListener('click', () => document.title = 'asked to stop')")
    page.fill("textarea", "Write a confirmation for this order, and a long one. " * 4)
    page.click("#go")
    page.click("#stop")
    page.wait_for_selector("#talk li:nth-child(2) small", timeout=60_000)
    assert page.title() == "asked to stop" and "stopped" in page.inner_text("#talk li:nth-child(2) small")
    assert page.is_enabled("#go")


@pytest.mark.parametrize(("width", "dark"), [(1000, True), (375, False)])
def test_a_form_answers_as_pytorch_does(new_page: Callable[..., Any], site: str, width: int, dark: bool) -> None:
    page = ready(new_page(width=width, height=760, dark=dark), f"{site}/form/")  # its weights lie in several files
    page.get_by_label("Phrase").fill("The kettle arrived broken.")
    page.click("#go")
    page.wait_for_selector("#stats:not(:empty)", timeout=60_000)
    assert page.inner_text("#shown") == pytorch("The kettle arrived broken.", form=True)
    assert narrow(page)
    shot(page, f"form-{width}-{'dark' if dark else 'light'}")
    page.click("#theme")
    assert page.evaluate("document.documentElement.classList.contains('dark')") is not dark
    page.reload()
    page.wait_for_selector("#ask", state="visible", timeout=60_000)
    assert page.evaluate("document.documentElement.classList.contains('dark')") is not dark


def test_models_that_read_answer_as_python_does(new_page: Callable[..., Any], site: str, tmp_path: Path) -> None:
    page = ready(new_page(width=700, height=700), f"{site}/label/")
    page.get_by_label("Phrase").fill("I want my money back today")
    page.keyboard.press("Enter")
    page.wait_for_selector("#shown .bar")
    rows = [row.split("\n") for row in page.locator("#shown .bar").all_inner_texts()]
    assert sorted(row[0] for row in rows) == packages.LABELS["label"] and rows[0][1].endswith("%")
    shot(page, "label")
    page = ready(new_page(width=375, height=700, dark=True), f"{site}/tags/")
    page.get_by_label("Phrase").fill("Zoë naïve, the <b>fox</b> jumps over Mara Lindqvist in Ghent.")
    page.keyboard.press("Enter")
    page.wait_for_selector("#shown .words")
    assert page.inner_text("#shown .words").startswith("Zoë") and "<" in page.inner_text("#shown .words")
    assert set(page.locator("#shown mark small").all_inner_texts()) == {"PER"}
    assert narrow(page)
    shot(page, "tags")
    page = ready(new_page(width=700, height=700), f"{site}/vector/")
    page.get_by_label("First").fill("The lake lies still tonight")
    page.get_by_label("Second").fill("The lake lies still tonight")
    page.click("#go")
    page.wait_for_selector("#shown .bar")
    assert page.inner_text("#shown .bar b") == "1.000"
    shot(page, "vector")


def test_the_page_is_accessible(new_page: Callable[..., Any], site: str) -> None:
    page = ready(new_page(bypass_csp=True), f"{site}/chat/")
    page.fill("textarea", SURE[0])
    page.keyboard.press("Enter")
    page.wait_for_selector("#talk li:nth-child(2) small", timeout=60_000)
    assert axe_violations(page) == []
    page.click("#theme")
    assert axe_violations(page) == []
    ready(page, f"{site}/label/")
    page.fill("textarea", "calm")
    page.keyboard.press("Enter")
    page.wait_for_selector("#shown .bar")
    assert axe_violations(page) == []


def test_npm_start_serves_it_on_this_machine_alone(new_page: Callable[..., Any], tmp_path: Path) -> None:
    package = packages.demo_package(tmp_path / "chat", "int4")
    (package / "node_modules").symlink_to(modules() / "node_modules")
    line = ["node", "web/serve.mjs", "0"]  # what npm start runs; npm itself would not hand on the end
    server = subprocess.Popen(line, cwd=package, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        page = ready(new_page(), url)
        assert page.evaluate("crossOriginIsolated") is True  # wasm may take several threads
        assert page.request.get(f"{url}node_modules/.package-lock.json").status == 404
        assert page.request.get(f"{url}..%2f..%2fetc/passwd").status == 404
        page.fill("textarea", SURE[0])
        page.keyboard.press("Enter")
        page.wait_for_selector("#talk li:nth-child(2) small", timeout=60_000)
        assert page.inner_text("#talk li:nth-child(2) .text")
    finally:
        server.terminate()
        server.wait(20)


def test_what_is_missing_is_said(new_page: Callable[..., Any], watch: Watch, site: str) -> None:
    watch.allow("404")
    page = new_page()
    page.route("**/vendor/transformers.min.js", lambda route: route.fulfill(status=404))
    page.goto(f"{site}/label/")
    page.wait_for_selector("#problem", state="visible", timeout=30_000)
    assert "npm install --ignore-scripts" in page.inner_text("#problem")
    page = new_page()
    page.route("**/onnx/*", lambda route: route.fulfill(status=404))
    page.goto(f"{site}/label/")
    page.wait_for_selector("#problem", state="visible", timeout=30_000)
    assert "cannot be loaded" in page.inner_text("#problem")
    page = new_page()
    page.route("**/tunesmith.json", lambda route: route.fulfill(status=404))
    page.goto(f"{site}/label/")
    page.wait_for_selector("#problem", state="visible", timeout=30_000)
    assert "Copy the whole folder again" in page.inner_text("#problem")


def test_without_a_gpu_the_processor_answers(new_page: Callable[..., Any], watch: Watch, site: str) -> None:
    watch.allow("(?i)webgpu|adapter|backend")
    page = ready(new_page(), f"{site}/chat/?device=webgpu")
    assert page.inner_text("#where") == "on the processor (wasm)"
    page.fill("textarea", SURE[0])
    page.keyboard.press("Enter")
    page.wait_for_selector("#talk li:nth-child(2) small", timeout=60_000)
    assert page.inner_text("#talk li:nth-child(2) .text") == pytorch(SURE[0])


def test_an_answer_that_fails_is_taken_back(new_page: Callable[..., Any], site: str) -> None:
    page = new_page()
    page.add_init_script(
        "window.Worker = class { postMessage(told) { setTimeout(() => this.onmessage({ data:"
        " told.row ? { error: 'out of memory', at: 'ask' } : { ready: {}, chats: true } })) } terminate() {} }"
    )
    ready(page, f"{site}/chat/")
    page.fill("textarea", "Hello")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem", state="visible")
    assert "out of memory" in page.inner_text("#problem") and page.locator("#talk li").count() == 0
    assert page.input_value("textarea") == "Hello" and page.is_enabled("#go")


def test_a_double_click_says_what_to_do_instead(browser: Any, tmp_path: Path) -> None:
    shutil.copytree(layout.PAGE, tmp_path / "double click")
    page = browser.new_page()
    page.goto((tmp_path / "double click" / "index.html").as_uri())
    page.wait_for_selector("text=This page needs a web server", state="visible", timeout=10_000)
    assert "npm start" in page.inner_text("#still")
    page.close()
