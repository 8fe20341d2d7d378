"""The doctor mends what it can by setting one setting, and takes it back."""

import json

from tests.ui.tabs.data.conftest import event
from ui import dataset, form
from ui.shared import first_draft
from ui.tabs.data import doctor


def press(html: str, words: str, draft: dict) -> dict:
    """Press the button with these words, as the page does."""
    from html import unescape

    at = html.index(words)
    tag = html[html.rindex("<button", 0, at) : at]
    field, value = (unescape(tag.split(f'data-{name}="')[1].split('"')[0]) for name in ("field", "value"))
    changed, filled = doctor.mend(draft, 0, event(field=field, value=value))
    assert filled == 1
    return changed


def test_the_limit_is_raised() -> None:
    draft = form.with_value(first_draft(), "data.max_tokens", 60)
    mended = press(doctor.drawn(draft), "Raise the limit", draft)
    assert mended["data"]["max_tokens"] >= max(dataset.lengths(draft).tokens)
    assert "Raise the limit" not in doctor.drawn(mended)


def test_a_fix_is_recorded_and_undone(draft: dict, rows) -> None:
    with rows.open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps({"note": "<b>note 3</b> was read aloud today", "label": "yes"}))
    html = doctor.drawn(draft)
    assert "word for word" in html
    mended = press(html, "Leave repeats out", draft)
    assert mended["data"]["fixes"] == ["drop_duplicates"]
    assert len(dataset.source(mended).rows) == 23
    again = doctor.drawn(mended)
    assert "Mended, and recorded" in again
    assert press(again, "Undo", mended)["data"]["fixes"] == []


def test_the_browser_sets_nothing_else(draft: dict) -> None:
    assert doctor.mend(draft, 0, event(field="data.fixes", value="no JSON"))[1] != 1
    for field, value in (
        ("data.path", '"/etc/passwd"'),
        ("model.path", '"x"'),
        ("data.max_tokens", "-4"),
        ("data.fixes", '["rm"]'),
    ):
        changed, filled = doctor.mend(draft, 0, event(field=field, value=value))
        assert not isinstance(changed, dict) or "data" not in changed
        assert filled != 1


def test_it_cannot_look_without_a_model() -> None:
    draft = form.with_value(first_draft(), "model.path", "/no/such/folder")
    assert "cannot look yet" in doctor.drawn(draft)
