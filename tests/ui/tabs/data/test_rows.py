"""The table of rows, a page at a time."""

from ui.tabs.data import rows


def test_the_table_is_a_page_of_escaped_rows(draft: dict) -> None:
    html = rows.drawn(draft, 20, 21)
    assert "Rows 21 to 23 of 23" in html
    assert html.count("<tr data-row") == 3
    assert "<b>note" not in html
    assert "&lt;b&gt;note 20" in html
    assert 'data-first="30" disabled' in html
    assert rows.drawn(draft, 10**9, 0).count("<tr data-row") == 3
