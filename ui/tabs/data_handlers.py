"""What the Data tab does when something is touched: read values, ask ui.dataset, return what is shown."""

from __future__ import annotations

import random
from typing import Any

import gradio as gr

from core.config import load
from core.data.formats import suggest_template
from core.data.sources import demo_sets
from core.errors import InputError
from ui import dataset, form, tokens, uploads
from ui.tabs import data_view as view

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
        return gr.skip(), gr.skip(), view.bad("This demo set cannot be taken", error), None


def take_upload(file: str | None, draft: Draft, filled: int) -> tuple[Any, Any, Any, Any]:
    """An uploaded file is kept first; a file that cannot be read is not taken, and says why."""
    try:
        if not file:
            raise InputError("No file came in.", "data.path")
        changed = dataset.with_data(draft, uploads.keep(file))
        dataset.source(changed)
        return changed, filled + 1, gr.skip(), None
    except InputError as error:
        return gr.skip(), gr.skip(), view.bad("This file cannot be used", error), None


def take_path(path: str, draft: Draft, filled: int) -> tuple[Any, Any, Any, Any]:
    """A path or a Hub id."""
    try:
        changed = dataset.with_data(draft, path.strip())
        dataset.source(changed)
        return changed, filled + 1, gr.skip(), None
    except InputError as error:
        return gr.skip(), gr.skip(), view.bad("This cannot be opened", error), None


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
    return draft, gr.update(visible=kind == "text", value=value if value is not None else text), view.columns(draft)


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
    return view.table(draft, first, at), first


def _suggested(draft: Draft) -> str:
    try:
        return suggest_template(dataset.source(draft).layout) or ""
    except InputError:
        return ""
