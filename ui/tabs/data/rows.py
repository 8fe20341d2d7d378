"""The rows as a table, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from ui import dataset
from ui.parts import head, plural
from ui.shared import Shared
from ui.tabs.data import kept
from ui.tabs.data.refresh import EACH

PAGE = 10  # rows of the table
WIDE = 8  # columns of the table
CELL = 400  # characters of a cell that are sent
SAMPLE, SHORT = 50, 12  # rows that are looked at for columns of so few characters: numbers, ids, names of classes
TABLE_JS = """
element.addEventListener('click', e => {
  const b = e.target.closest('button'), tr = e.target.closest('tr[data-row]');
  if (b?.dataset.first) trigger('input', { first: +b.dataset.first });
  else if (tr && !getSelection().toString()) trigger('select', { row: +tr.dataset.row });
});"""

Draft = dict[str, Any]


@dataclass(frozen=True)
class RowsPart:
    """The components of the card."""

    table: gr.HTML
    kept: kept.KeptPart


def layout() -> RowsPart:
    """Draw the card."""
    with gr.Column(elem_classes=["card", "rows"], scale=7, min_width=300):
        table = gr.HTML("", elem_id="rows", apply_default_css=False, js_on_load=TABLE_JS)
        return RowsPart(table, kept.layout())


def wire(part: RowsPart, shared: Shared, at: gr.State, first: gr.State) -> None:
    """The pages of the table; a click on a row is wired where rows are looked at."""
    part.table.input(turn_page, [shared.draft, at], [part.table, first], **EACH)


def turn_page(draft: Draft, at: int, event: gr.EventData) -> tuple[str, int]:
    """Another page of the table."""
    first = max(0, int(event.first))
    return drawn(draft, first, at), first


def drawn(draft: Draft, first: int, at: int) -> str:
    """A page of the rows, with the row in view marked."""
    data = dataset.source(draft)
    total, names = len(data.rows), data.columns[:WIDE]
    first = max(0, min(first, (total - 1) // PAGE * PAGE))
    more = f" and {len(data.columns) - WIDE} more columns" if len(data.columns) > WIDE else ""
    narrow = {c: ' class="short"' if _is_short(c, data.rows[:SAMPLE]) else "" for c in names}
    heads = "".join(f'<th scope="col"{narrow[c]}>{escape(str(c))}</th>' for c in names)
    body = []
    for row, values in enumerate(data.rows[first : first + PAGE], first):
        cells = "".join(f"<td{narrow[c]}>{_cell(values.get(c))}</td>" for c in names)
        on = ' class="on"' if row == at else ""
        pressed = "true" if row == at else "false"
        body.append(
            f'<tr data-row="{row}"{on}><td class="num"><button type="button" data-row="{row}" aria-pressed="{pressed}" '
            f'aria-label="Look at row {row + 1}">{row + 1:,}</button></td>{cells}</tr>'
        )
    last = min(first + PAGE, total)
    nav = (
        f'<div class="pages"><span class="small quiet">Rows {first + 1:,} to {last:,} of {total:,}</span>'
        f'<button type="button" data-first="{max(0, first - PAGE)}"{" disabled" * (first == 0)}>Earlier</button>'
        f'<button type="button" data-first="{first + PAGE}"{" disabled" * (last >= total)}>Later</button></div>'
    )
    shape = f"{plural(total, 'row')} · {plural(len(data.columns), 'column')}{more}"
    return (
        head("Rows", shape, nav) + '<div class="scroll" tabindex="0" role="region" aria-label="Rows">'
        f'<table class="tbl grid"><caption class="gone">Rows of the data; choose one to see its tokens</caption>'
        f'<thead><tr><th scope="col" class="num">row</th>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _is_short(column: Any, rows: Sequence[dict[str, Any]]) -> bool:
    return all(len(str(text)) <= SHORT for text in (column, *(row.get(column) for row in rows)))


def _cell(value: Any) -> str:
    text = (
        "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    )
    short = text if len(text) <= CELL else text[:CELL] + "…"
    if not text:
        return '<span class="quiet">empty</span>'
    return f'<span class="cell" title="{escape(short)}">{escape(short)}</span>'
