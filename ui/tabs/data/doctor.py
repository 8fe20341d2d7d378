"""The data doctor: what is wrong with the rows, why it matters, and what mends it; what is mended, and the way back."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, get_args

import gradio as gr

from core.config import RunConfig
from core.data.report import Finding
from core.errors import InputError
from core.settings import Fix
from ui import dataset, form
from ui.parts import head, plural, say
from ui.shared import Shared
from ui.tabs.data.refresh import QUIET, Refresh

FINE = "No repeats, no empty answers, nothing cut, no row on both sides, nothing private that could be found."
KINDS = {"error": "bad", "warning": "fix", "note": "mute"}
SHOWN = 6  # row numbers of a finding
MENDED = {
    "drop_duplicates": "Rows that repeat another word for word are left out",
    "drop_near_duplicates": "Rows that are nearly another's are left out",
    "drop_leaked": "Training rows that ask what a kept-back row asks are left out",
    "drop_long": "Rows over the limit are left out instead of cut",
    "strip_control": "Control and invisible characters are removed",
    "fix_encoding": "Text in the wrong encoding is put right",
    "mask_personal": "E-mail addresses, phone, card and account numbers are masked",
    "mask_secrets": "Passwords and keys are masked",
}
JS = """
element.addEventListener('click', e => { const b = e.target.closest('button'); if (!b) return;
  if (b.dataset.row) {
    trigger('select', { row: +b.dataset.row });
    document.getElementById('tokens').scrollIntoView({ block: 'center', behavior: 'smooth' }); }
  else if ('look' in b.dataset) trigger('submit');
  else if ('stop' in b.dataset) trigger('stop');
  else if (b.dataset.field) trigger('input', { field: b.dataset.field, value: b.dataset.value }); });"""

Draft = dict[str, Any]


@dataclass(frozen=True)
class DoctorPart:
    """The component of the card."""

    findings: gr.HTML


def layout() -> DoctorPart:
    """Draw the card."""
    with gr.Column(elem_classes=["card", "doctor"]):
        return DoctorPart(gr.HTML("", elem_id="findings", apply_default_css=False, js_on_load=JS))


def wire(part: DoctorPart, shared: Shared, refresh: Refresh) -> None:
    """A remedy sets one setting of the draft; every form fills itself from it."""
    inputs = [shared.draft, shared.filled]
    part.findings.input(mend, inputs, inputs, **(QUIET | {"trigger_mode": "once"}))
    looking = part.findings.submit(look, shared.draft, part.findings, **QUIET)
    shared.draft.change(None, None, None, cancels=[looking])
    part.findings.stop(drawn, shared.draft, part.findings, cancels=[looking], **QUIET)


def mend(draft: Draft, filled: int, event: gr.EventData) -> tuple[Any, Any]:
    """Set the setting that a remedy or its way back names; nothing else of what the browser says is taken."""
    try:
        field, value = str(event.field), json.loads(str(event.value))
    except ValueError:
        return gr.skip(), gr.skip()
    changed = form.with_value(draft, field, value)
    allowed = field in ("data.fixes", "data.max_tokens", "data.group_by", "augmentation.balance")
    if not allowed or field in form.errors(changed):
        return gr.skip(), gr.skip()
    return changed, filled + 1


def drawn(draft: Draft) -> str:
    """The card; it reads all rows, so it comes last."""
    title = "The data doctor"
    try:
        found, looked_at = dataset.findings(draft)
        total = len(dataset.source(draft).rows)
    except InputError:
        words = "It looks at the rows as soon as one of them can be shown."
        return head(title) + f'<div class="finding">{say("mute", "It cannot look yet", words)}</div>' + _mended(draft)
    note = f"{plural(len(found), 'thing')} to look at, worst first." if found else ""
    aside = ""
    if looked_at < total:
        note = f"Of {looked_at:,} of {total:,} rows, evenly spaced. {note}"
        aside = f'<button type="button" class="small-button" data-look>Look at all {total:,} rows</button>'
    fine = f'<div class="finding">{say("done", "Nothing is wrong with these rows", FINE)}</div>'
    return head(title, note, aside) + ("".join(map(_finding, found)) or fine) + _mended(draft)


def look(draft: Draft) -> Iterator[str]:
    """Look at every row of a big file, showing how far it is. Ends its process when it is cancelled."""
    stop = '<button type="button" class="small-button" data-stop>Stop looking</button>'
    try:
        with contextlib.closing(dataset.look_at_all(draft)) as looking:
            for done, total in looking:
                words = f"{done:,} of {plural(total, 'row')}"
                bar = f'<div class="rail"><i style="width:{done / max(1, total):.1%};--c:var(--petrol)"></i></div>'
                yield head("The data doctor", f"Looking at every row: {words}.", stop) + bar
    except InputError as error:
        yield (
            head("The data doctor")
            + f'<div class="finding">{say("bad", "It could not look", escape(str(error)))}</div>'
        )
        return
    yield drawn(draft)


def _finding(found: Finding) -> str:
    title, _, text = re.sub(r"[.;:] ", "\n", str(found.message), count=1).partition("\n")
    text = text[:1].upper() + text[1:]
    shown = list(found.rows)[:SHOWN]
    links = ", ".join(f'<button type="button" class="link" data-row="{r}">{r + 1:,}</button>' for r in shown)
    more = f" and {found.count - len(shown):,} more" if found.count > len(shown) else ""
    where = f" Row{'s' if found.count != 1 else ''} {links}{more}." if shown else ""
    words = f"{escape(text)}{'' if not text or text.endswith('.') else '.'}{where}"
    if found.why:
        words += f' <span class="why">{escape(found.why)}</span>'
    if found.examples:
        words += '<ul class="examples">' + "".join(f"<li>{escape(e)}</li>" for e in found.examples) + "</ul>"
    return f'<div class="finding">{say(KINDS[found.severity], escape(title.rstrip(".")), words)}{_remedy(found)}</div>'


def _remedy(found: Finding) -> str:
    if found.remedy is None:
        return ""
    return _button(found.remedy.label, found.remedy.field, found.remedy.value)


def _button(label: str, field: str, value: Any) -> str:
    return (
        f'<button type="button" class="small-button" data-field="{escape(field)}" '
        f'data-value="{escape(json.dumps(value))}">{escape(label)}</button>'
    )


def _mended(draft: Draft) -> str:
    """What is mended already, each with its way back."""
    on = [fix for fix in form.value_of(draft, "data.fixes") or [] if fix in get_args(Fix)]
    lines = [
        f"<li>{say('done', MENDED[fix], '')}{_button('Undo', 'data.fixes', [f for f in on if f != fix])}</li>"
        for fix in on
    ]
    balance = form.value_of(draft, "augmentation.balance", "none")
    if balance != RunConfig().augmentation.balance:
        words = "Rows of rare labels are repeated" if balance == "over" else "Rows of frequent labels are left out"
        lines.append(f"<li>{say('done', words, '')}{_button('Undo', 'augmentation.balance', 'none')}</li>")
    if not lines:
        return ""
    return (
        f'<div class="mended"><p class="eyebrow">Mended, and recorded in the config</p><ul>{"".join(lines)}</ul></div>'
    )
