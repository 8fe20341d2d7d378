"""Presets: shown, applied, undone."""

from typing import Any

import pytest

from core.config import build
from core.presets import PRESETS
from ui import form
from ui.shared import first_draft
from ui.tabs.model import presets


@pytest.mark.parametrize("name", list(PRESETS))
def test_each_change_is_shown_with_its_reason_and_made(name: str) -> None:
    draft = first_draft()
    words, button = presets.shown(name, draft)
    assert PRESETS[name].sentence.replace("'", "&#x27;") in words and button.visible
    made, filled, before, undo = presets.take(name, draft, 3)
    assert made != draft and build(made) and filled == 4 and before == draft and undo.visible
    assert not any(f"{section}." in words for section in draft), "each setting is called as in its form"
    assert words.count("<tr>") == 1 + sum(_differ(made, draft))
    assert "Nothing to change" in presets.shown(name, made)[0]


def _differ(one: dict[str, Any], other: dict[str, Any]) -> list[bool]:
    paths = {f"{section}.{key}" for section, inner in one.items() if isinstance(inner, dict) for key in inner}
    return [form.value_of(one, path) != form.value_of(other, path) for path in paths]


def test_nothing_is_offered_before_one_is_chosen_or_while_something_is_wrong() -> None:
    assert not presets.shown(None, first_draft())[1].visible
    wrong = form.with_value(first_draft(), "training.learning_rate", -1)
    words, button = presets.shown("quick", wrong)
    assert "Mend what is wrong first" in words and not button.visible
