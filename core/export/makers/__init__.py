"""How a package is made and proven: a module with a class `Work(Maker)` for each kind of model, and an entry here."""

from __future__ import annotations

import importlib

from core.errors import InputError
from core.export.makers.base import Maker
from core.models.heads import HEADS, Head

MAKERS: dict[str, str] = {
    "causal_lm": "core.export.makers.writer",
    "seq2seq_lm": "core.export.makers.rewriter",
    "sequence_classification": "core.export.makers.reader",
    "token_classification": "core.export.makers.reader",
    "feature_extraction": "core.export.makers.reader",
}


def maker_class(head: Head) -> type[Maker]:
    """The class for a head. InputError where there is none."""
    if head.name not in MAKERS:
        raise InputError(f"A model that {HEADS[head.name].label} cannot be exported.", "model.path")
    found: type[Maker] = importlib.import_module(MAKERS[head.name]).Work
    return found
