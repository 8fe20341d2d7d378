"""Which rows are kept back: a share, a slice, a fold, by a column."""

from ui import dataset, form
from ui.tabs.data import kept


def test_a_share_a_slice_and_folds_take_turns(draft: dict) -> None:
    named, *_ = kept.put_way("named", 0.2, "", None, None, draft)
    assert named["data"]["validation"] == "[90%:]"
    assert kept.way_of(named) == "named"
    assert "<b>2</b> to check with" in kept.divided(named)
    named = kept.put_named(" [:5] ", named)
    assert "<b>5</b> to check with" in kept.divided(named)
    folds, *shown = kept.put_way("folds", 0.2, "[:5]", None, None, named)
    assert folds["data"]["folds"] == 5
    assert folds["data"]["validation"] == 0.2
    assert [s["visible"] for s in shown] == [False, False, True, True]
    share, *_ = kept.put_way("share", 0.2, "[:5]", 5, 2, folds)
    assert share["data"] | {"validation": 0.1} == draft["data"]
    assert form.errors(share) == {}


def test_what_is_typed_while_another_way_is_chosen_is_only_kept(draft: dict) -> None:
    assert kept.put_named("[:5]", draft) == draft


def test_few_rows_are_told_of_folds(draft: dict) -> None:
    assert "K-fold checks each row once" in kept.divided(draft)
    folds, *_ = kept.put_way("folds", 0.1, "", 5, 1, draft)
    assert "K-fold checks" not in kept.divided(folds)


def test_rows_are_kept_together_by_a_column(draft: dict) -> None:
    changed = kept.put_column("data.group_by", "note", draft)
    assert changed["data"]["group_by"] == "note"
    assert kept.put_column("data.group_by", kept.AS_IT_IS, changed) == draft
    wrong = kept.put_column("data.group_by", "nota", draft)
    assert "note" in dataset.problems(wrong)["data.group_by"]


def test_wrong_settings_show_no_split(draft: dict) -> None:
    assert kept.divided(form.with_value(draft, "data.validation", 0.9)) == ""
    assert kept.divided(form.with_value(draft, "data.folds", 99)) == ""
