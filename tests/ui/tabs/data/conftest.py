"""A small file of own rows, and a draft of it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ui import dataset
from ui.shared import first_draft


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNESMITH_UPLOADS", str(tmp_path / "kept"))
    path = tmp_path / "rows.jsonl"
    made = [{"note": f"<b>note {i}</b> was read aloud today", "label": "yes" if i % 2 else "no"} for i in range(23)]
    path.write_text("\n".join(map(json.dumps, made)), encoding="utf-8")
    return path


@pytest.fixture
def draft(rows: Path) -> dict[str, Any]:
    return dataset.with_data(first_draft(), str(rows))


def event(**data: Any) -> Any:
    """What Gradio hands to a handler, as far as the handlers look at it."""
    return SimpleNamespace(**data)
