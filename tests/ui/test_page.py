"""The page as a whole: nothing is open, nothing of the data is run."""

import ast
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def test_no_data_goes_through_handlebars() -> None:
    """Gradio compiles what Handlebars returns as JavaScript: `${...}` in a row would be run."""
    for path in (ROOT / "ui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "html_template":
                written = "".join(str(n.value) for n in ast.walk(node.value) if isinstance(n, ast.Constant))
                assert not re.search(r"\{\{", written), f"{path}: {written[:80]}"


@pytest.mark.slow
def test_the_page_is_built_and_its_defaults_are_closed() -> None:
    from ui.page import LAUNCH, build

    demo = build()
    assert LAUNCH["run_history"] is False and LAUNCH["show_error"] is False and LAUNCH["footer_links"] == []
    open_to_all = [f.api_name for f in demo.fns.values() if f.api_visibility == "public" and f.fn is not None]
    assert open_to_all == []


def answer(url: str, method: str, host: str | None = None) -> int:
    """The status of an answer of this machine."""
    headers = {"Content-Type": "application/json"} | ({"Host": host} if host else {})
    request = urllib.request.Request(url, b"{}" if method == "POST" else None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as found:
            return int(found.status)
    except urllib.error.HTTPError as error:
        return error.code


# All that Gradio 6.31 serves of it: the page, and what the page asks for.
RUN_HISTORY = {
    "/gradio_api/runs": "GET",
    "/gradio_api/runs/": "GET",
    "/gradio_api/run-history/connect": "POST",
    "/gradio_api/run-history/buckets": "GET",
    "/gradio_api/run-history/records": "GET",
    "/gradio_api/run-history/records/x/y/assets/z": "GET",
}


@pytest.mark.slow
def test_nothing_answers_for_the_run_history() -> None:
    """CVE-2026-134825: in Gradio 6.27 to before 6.32 a forged Host header opens it, with the owner's token."""
    import gradio as gr

    from ui.page import LAUNCH

    assert LAUNCH["ssr_mode"] is False, "a Node server in front would make every request one of this machine"
    for kept in (True, False):
        with gr.Blocks(analytics_enabled=False) as demo:
            gr.HTML("")
        try:
            # without the door that shuts them anyway, so that it is this setting which is seen
            settings = LAUNCH | {"run_history": kept, "app_kwargs": {}}
            _, url, _ = demo.launch(**settings, prevent_thread_lock=True, quiet=True)
            own, forged = (
                {path: answer(url.rstrip("/") + path, method, host) for path, method in RUN_HISTORY.items()}
                for host in (None, "huggingface.co")
            )
        finally:
            demo.close()
        if kept:
            assert 404 not in own.values(), f"this Gradio has other routes: {own}"
        else:
            assert set(own.values()) == {404}, own
            assert all(400 <= status < 500 for status in forged.values()), forged
    assert LAUNCH["run_history"] is False
