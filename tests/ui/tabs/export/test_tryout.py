"""ui.tabs.export.tryout: what is asked of a package, as it comes from the browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.runs import playing
from core.runs.store import Run
from ui.tabs.export import tryout


@pytest.mark.parametrize("typed", [("", None, None, None), (None,) * 4, (" ", "", None, None)])
def test_nothing_asked_is_said(
    new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, typed: tuple[str | None, ...]
) -> None:
    monkeypatch.setattr(tryout, "_form", lambda *_: playing.Form("writer", False, ["ticket"], [], []))
    run = new_run("done")
    *_, said, history = next(tryout.answered(run.id, "cpu", "int8", None, [], *typed))
    assert "Nothing is asked" in said and history == []
