"""The token view and the histogram, as HTML."""

import re
from typing import Any

from core.data.encode import Preview
from ui import tokens


def token(text: str, **more: Any) -> dict[str, Any]:
    return {"id": 7, "text": text, "special": False, "dropped": False, "newline": "\n" in text} | more


def preview(*segments: tuple[bool, list[dict[str, Any]]], warnings: tuple[str, ...] = ()) -> Preview:
    made = [{"trained": trained, "tokens": found} for trained, found in segments]
    n = sum(len(found) for _, found in segments)
    dropped = sum(t["dropped"] for _, found in segments for t in found)
    return Preview(made, None, n - dropped, 0, dropped, list(warnings), "", [])


def test_prompt_answer_and_drop_are_told_apart() -> None:
    cut = [token("a"), token("b", dropped=True), token("c", dropped=True), token("d")]
    html = tokens.drawn(preview((False, cut), (True, [token(" yes"), token("<|end|>", special=True)])), 5, 800)
    assert "Row 6 of 800 · 4 tokens, 2 dropped" in html
    assert html.count('class="cutmark"') == 1 and "2 dropped</span>" in html
    assert '<dd class="answer"><span class="tok" data-id="7"> yes</span><span class="tok special"' in html
    assert "2 of 4 tokens, read but not trained on" in html


def test_nothing_that_came_from_data_is_html() -> None:
    html = tokens.drawn(preview((False, [token("<img src=x>"), token('"&')]), warnings=("<b>",)), 0, 1, "<i>")
    assert "<img" not in html and "<b></div>" not in html and "<i>" not in html
    assert "&lt;img src=x&gt;" in html and "&quot;&amp;" in html


def test_what_cannot_be_seen_is_made_visible() -> None:
    assert tokens.visible("a\n\tb\r") == "a\\n\\tb\\r"
    assert tokens.visible("\u200b\x00") == "\\u200b\\u0000"
    assert tokens.visible("") == "&nbsp;"
    assert tokens.visible(" é✓") == " é✓"


def test_a_very_long_row_is_drawn_at_its_ends() -> None:
    html = tokens.drawn(preview((False, [token("x")] * 50_000), (True, [token("y")] * 10)), 0, 1)
    assert html.count('class="tok"') <= tokens.MOST + 4
    assert "tokens not drawn here" in html


def test_the_histogram_counts_every_row() -> None:
    html = tokens.bars([8, 20, 20, 300], 4, 64)
    assert len(re.findall("<i style", html)) == tokens.BARS
    assert 'data-lengths="[8, 20, 20, 300]"' in html and 'data-cut="64"' in html
    assert 'max="336"' in html and 'value="64"' in html
    assert 'value="32"' in tokens.bars([9], 1, 4096)  # the handle stands at the end of the scale
