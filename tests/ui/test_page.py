"""The page as a whole: nothing is open, nothing of the data is run."""

import ast
import re
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
