"""Which rows are kept back to check with: a share, a slice or a file, or a fold; and the labels on either side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from core.data.split import Split
from core.errors import InputError
from ui import dataset, form
from ui.parts import html, plural
from ui.shared import Shared
from ui.tabs.data.refresh import QUIET, Refresh

SMALL = 500  # with fewer rows than this the page offers folds
LABELS = 6  # labels that are drawn
AS_IT_IS = ""  # the choice of no column
WAYS = [("A share", "share"), ("A slice or a file", "named"), ("K-fold", "folds")]

Draft = dict[str, Any]


@dataclass(frozen=True)
class KeptPart:
    """The components below the table of rows."""

    way: gr.Radio
    share: gr.Slider
    named: gr.Textbox
    folds: gr.Number
    fold: gr.Number
    group_by: gr.Dropdown
    stratify: gr.Dropdown
    split: gr.HTML

    @property
    def filled(self) -> list[Any]:
        """What `fill` fills in."""
        return [self.way, self.share, self.named, self.folds, self.fold, self.group_by, self.stratify]


def layout() -> KeptPart:
    """Draw the controls."""
    with gr.Column(elem_classes="share"):
        way = gr.Radio(
            WAYS,
            value="share",
            label="Kept back to check with",
            elem_classes="segment",
            interactive=True,
        )
        with gr.Row(elem_classes="ways"):
            share = gr.Slider(
                0,
                0.5,
                step=0.01,
                label="Share of the rows",
                elem_id="field-data-validation",
                elem_classes="slide",
                interactive=True,
                buttons=[],
                scale=3,
            )
            named = gr.Textbox(
                label="A slice, a split or a file",
                info="Such as [90%:], validation, or data/check.jsonl.",
                elem_id="field-data-validation-of-named",
                lines=1,
                max_lines=1,
                visible=False,
                interactive=True,
                scale=3,
            )
            folds = gr.Number(
                label="Folds", elem_id="field-data-folds", precision=0, visible=False, interactive=True,
                min_width=80, scale=1,
            )  # fmt: skip
            fold = gr.Number(
                label="Fold kept back", elem_id="field-data-fold", precision=0, visible=False, interactive=True,
                min_width=80, scale=1,
            )  # fmt: skip
            split = html(elem_id="split")
        with gr.Accordion("Keep rows together, or values in equal shares", open=False):
            with gr.Row(elem_classes="pair"):
                group_by = gr.Dropdown(
                    [("none", AS_IT_IS)],
                    label="Group by",
                    info="Rows with one value stay on one side.",
                    elem_id="field-data-group_by",
                    interactive=True,
                    min_width=200,
                )
                stratify = gr.Dropdown(
                    [("the label, where there is one", AS_IT_IS)],
                    label="Stratify by",
                    info="Each value is kept back in one share.",
                    elem_id="field-data-stratify",
                    interactive=True,
                    min_width=200,
                )
    return KeptPart(way, share, named, folds, fold, group_by, stratify, split)


def wire(part: KeptPart, shared: Shared, refresh: Refresh) -> None:
    """Events of the controls."""
    draft = shared.draft
    newest: dict[str, Any] = QUIET | {"trigger_mode": "always_last"}
    inputs = [part.way, part.share, part.named, part.folds, part.fold, draft]
    controls = [part.share, part.named, part.folds, part.fold]
    refresh.everything(part.way.input(put_way, inputs, [draft, *controls], **newest))
    refresh.slow(part.share.input(partial(form.put, "data.validation"), [part.share, draft], draft, **newest))
    refresh.everything(gr.on([part.named.submit, part.named.blur], put_named, [part.named, draft], draft, **newest))
    for name, box in (("data.folds", part.folds), ("data.fold", part.fold)):
        refresh.slow(gr.on([box.submit, box.blur], partial(put_whole, name), [box, draft], draft, **newest))
    for name, choice in (("data.group_by", part.group_by), ("data.stratify", part.stratify)):
        refresh.slow(choice.input(partial(put_column, name), [choice, draft], draft, **newest))


# The draft


def put_whole(path: str, value: float | None, draft: Draft) -> Draft:
    """A whole number that was typed."""
    return form.with_value(draft, path, int(value) if isinstance(value, float) and value.is_integer() else value)


def put_column(path: str, column: str, draft: Draft) -> Draft:
    """A column, or none."""
    return form.with_value(draft, path, column or None)


def put_named(text: str, draft: Draft) -> Draft:
    """A slice, split or file. While another way is chosen, the field only keeps it."""
    if way_of(draft) != "named" or text.strip() == form.value_of(draft, "data.validation"):
        return draft
    return form.with_value(draft, "data.validation", text.strip())


def put_way(way: str, share: float, named: str, folds: float | None, fold: float | None, draft: Draft) -> list[Any]:
    """Share, slice or folds: the draft, and which controls are shown."""
    value: Any = named.strip() or "[90%:]" if way == "named" else share
    draft = form.with_value(draft, "data.validation", value)
    draft = form.with_value(draft, "data.folds", int(folds or 5) if way == "folds" else None)
    draft = form.with_value(draft, "data.fold", int(fold or 1) if way == "folds" else 1)
    return [draft, *controls(draft)]


def way_of(draft: Draft) -> str:
    """Which way the draft keeps rows back."""
    if form.value_of(draft, "data.folds") is not None:
        return "folds"
    return "named" if isinstance(form.value_of(draft, "data.validation"), str) else "share"


def controls(draft: Draft) -> list[Any]:
    """The controls of the ways, with the one in use shown."""
    way, value = way_of(draft), form.value_of(draft, "data.validation")
    usable = isinstance(value, (int, float)) and 0 <= value <= 0.5
    return [
        gr.update(visible=way == "share", value=value if usable else 0.1),
        gr.update(visible=way == "named", value=value if isinstance(value, str) else ""),
        gr.update(visible=way == "folds", value=form.value_of(draft, "data.folds") or 5),
        gr.update(visible=way == "folds", value=form.value_of(draft, "data.fold", 1)),
    ]


def fill(draft: Draft) -> list[Any]:
    """The controls from a whole new draft."""
    try:
        columns = [(c, c) for c in dataset.source(draft).columns]
    except InputError:
        columns = []
    none: list[Any] = [[("none", AS_IT_IS), *columns], [("the label, where there is one", AS_IT_IS), *columns]]
    chosen = [form.value_of(draft, path) or AS_IT_IS for path in ("data.group_by", "data.stratify")]
    return [
        way_of(draft),
        *controls(draft),
        *[gr.update(choices=c, value=v) for c, v in zip(none, chosen, strict=True)],
    ]


# What is shown


def divided(draft: Draft) -> str:
    """How many rows are trained on and kept back, as figures and as a bar, with what is to be known of it."""
    try:
        parts = dataset.counts(draft)
    except InputError:
        return ""
    if parts is None:
        return ""
    train, kept = len(parts.train), len(parts.validation)
    words = f"<b>{kept:,}</b> to check with" if kept else "<b>none</b> to check with"
    return (
        f'<p class="split"><span><b>{train:,}</b> to train on</span>, <span>{words}</span></p>'
        + _bar(train, kept)
        + _labels(draft)
        + "".join(f'<p class="small quiet">{escape(note)}</p>' for note in _notes(draft, parts))
    )


def _bar(train: int, kept: int) -> str:
    total = max(1, train + kept)
    widths = [("--heat", train / total), ("--steel", kept / total)]
    inner = "".join(f'<i style="flex:{w:.4f};--c:var({c})"></i>' for c, w in widths if w)
    return f'<div class="stack thin" role="img" aria-label="{kept / total:.0%} of the rows are kept back">{inner}</div>'


def _labels(draft: Draft) -> str:
    """The most frequent labels as bars, each with the part of it that is kept back."""
    found = dataset.label_counts(draft)
    if not found:
        return ""
    most = max(c.train + c.kept for c in found)
    bars = []
    for c in found[:LABELS]:
        widths = ((c.train / most, "--heat"), (c.kept / most, "--steel"), (1 - (c.train + c.kept) / most, "--sunken"))
        bar = "".join(f'<i style="flex:{width:.4f};--c:var({colour})"></i>' for width, colour in widths)
        name = escape(c.label)
        count = f'<span class="stack">{bar}</span>{c.train:,} + {c.kept:,}'
        bars.append(f'<dt title="{name}">{name or "empty"}</dt><dd>{count}</dd>')
    more = f'<p class="small quiet">and {plural(len(found) - LABELS, "more label", "more labels")}</p>'
    return f'<dl class="labels">{"".join(bars)}</dl>{more if len(found) > LABELS else ""}'


def _notes(draft: Draft, parts: Split) -> list[str]:
    notes = list(parts.notes)
    way, total = way_of(draft), len(parts.train) + len(parts.validation)
    if way == "share" and parts.validation and total < SMALL:
        notes.append(
            f"With {total:,} rows a check on {len(parts.validation):,} says little. K-fold checks each row once: train "
            "one fold after another, here or with core train --folds."
        )
    return notes
