"""What the Data tab does when something is touched: read values, ask ui.dataset, return what is shown."""

from __future__ import annotations

import json
import random
import re
from html import escape
from typing import Any

import gradio as gr

from core.config import load
from core.data.formats import suggest_task, suggest_template
from core.data.sources import demo_sets
from core.errors import InputError
from ui import dataset, form, tokens, uploads
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

ROWS_JS = """
element.addEventListener('click', e => {
  const b = e.target.closest('button'), tr = e.target.closest('tr[data-row]');
  if (b?.dataset.first) trigger('input', { first: +b.dataset.first });
  else if (tr && !getSelection().toString()) trigger('select', { row: +tr.dataset.row });
});"""
FINDINGS_JS = """
element.addEventListener('click', e => { const b = e.target.closest('button'); if (!b) return;
  if (b.dataset.row) {
    trigger('select', { row: +b.dataset.row });
    document.getElementById('tokens').scrollIntoView({ block: 'center', behavior: 'smooth' }); }
  else if (b.dataset.limit) trigger('input', { limit: +b.dataset.limit }); });"""

Draft = dict[str, Any]


# The draft


def take_demo(name: str, draft: Draft, filled: int) -> tuple[Any, Any, Any, Any]:
    """A demo set brings its whole config: data, template, method and training."""
    try:
        found = next((d for d in demo_sets() if d.name == name), None)
        if found is None:
            raise InputError(f"There is no demo set {name!r}.", "data.path")
        return load(found.config_path).model_dump(mode="json"), filled + 1, gr.skip(), None
    except InputError as error:
        return gr.skip(), gr.skip(), _bad("This demo set cannot be taken", error), None


def take_upload(file: str | None, draft: Draft, filled: int) -> tuple[Any, Any, Any, Any]:
    """An uploaded file is kept first; a file that cannot be read is not taken, and says why."""
    try:
        if not file:
            raise InputError("No file came in.", "data.path")
        changed = dataset.with_data(draft, uploads.keep(file))
        dataset.source(changed)
        return changed, filled + 1, gr.skip(), None
    except InputError as error:
        return gr.skip(), gr.skip(), _bad("This file cannot be used", error), None


def take_path(path: str, draft: Draft, filled: int) -> tuple[Any, Any, Any, Any]:
    """A path or a Hub id."""
    try:
        changed = dataset.with_data(draft, path.strip())
        dataset.source(changed)
        return changed, filled + 1, gr.skip(), None
    except InputError as error:
        return gr.skip(), gr.skip(), _bad("This cannot be opened", error), None


def put(path: str, value: Any, draft: Draft) -> Draft:
    """One setting into the draft, as it was given."""
    return form.with_value(draft, path, value)


def put_template(text: str, draft: Draft) -> Draft:
    """The text of the template; while the chat template is in use, the field only keeps it."""
    return draft if dataset.text_template(draft) is None else form.with_value(draft, "data.template", text)


def put_kind(kind: str, text: str, draft: Draft) -> tuple[Draft, Any, Any]:
    """Text template or chat template; the text is kept in its field while the chat template is in use."""
    draft = form.with_value(draft, "data.template", (text or _suggested(draft)) if kind == "text" else None)
    value = dataset.text_template(draft)
    return draft, gr.update(visible=kind == "text", value=value if value is not None else text), columns(draft)


def put_limit(value: float | None, draft: Draft) -> Draft:
    """The most tokens of an example, typed."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return form.with_value(draft, "data.max_tokens", whole)


def cut_moved(draft: Draft, event: gr.EventData) -> tuple[Draft, int]:
    """The most tokens of an example, from the histogram."""
    return form.with_value(draft, "data.max_tokens", tokens.moved(event)), tokens.moved(event)


def mend(draft: Draft, event: gr.EventData) -> tuple[Draft, int]:
    """The one thing that the doctor can mend: the limit is raised so that every row fits."""
    value = max(8, min(131072, int(event.limit)))
    return form.with_value(draft, "data.max_tokens", value), value


def fill(draft: Draft) -> list[Any]:
    """The form of the tab from a whole new draft; the first row is looked at."""
    demo, text = dataset.demo_of(draft), dataset.text_template(draft)
    path = form.value_of(draft, "data.path", "")
    share, most = form.value_of(draft, "data.validation"), form.value_of(draft, "data.max_tokens")
    return [
        demo.name if demo else None,
        "" if demo else str(path),
        share if isinstance(share, (int, float)) and 0 <= share <= 0.5 else 0.1,
        form.value_of(draft, "task"),
        "chat" if text is None else "text",
        gr.update(value=text if text is not None else "", visible=text is not None),
        most if isinstance(most, (int, float)) else None,
        0,
        0,
    ]


# What is shown


def overview(draft: Draft, first: int, at: int) -> tuple[str, str, str, str]:
    """Source, table, columns and the word on the task."""
    try:
        data = dataset.source(draft)
    except InputError as error:
        gone = nothing("No rows to show", "Choose a demo set, or upload a file of your own.")
        return _bad("The data cannot be read", error), head("Rows") + gone, "", ""
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


# Which row


def step(name: str, draft: Draft, at: int) -> int:
    """The row that a button leads to."""
    try:
        total = len(dataset.source(draft).rows)
        if name == "Longest":
            return dataset.lengths(draft).longest
        if name == "First that is cut":
            over = dataset.lengths(draft).first_over(dataset.limit(draft))
            if over is None:
                gr.Info("No row is longer than the limit.", duration=4)
            return at if over is None else over
    except InputError:
        return at
    ways = {"Previous": at - 1, "Next": at + 1, "Random": random.randrange(total)}  # noqa: S311 - nothing depends on it
    return ways[name] % total


def go_to(draft: Draft, number: float | None) -> int:
    """A row number that was typed, as people count; the nearest that there is."""
    try:
        total = len(dataset.source(draft).rows)
    except InputError:
        return 0
    return max(0, min(int(number or 1), total) - 1)


def pick(draft: Draft, event: gr.EventData) -> int:
    """A row that was clicked on."""
    return go_to(draft, int(event.row) + 1)


def turn_page(draft: Draft, at: int, event: gr.EventData) -> tuple[str, int]:
    """Another page of the table."""
    first = max(0, int(event.first))
    return table(draft, first, at), first


def _side(draft: Draft, at: int) -> str:
    parts = dataset.counts(draft)
    if parts is None or not parts.validation:
        return ""
    return "kept back to check with" if at in set(parts.validation) else "a row to train on"


def _suggested(draft: Draft) -> str:
    try:
        return suggest_template(dataset.source(draft).layout) or ""
    except InputError:
        return ""


def _bad(title: str, error: InputError) -> str:
    return say("bad", title, escape(str(error)))
