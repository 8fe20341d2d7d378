"""The table of rows, and which of them are kept back."""

from ui import dataset, form
from ui.tabs.data import rows


def test_the_table_is_a_page_of_escaped_rows(draft: dict) -> None:
    html = rows.drawn(draft, 20, 21)
    assert "Rows 21 to 23 of 23" in html
    assert html.count("<tr data-row") == 3
    assert "<b>note" not in html
    assert "&lt;b&gt;note 20" in html
    assert 'data-first="30" disabled' in html
    assert rows.drawn(draft, 10**9, 0).count("<tr data-row") == 3


def test_a_share_a_slice_and_folds_take_turns(draft: dict) -> None:
    named, *_ = rows.put_way("named", 0.2, "", None, None, draft)
    assert named["data"]["validation"] == "[90%:]"
    assert rows.way_of(named) == "named"
    assert "<b>2</b> to check with" in rows.divided(named)
    named = rows.put_named(" [:5] ", named)
    assert "<b>5</b> to check with" in rows.divided(named)
    folds, *shown = rows.put_way("folds", 0.2, "[:5]", None, None, named)
    assert folds["data"]["folds"] == 5
    assert folds["data"]["validation"] == 0.2
    assert [s["visible"] for s in shown] == [False, False, True, True]
    share, *_ = rows.put_way("share", 0.2, "[:5]", 5, 2, folds)
    assert share["data"] | {"validation": 0.1} == draft["data"]
    assert form.errors(share) == {}


def test_what_is_typed_while_another_way_is_chosen_is_only_kept(draft: dict) -> None:
    assert rows.put_named("[:5]", draft) == draft


def test_few_rows_are_told_of_folds(draft: dict) -> None:
    assert "K-fold checks each row once" in rows.divided(draft)
    folds, *_ = rows.put_way("folds", 0.1, "", 5, 1, draft)
    assert "K-fold checks" not in rows.divided(folds)


def test_rows_are_kept_together_by_a_column(draft: dict) -> None:
    changed = rows.put_column("data.group_by", "note", draft)
    assert changed["data"]["group_by"] == "note"
    assert rows.put_column("data.group_by", rows.AS_IT_IS, changed) == draft
    wrong = rows.put_column("data.group_by", "nota", draft)
    assert "note" in dataset.problems(wrong)["data.group_by"]


def test_wrong_settings_show_no_split(draft: dict) -> None:
    assert rows.divided(form.with_value(draft, "data.validation", 0.9)) == ""
    assert rows.divided(form.with_value(draft, "data.folds", 99)) == ""
