"""What the Data tab shows of a draft, as HTML: source, table, columns, one row in tokens, lengths, split, findings."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

import gradio as gr

from core.data.formats import suggest_task
from core.errors import InputError
from ui import dataset, form, tokens
from ui.parts import head, nothing, plural, say

PAGE = 10  # rows of the table
WIDE = 8  # columns of the table
CELL = 400  # characters of a cell that are sent
FINE = "No repeats, no empty answers, nothing cut, and no row on both sides."
LAYOUTS = {
    "text": "plain text",
    "text_label": "text and label",
    "prompt_completion": "prompt and completion",
    "alpaca": "instruction, input and output",
    "sharegpt": "conversations",
    "messages": "conversations",
}
KINDS = {"error": "bad", "warning": "fix", "note": "mute"}


Draft = dict[str, Any]


def overview(draft: Draft, first: int, at: int) -> tuple[str, str, str, str]:
    """Source, table, columns and the word on the task."""
    try:
        data = dataset.source(draft)
    except InputError as error:
        gone = nothing("No rows to show", "Choose a demo set, or upload a file of your own.")
        return bad("The data cannot be read", error), head("Rows") + gone, "", ""
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in data.notes)
    kind = escape(LAYOUTS.get(data.layout.name, data.layout.name))
    says = f"<p><b>{escape(data.name)}</b>, read as {kind}. {escape(data.layout.evidence)}</p>" + (
        f"<ul>{notes}</ul>" if notes else ""
    )
    sample = [data.rows[i] for i in range(min(200, len(data.rows)))]
    wise, task = suggest_task(data.layout, sample), form.value_of(draft, "task")
    hint = f"These rows look like <b>{escape(str(wise))}</b>." if wise and wise != task else ""
    return says, table(draft, first, at), columns(draft), f'<p class="small quiet">{hint}</p>' if hint else ""


def table(draft: Draft, first: int, at: int) -> str:
    """A page of the rows, with the row in view marked."""
    data = dataset.source(draft)
    total, names = len(data.rows), data.columns[:WIDE]
    first = max(0, min(first, (total - 1) // PAGE * PAGE))
    more = f" and {len(data.columns) - WIDE} more columns" if len(data.columns) > WIDE else ""
    heads = "".join(f'<th scope="col">{escape(str(c))}</th>' for c in names)
    body = []
    for row in range(first, min(first + PAGE, total)):
        values = data.rows[row]
        cells = "".join(f"<td>{_cell(values.get(c))}</td>" for c in names)
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


def _cell(value: Any) -> str:
    text = (
        "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    )
    short = text if len(text) <= CELL else text[:CELL] + "…"
    if not text:
        return '<span class="quiet">empty</span>'
    return f'<span class="cell" title="{escape(short)}">{escape(short)}</span>'


def columns(draft: Draft) -> str:
    """The names that a template may use; a click puts one where the cursor is."""
    if dataset.text_template(draft) is None:
        return (
            '<p class="small quiet">Each row becomes messages, and the model\'s own chat template makes the text. '
            "What the assistant says is trained on.</p>"
        )
    try:
        names = dataset.source(draft).columns
    except InputError:
        return ""
    chips = "".join(f'<button type="button" data-insert="{{{escape(c)}}}">{{{escape(c)}}}</button>' for c in names[:24])
    return f'<div class="chips"><span class="small quiet">Put in</span>{chips}</div>'


def looked_at(draft: Draft, at: int) -> tuple[str, int]:
    """The token view of a row, and its number as people count."""
    try:
        data = dataset.source(draft)
        at = max(0, min(at, len(data.rows) - 1))
        return tokens.drawn(dataset.preview(draft, at), at, len(data.rows), _side(draft, at)), at + 1
    except InputError as error:
        if error.field == "data.template":  # what is wrong stands at the field
            return nothing("This row cannot be shown yet", "Mend the template, and it appears here."), at + 1
        where = {"model.path": ' <a href="#model" data-tab="model">Go to Model.</a>'}.get(error.field, "")
        return nothing("This row cannot be shown yet", escape(str(error)) + where), at + 1


def shown_row(draft: Draft, first: int, at: int) -> tuple[str, int, str]:
    """The token view, the number, and the table with the row marked."""
    view, number = looked_at(draft, at)
    try:
        return view, number, table(draft, first, at)
    except InputError:
        return view, number, gr.skip()


def measured(draft: Draft) -> tuple[str, str]:
    """Histogram and split."""
    return _histogram(draft), _split(draft)


def _histogram(draft: Draft) -> str:
    title = '<p class="eyebrow over">Lengths of all rows, and the limit</p>'
    try:
        found = dataset.lengths(draft)
    except InputError:
        return title + '<p class="small quiet">They are measured as soon as a row can be shown.</p>'
    if len(found.rows) < found.total:
        title = f'<p class="eyebrow over">Lengths of {len(found.rows):,} of {found.total:,} rows, and the limit</p>'
    return title + tokens.bars(found.tokens, found.total, dataset.limit(draft))


def _split(draft: Draft) -> str:
    try:
        parts = dataset.counts(draft)
    except InputError:
        return ""
    if parts is None:
        return ""
    train, kept = len(parts.train), len(parts.validation)
    words = f"{kept:,} to check with" if kept else "none to check with"
    return (
        f'<p class="split"><b>{train:,}</b> to train on, <b>{words.split(" ", 1)[0]}</b> {words.split(" ", 1)[1]}</p>'
    )


def doctor(draft: Draft) -> str:
    """What is wrong with the rows; it reads all of them, so it comes last."""
    title = "The data doctor"
    try:
        found = dataset.findings(draft)
    except InputError:
        words = "It looks at the rows as soon as one of them can be shown."
        return head(title) + f'<div class="finding">{say("mute", "It cannot look yet", words)}</div>'
    if not found:
        return head(title) + f'<div class="finding">{say("done", "Nothing is wrong with these rows", FINE)}</div>'
    note = f"{plural(len(found), 'thing')} to look at, worst first."
    return head(title, note) + "".join(_finding(f, draft) for f in found)


def _finding(found: Any, draft: Draft) -> str:
    title, _, text = re.sub(r"[.;:] ", "\n", str(found.message), count=1).partition("\n")
    text = text[:1].upper() + text[1:]
    shown = list(found.rows)[:6]
    links = ", ".join(f'<button type="button" class="link" data-row="{r}">{r + 1:,}</button>' for r in shown)
    more = f" and {found.count - len(shown):,} more" if found.count > len(shown) else ""
    where = f" Row{'s' if found.count != 1 else ''} {links}{more}." if shown else ""
    text = f"{escape(text)}{'' if not text or text.endswith('.') else '.'}{where}"
    return (
        f'<div class="finding">{say(KINDS[found.severity], escape(title.rstrip(".")), text)}{_fix(found, draft)}</div>'
    )


def _fix(found: Any, draft: Draft) -> str:
    if found.kind not in ("too_long", "answer_cut"):
        return ""
    longest = max(dataset.lengths(draft).tokens)
    if longest <= dataset.limit(draft) or longest > 131072:
        return ""
    return f'<button type="button" class="small-button" data-limit="{longest}">Raise the limit to {longest:,}</button>'


def _side(draft: Draft, at: int) -> str:
    parts = dataset.counts(draft)
    if parts is None or not parts.validation:
        return ""
    return "kept back to check with" if at in set(parts.validation) else "a row to train on"


def bad(title: str, error: InputError) -> str:
    """An error at the place it concerns."""
    return say("bad", title, escape(str(error)))
