"""Data: choose a source, see the rows, shape them with a template, see the tokens, heed the doctor, add variety."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from core.errors import InputError
from ui import dataset
from ui.parts import head, lead, nothing
from ui.shared import Shared
from ui.tabs.data import augment, doctor, kept, lengths, rows, source, words
from ui.tabs.data.refresh import QUIET, Refresh

Draft = dict[str, Any]


@dataclass(frozen=True)
class DataTab:
    """The cards of the tab, and where one is looking."""

    go: gr.Button
    source: source.SourcePart
    rows: rows.RowsPart
    words: words.WordsPart
    lengths: lengths.LengthsPart
    doctor: doctor.DoctorPart
    augment: augment.AugmentPart
    at: gr.State  # the row in view, from 0
    first: gr.State  # the first row of the table, from 0


def layout(shared: Shared) -> DataTab:
    """Draw the tab. What depends on the draft is filled in when the page is opened."""
    at, first = gr.State(0), gr.State(0)
    [go] = lead(
        "Data", "Choose your data, and how each row becomes a training example.", "Continue to model", id="data"
    )
    with gr.Row(equal_height=True):
        where, table = source.layout(), rows.layout()
    return DataTab(go, where, table, words.layout(), lengths.layout(), doctor.layout(), augment.layout(), at, first)


def wire(tab: DataTab, shared: Shared) -> None:
    """Events. The draft is written first; what is shown of it follows, the quick parts before the slow ones."""
    draft, filled = shared.draft, shared.filled
    refresh = Refresh(
        overview=(
            overview,
            [draft, tab.first, tab.at],
            [tab.source.told, tab.rows.table, tab.words.columns, tab.words.task_note],
        ),
        looked_at=(words.looked_at, [draft, tab.at], [tab.words.view, tab.words.row]),
        measured=(measured, draft, [tab.lengths.histogram, tab.rows.kept.split]),
        doctor=(judged, [draft, tab.at], [tab.doctor.findings, tab.augment.before]),
        template=tab.words.template,
    )
    tab.go.click(None, None, shared.tabs, js="() => ({__type__: 'update', selected: 'model'})")
    outputs = [*tab.source.filled, *tab.rows.kept.filled, *tab.words.filled, *tab.augment.filled]
    outputs += [tab.lengths.limit, tab.at, tab.first]
    whole = filled.change(fill, [draft, tab.at], outputs, **QUIET)
    refresh.opened(whole.then(None, js="() => tune.filled('data')", api_visibility="private"))
    refresh.everything(shared.panels["data"].select(lambda: None, None, None, **QUIET))  # another model, another seed
    source.wire(tab.source, shared, refresh)
    rows.wire(tab.rows, shared, tab.at, tab.first)
    kept.wire(tab.rows.kept, shared, refresh)
    words.wire(tab.words, shared, refresh, tab.at, tab.first, tab.rows.table)
    lengths.wire(tab.lengths, shared, refresh)
    doctor.wire(tab.doctor, shared, refresh)
    tab.doctor.findings.select(words.pick, draft, tab.at, **QUIET).then(
        words.shown_row, [draft, tab.first, tab.at], [tab.words.view, tab.words.row, tab.rows.table], **QUIET
    )
    augment.wire(tab.augment, shared, refresh)


def fill(draft: Draft, at: int) -> list[Any]:
    """All forms of the tab from a whole new draft; the row in view stays where the data has so many."""
    try:
        at = at if at < len(dataset.source(draft).rows) else 0
    except InputError:
        at = 0
    return [
        *source.fill(draft),
        *kept.fill(draft),
        *words.fill(draft),
        *augment.fill(draft),
        lengths.fill(draft),
        at,
        at // rows.PAGE * rows.PAGE,
    ]


def overview(draft: Draft, first: int, at: int) -> tuple[str, str, str, str]:
    """Source, table, columns and the word on the task."""
    try:
        return source.told(draft), rows.drawn(draft, first, at), words.columns(draft), words.note(draft)
    except InputError as error:
        gone = nothing("No rows to show", "Choose a demo set, or upload a file of your own.")
        return source.bad("The data cannot be read", error), head("Rows") + gone, "", ""


def measured(draft: Draft) -> tuple[str, str]:
    """Lengths and split."""
    return lengths.drawn(draft), kept.divided(draft)


def judged(draft: Draft, at: int) -> tuple[str, str]:
    """The doctor, and a row before and after augmentation."""
    return doctor.drawn(draft), augment.drawn(draft, at)
