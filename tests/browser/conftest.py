"""The page's tests: the app in a process of its own, a Chromium, and a watch over what the page asks for."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import ROOT

FILLED = "tune.unfilled.size === 0"  # the forms of the page hold the draft
LOCAL = re.compile(r"^(https?|wss?)://(127\.0\.0\.1|localhost)(:\d+)?(/|$)|^(data|blob|about):")
# Without these Chromium itself looks for the network at every start.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--force-prefers-reduced-motion",
]  # fmt: skip


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """The app on 127.0.0.1, with a folder of runs of its own; may be stopped or killed, and started again there."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder, self.runs, self.log = folder, folder / "runs", folder / "server.log"
        self.port, self.side = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.runs.mkdir(parents=True, exist_ok=True)
        self.env = os.environ | {
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(self.port),
            "GRADIO_TEMP_DIR": str(folder / "gradio"),
            "TUNESMITH_RUNS": str(self.runs),
            "PYTHONUNBUFFERED": "1",
        }
        self.env |= env
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, timeout: float = 120) -> Server:
        """Start it and wait until the page answers."""
        with self.log.open("ab") as log:
            line = [sys.executable, "-m", "tests.browser.serve", str(self.side)]
            self.process = subprocess.Popen(
                line, cwd=ROOT, env=self.env, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the app ended with {self.process.returncode}:\n{self.text()}")
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url, timeout=30) as answer:
                if answer.status == 200:
                    return self
            time.sleep(0.1)
        raise AssertionError(f"the app did not answer within {timeout} s:\n{self.text()}")

    def stop(self, kill: bool = False) -> None:
        """End the web process, and it alone: at Ctrl-C's signal, or killed outright."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)

    def text(self) -> str:
        """What it printed."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def modules(self) -> set[str]:
        """The names in the web process's sys.modules."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.side}/", timeout=30) as answer:
            return set(json.load(answer))

    def jobs(self) -> list[psutil.Process]:
        """The jobs on this server's runs: the spare process that waits for one is none yet."""
        started = {json.loads(file.read_text())["pid"] for file in self.runs.rglob("job.json")}
        return [process for process in self.processes() if process.pid in started]

    def processes(self) -> list[psutil.Process]:
        """All that this server has started: jobs, workers and what waits to become one."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TUNESMITH_RUNS") == str(self.runs):
                    if process.status() != psutil.STATUS_ZOMBIE and (
                        not self.process or process.pid != self.process.pid
                    ):
                        found.append(process)
        return found

    def close(self) -> None:
        """End it and every job it started: nothing outlives the tests."""
        self.stop()
        left = self.processes()
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=10)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One app for the whole session: `import gradio` is slow. Tests that count runs or restart it take `own_server`."""
    app = Server(tmp_path_factory.mktemp("server"))
    try:
        yield app.start()
    finally:
        app.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """An app of this test's own, with no runs: to be stopped, killed and started again."""
    app = Server(tmp_path / "server")
    try:
        yield app.start()
    finally:
        app.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium: the machine's own where there is one, otherwise Playwright's."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Watch:
    """What the pages of a test asked for and complained of."""

    def __init__(self) -> None:
        self.outside: list[str] = []
        self.complaints: list[str] = []
        self.allowed: list[str] = []

    def allow(self, pattern: str) -> None:
        """Complaints that this regular expression finds are expected, such as the 422 of a validator's refusal."""
        self.allowed.append(pattern)

    def page(self, page: Any) -> Any:
        """Watch a page; returns it."""
        page.on("request", lambda r: None if LOCAL.search(r.url) else self.outside.append(r.url))
        page.on("websocket", lambda w: None if LOCAL.search(w.url) else self.outside.append(w.url))
        page.on("console", lambda m: self.complaints.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda e: self.complaints.append(f"page error: {e}"))
        return page

    def check(self) -> None:
        """Fails where a request left this machine, or a page complained of what was not allowed."""
        assert not self.outside, f"the page asked for {self.outside}"
        left = [c for c in self.complaints if not any(re.search(a, c) for a in self.allowed)]
        assert not left, "the page complained:\n" + "\n".join(left)


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Watches every page of the test; at its end no request has left the machine and no page has complained."""
    held = Watch()
    yield held
    held.check()


@pytest.fixture
def new_page(browser: Any, watch: Watch) -> Iterator[Callable[..., Any]]:
    """A function that opens a watched page of its own visitor: new_page(width=375, height=800, dark=True)."""
    contexts = []

    def make(width: int = 1280, height: int = 900, dark: bool = False, **options: Any) -> Any:
        scheme = "dark" if dark else "light"
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True, **options
        )
        contexts.append(context)
        context.set_default_timeout(30_000)
        return watch.page(context.new_page())

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: Callable[..., Any], server: Server) -> Any:
    """The shared app's page, opened and ready."""
    return open_page(new_page(), server.url)


def open_page(page: Any, url: str) -> Any:
    """Go to a page of the app and wait until it, its fonts and the draft in its forms are there; returns the page."""
    page.goto(url)
    page.wait_for_selector("#top", state="visible")
    page.wait_for_selector("[role=tab]", state="visible")
    page.wait_for_function(FILLED)
    page.evaluate("document.fonts.ready.then(() => true)")
    return page


def axe_violations(page: Any) -> list[str]:
    """WCAG 2.2 A and AA violations of the page as it stands, one line each: rule, what it asks for, where."""
    from axe_playwright_python.sync_playwright import Axe

    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    results = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}, "resultTypes": ["violations"]})
    return [
        f"{rule['id']} ({rule['help']}): "
        + " | ".join(" ".join(map(str, node["target"])) for node in rule["nodes"][:5])
        for rule in results.response["violations"]
    ]
