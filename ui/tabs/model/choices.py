"""What a setting may be picked from, which the rest of the draft decides: losses, metrics, modules, ways to batch."""

from __future__ import annotations

from html import escape
from typing import Any

from core.data.lengths import Lengths
from core.data.ways import pays
from core.errors import InputError
from core.losses import own
from core.losses.table import offered
from core.methods.modules import Module, modules_of
from core.models.heads import CAUSAL, TAGS, Head, head_of
from core.models.joining import why_apart
from core.tasks import get
from core.tasks.extraction import TAG_METRICS
from ui import dataset
from ui.parts import badge

Draft = dict[str, Any]

WRITTEN = ("loss", "perplexity")


def head(draft: Draft) -> Head:
    """What the draft's model ends in; one that writes where that cannot be said."""
    try:
        return head_of(dataset.usable(draft))
    except InputError:
        return CAUSAL


def losses(draft: Draft) -> list[tuple[str, str, str]]:
    """(name, label, sentence) of each loss that suits."""
    return offered(head(draft), dataset.usable(draft).task)


def broken_losses() -> list[str]:
    """What is wrong with the files of the owner's losses, one sentence each."""
    return own.found()[1]


def metrics(draft: Draft) -> list[tuple[str, str]]:
    """(label, name) of what the best weights may be chosen by."""
    ends = head(draft)
    mine = TAG_METRICS if ends is TAGS else get(dataset.usable(draft).task).METRICS
    names = [*(WRITTEN if ends.writes else WRITTEN[:1]), *mine]
    return [("Validation loss" if name == "loss" else name.replace("_", " ").capitalize(), name) for name in names]


def linear(draft: Draft) -> list[tuple[str, str]]:
    """The names of the linear layers of a block."""
    return [
        (f"{m.name} · {m.count} of {m.inputs} → {m.outputs}", m.name) for m in _modules(draft) if m.kind == "linear"
    ]


def whole(draft: Draft) -> list[tuple[str, str]]:
    """Layers that may be trained whole."""
    return [(f"{m.name} · {m.kind}", m.name) for m in _modules(draft) if m.kind != "linear"]


def _modules(draft: Draft) -> list[Module]:
    config = dataset.usable(draft)
    try:
        return modules_of(config.model.path, config.model.revision)
    except InputError:
        return []  # it is not here: names can be typed


def ways(draft: Draft) -> str:
    """What each way to make batches makes of these rows."""
    config = dataset.usable(draft)
    try:
        found, rows = dataset.lengths(draft), dataset.training_rows(draft)
    except InputError:
        return ""
    if rows is None:
        return ""
    try:
        joins = not why_apart(config)
    except InputError:
        joins = False
    offers = pays(Lengths(found.tokens, rows, found.trained, max(found.tokens)), config, joins)
    lines = [
        f"<li>{escape(o.sentence)}{' ' + badge('ok', 'pays here') if o.pays and o.name != 'grouped' else ''}</li>"
        for o in offers
    ]
    return f'<ul class="ways small quiet">{"".join(lines)}</ul>' if lines else ""
